/* POST /queues/batches/{batch_id}/pause, resume and cancel. Each may be repeated without harm, and says what it has changed.
 * Calls that are in progress go on. */
#include "fcgi/announce.h"
#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "registry/batch.h"

#include "common/base.h"

struct order {
	const char *kind; /* of the control row */
	const char *message;
};

static bool put_batch(struct app *app, struct strbuf *sb, uint64_t queue_id, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;

	if (!live_load(app, app->client.id, &live, err) ||
		!queue_rows_load(app, app->client.id, &queue_id, 1, &rows, err))
		return false;
	put_name(sb, STR("batch"));
	bool ok = put_queue_row(sb, &rows, 0, &live, err);
	rows_free(&rows);
	return ok;
}

static bool obey(struct app *app, const struct req *req, struct reply *reply,
	const struct order *order, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct batch_order given = {.client = &app->client, .kind = order->kind};

	if (!own_queue(app, req, req_param_id(req, "batch_id"), false, &given.queue_id, err) ||
		!batch_order(app->db, &given, err))
		return false;
	if (given.control_id)
		announce_control(app, given.control_id);
	put_object(sb, NULL);
	put_text(sb, "message", str_of(order->message));
	put_text(sb, "status", STR("success"));
	put_bool(sb, "changed", given.control_id != 0);
	if (!put_batch(app, sb, given.queue_id, err))
		return false;
	put_end(sb, '}');
	return true;
}

bool handle_pause_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	static const struct order order = {"pause", "Batch paused"};
	return obey(app, req, reply, &order, err);
}

bool handle_resume_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	static const struct order order = {"resume", "Batch resumed"};
	return obey(app, req, reply, &order, err);
}

bool handle_cancel_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	static const struct order order = {"cancel", "Batch canceled"};
	return obey(app, req, reply, &order, err);
}
