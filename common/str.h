/* Borrowed text and checked copies. A struct str points into memory that somebody else owns; it is
 * not terminated. */
#ifndef CCS_COMMON_STR_H
#define CCS_COMMON_STR_H

#include <string.h>

#include "common/base.h"

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})

static inline struct str str_of(const char *text)
{
	return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case is ignored, as in HTTP and AMI header names. */
bool str_case_eq(struct str a, struct str b);

/* Copies text with its terminator into out[size]; false, and out empty, when it does not fit: a cut
 * phone number is somebody else's. */
MUST_USE bool str_copy(char *out, size_t size, struct str text);

/* A decimal number in [min, max], digits only, nothing before or after. */
MUST_USE bool str_to_u64(struct str text, uint64_t min, uint64_t max, uint64_t *value);

/* Without blanks and tabs at either end. */
struct str str_trim(struct str text);

/* Cuts off what stands before the next sep (or all, when there is none) and moves *rest behind it.
 * False at the end. */
bool str_split(struct str *rest, char sep, struct str *part);

#endif
