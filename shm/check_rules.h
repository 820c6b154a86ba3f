/* The rules of shm_check, one function each; used by check.c only. */
#ifndef CCS_SHM_CHECK_RULES_H
#define CCS_SHM_CHECK_RULES_H

#include "shm/segment.h"

/* What one look found. subject names the thing, so that a later look knows it again although the
 * numbers in the text have changed. */
struct finding {
	const char *invariant;
	char subject[64];
	char text[160];
};

enum { FINDINGS_MAX = 200 }; /* more would tell nobody more */

struct findings {
	const char *invariant; /* of the rule that runs */
	struct finding v[FINDINGS_MAX];
	uint32_t n;
};

/* subject is "table row" or "kind id". */
void found(struct findings *f, const char *subject, uint64_t id, const char *fmt, ...) PRINTF(4, 5);

typedef void check_fn(const struct segment *seg, struct findings *f);

/* check.c */
check_fn check_headers, check_names, check_rows, check_places, check_texts, check_references;
/* check_work.c */
check_fn check_calls, check_grants, check_submits, check_window, check_ring, check_tenants;

/* Terminated within its field. */
#define IS_TEXT(field) (memchr((field), '\0', sizeof(field)) != NULL)

#endif
