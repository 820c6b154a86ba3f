/* What an insert or a quick call would do: POST /queues/insertdataincallqueue?dry_run=1, POST /queues/quickcall?dry_run=1.
 * Everything is checked and answered as without it, nothing is stored, and batch_id stays free; beside it what would keep the calls from starting now, and when they
 * may be expected to begin and to end. */
#ifndef CCS_FCGI_PREFLIGHT_H
#define CCS_FCGI_PREFLIGHT_H

#include "fcgi/batch.h"
#include "fcgi/quick_call.h"

/* batch is gathered and closed. */
MUST_USE bool preflight(struct app *app, const struct req *req, const struct batch *batch,
	struct reply *reply, struct err *err);

/* A quick call that was read without an error. No batch is ahead of it. */
MUST_USE bool preflight_call(struct app *app, const struct req *req, const struct quick_call *call,
	struct reply *reply, struct err *err);

#endif
