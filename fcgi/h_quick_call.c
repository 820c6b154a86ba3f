/* POST /queues/quickcall: one number, at once. Answered when it is committed, before it is
 * dialled. */
#include "fcgi/gather.h"
#include "fcgi/idempotency.h"
#include "fcgi/preflight.h"
#include "fcgi/router.h"

#include "common/base.h"

bool handle_quick_call(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct quick_call call;
	bool dry_run = false;

	if (!req_query_bool(req, "dry_run", &dry_run, err) ||
		!quick_call_read(app, req, &call, err))
		return false;
	if (dry_run)
		return preflight_call(app, req, &call, reply, err);
	/* One with an Idempotency-Key has a transaction of its own. */
	if (app->gather && !idempotency_asked(req))
		return gather_call(app->gather, req, &call, reply);
	if (!quick_calls_store(app, &(struct quick_call *){&call}, 1, err))
		return false;
	quick_call_answer(&call, reply);
	return true;
}
