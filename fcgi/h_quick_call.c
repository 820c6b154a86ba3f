/* POST /queues/quickcall: one number, at once. Answered when it is committed, before it is
 * dialled. */
#include "fcgi/quick_call.h"
#include "fcgi/router.h"

#include "common/base.h"

bool handle_quick_call(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct quick_call call;

	if (!quick_call_read(app, req, &call, err) ||
		!quick_calls_store(app, &(struct quick_call *){&call}, 1, err))
		return false;
	quick_call_answer(&call, reply);
	return true;
}
