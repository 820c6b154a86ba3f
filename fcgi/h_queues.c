/* GET /clients/queue-masters/{client_id}, GET and PATCH /queues/batches/{batch_id}: the caller's batches, how far they are, and
 * their settings. */
#include <stdio.h>

#include "fcgi/announce.h"
#include "fcgi/auth.h"
#include "fcgi/if_match.h"
#include "fcgi/page.h"
#include "fcgi/period.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "registry/batch.h"
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
	bool ok = true;
	page_begin(&reply->body);
	for (int i = 0; ok && i < rows.n; i++)
		ok = put_queue_row(
			&reply->body, &rows, list.page.descending ? rows.n - 1 - i : i, &live, err);
	page_end(&reply->body, &list.page, picked.total);
	rows_free(&rows);
	return ok;
}

/* With the version of its settings as ETag, for If-Match. */
static bool show(struct app *app, uint64_t id, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;

	if (!live_load(app, app->client.id, &live, err) ||
		!queue_rows_load(app, app->client.id, &id, 1, &rows, err))
		return false;
	bool ok = rows.n == 1 ? put_queue_row(&reply->body, &rows, 0, &live, err) : not_yours(err);
	if (ok)
		reply_header(
			reply, "ETag", "\"%llu\"", (unsigned long long)queue_row_version(&rows, 0));
	rows_free(&rows);
	return ok;
}

bool handle_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	uint64_t id;

	return own_queue(app, req, req_param_id(req, "batch_id"), false, &id, err) &&
	       show(app, id, reply, err);
}

/* What it says of a setting holds from the next call on; calls in progress go on. */
bool handle_change_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct batch_settings settings;
	struct batch_change change = {.client = &app->client};
	char actor[64];
	json_t *body;

	(void)snprintf(actor, sizeof(actor), "client:%s", app->client.accountcode);
	change.actor = actor;
	if (!own_queue(app, req, req_param_id(req, "batch_id"), false, &change.queue_id, err) ||
		!if_match_read(req, &change.expected, err) || !req_json(req, &body, err) ||
		!settings_from_json(body, &settings, err) ||
		!batch_change(app->db, &change, &settings, req->arena, err))
		return false;
	if (change.control_id)
		announce_control(app, change.control_id);
	return show(app, change.queue_id, reply, err);
}
