/* What is known of a number beside its digits, as every answer that shows an entry shows it. */
#ifndef CCS_FCGI_PUT_PLAN_H
#define CCS_FCGI_PUT_PLAN_H

#include "common/strbuf.h"
#include "sql/rows.h"

/* "e164":"+919876543210","number_type":"mobile","region":"IN"; null where it is not known. first
 * and the two columns behind it are entry's e164, number_type (as bigint) and region. */
void put_plan(struct strbuf *sb, const struct rows *rows, int row, int first);

#endif
