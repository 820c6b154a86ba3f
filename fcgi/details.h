/* Finished attempts as a client asks for them: which ones, in which order, and where a page begins. */
#ifndef CCS_FCGI_DETAILS_H
#define CCS_FCGI_DETAILS_H

#include "fcgi/app.h"
#include "fcgi/detail_row.h"
#include "fcgi/number_query.h"
#include "fcgi/page.h"
#include "fcgi/period.h"
#include "fcgi/state.h"

/* The place of an attempt in the order by beginning: what a cursor says. */
struct place {
	int64_t started_us; /* INT64_MIN: before all others */
	struct attempt_id id;
};

struct details {
	struct period period;
	enum state status; /* STATE__N: any */
	uint64_t queue_id; /* 0: any */
	struct number_query number;
	struct page page;
	struct place after;
};

/* The query's. Fails with INPUT, naming what is wrong, or as not_yours. */
MUST_USE bool details_read(
	struct app *app, const struct req *req, struct details *details, struct err *err);

/* The page's attempts, at most most. total (or NULL) is how many there are without pages. */
MUST_USE bool details_pick(struct app *app, const struct details *details, struct attempt_id *ids,
	size_t most, size_t *n, uint64_t *total, struct err *err);

/* "1795338001020000.49478023250944.1" */
void place_text(struct strbuf *sb, const struct place *place);

#endif
