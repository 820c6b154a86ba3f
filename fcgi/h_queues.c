/* GET /clients/queue-masters/{client_id} and /queues/batches/{batch_id}: the caller's batches, and
 * how far they are. */
#include "fcgi/auth.h"
#include "fcgi/page.h"
#include "fcgi/period.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

enum { PAGE_ROWS = 100 };

struct list {
	struct page page;
	struct period period; /* in which they came in */
	struct str status;    /* p NULL: any */
};

/* What queue_masters_pick found. */
struct picked {
	uint64_t total;
	uint64_t ids[PAGE_ROWS];
	size_t n;
};

static bool read_status(const struct req *req, struct str *status, struct err *err)
{
	*status = req_query(req, "status");
	return !status->p || str_eq(*status, STR("pending")) || str_eq(*status, STR("active")) ||
	       str_eq(*status, STR("finished")) ||
	       fail(err, ERR_INPUT, "status must be pending, active or finished");
}

static bool read_list(const struct req *req, struct list *list, struct err *err)
{
	return own_client_id(req, req_param_id(req, "client_id"), err) &&
	       page_read(req, "id", &list->page, err) && period_read(req, &list->period, err) &&
	       read_status(req, &list->status, err);
}

static bool pick(struct app *app, const struct list *list, struct picked *out, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_text_or_null(&args, list->period.start);
	arg_text_or_null(&args, list->period.end);
	arg_text(&args, str_of(app->client.timezone));
	arg_text_or_null(&args, list->status);
	arg_i64(&args, (int64_t)list->page.size);
	arg_i64(&args, (int64_t)page_offset(&list->page));
	arg_bool(&args, list->page.descending);
	bool ok = db_query_as(app->db, app->client.id, SQL_QUEUE_MASTERS_PICK, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*out = (struct picked){.total = (uint64_t)row_i64(&rows, 0, 0)};
	for (int i = 0; i < rows.n && out->n < PAGE_ROWS; i++)
		if (!row_is_null(&rows, i, 1))
			out->ids[out->n++] = (uint64_t)row_i64(&rows, i, 1);
	rows_free(&rows);
	return true;
}

bool handle_queue_masters(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;
	struct list list;
	struct picked picked;

	if (!read_list(req, &list, err) || !pick(app, &list, &picked, err) ||
		!live_load(app, req->client->id, &live, err) ||
		!queue_rows_load(app, req->client->id, picked.ids, picked.n, &rows, err))
		return false;
	page_begin(&reply->body);
	for (int i = 0; i < rows.n; i++)
		put_queue_row(
			&reply->body, &rows, list.page.descending ? rows.n - 1 - i : i, &live);
	page_end(&reply->body, &list.page, picked.total);
	rows_free(&rows);
	return true;
}

bool handle_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;
	uint64_t id;

	if (!own_queue(app, req, req_param_id(req, "batch_id"), false, &id, err) ||
		!live_load(app, req->client->id, &live, err) ||
		!queue_rows_load(app, req->client->id, &id, 1, &rows, err))
		return false;
	bool there = rows.n == 1;
	if (there)
		put_queue_row(&reply->body, &rows, 0, &live);
	rows_free(&rows);
	return there || not_yours(err);
}
