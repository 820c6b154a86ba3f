/* POST /queues/batches/{batch_id}/pause, resume and cancel. Each may be repeated without harm, and says what it has changed.
 * Calls that are in progress go on. */
#include "fcgi/announce.h"
#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

struct order {
	const char *kind; /* of the control row */
	const char *message;
};

struct obeyed {
	uint64_t control_id; /* 0: there was nothing to change */
	bool is_canceled, is_finished;
};

static bool give(struct app *app, const struct order *order, uint64_t queue_id,
	struct obeyed *obeyed, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)queue_id);
	arg_text(&args, str_of(order->kind));
	bool ok = db_query_as(app->db, app->client.id, SQL_BATCH_ORDER, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok)
		*obeyed = (struct obeyed){
			row_is_null(&rows, 0, 0) ? 0 : (uint64_t)row_i64(&rows, 0, 0),
			row_bool(&rows, 0, 1), row_bool(&rows, 0, 2)};
	rows_free(&rows);
	return ok || not_yours(err);
}

/* Whoever wants a batch to stand still or to go on has to know that it will do neither any more. */
static bool is_possible(const struct order *order, const struct obeyed *obeyed, struct err *err)
{
	if (obeyed->control_id || str_eq(str_of(order->kind), STR("cancel")))
		return true;
	if (obeyed->is_canceled)
		return fail_code(err, ERR_CONFLICT, "batch_over", "this batch has been canceled");
	return !obeyed->is_finished ||
	       fail_code(err, ERR_CONFLICT, "batch_over", "this batch is finished");
}

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
	struct obeyed obeyed;
	uint64_t queue_id;

	if (!own_queue(app, req, req_param_id(req, "batch_id"), false, &queue_id, err) ||
		!give(app, order, queue_id, &obeyed, err) || !is_possible(order, &obeyed, err))
		return false;
	if (obeyed.control_id)
		announce_control(app, obeyed.control_id);
	put_object(sb, NULL);
	put_text(sb, "message", str_of(order->message));
	put_text(sb, "status", STR("success"));
	put_bool(sb, "changed", obeyed.control_id != 0);
	if (!put_batch(app, sb, queue_id, err))
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
