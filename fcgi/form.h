/* name=value&name=value, percent-encoded (application/x-www-form-urlencoded without its '+'): what Asterisk's CURL() and HASH()
 * take apart, on one line whatever is in it. */
#ifndef CCS_FCGI_FORM_H
#define CCS_FCGI_FORM_H

#include "common/strbuf.h"

/* Appends a pair, behind an '&' where another stands before it. p NULL is "". */
void form_text(struct strbuf *sb, const char *name, struct str value);
void form_u64(struct strbuf *sb, const char *name, uint64_t value);

#endif
