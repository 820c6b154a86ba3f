/* Is this text? What goes to PostgreSQL, to JSON and to logs has to be valid UTF-8. */
#ifndef CCS_COMMON_UTF8_H
#define CCS_COMMON_UTF8_H

#include "common/str.h"

/* Bytes of the longest beginning of text that is valid UTF-8 (no surrogates, no overlong forms). */
size_t utf8_prefix(struct str text);

/* All of it is valid, and it holds no NUL. */
bool utf8_is_text(struct str text);

#endif
