/* GET /clients/calling-queue-entries/{client_id}/{queue_master_id}: the numbers of a batch, and what
 * has become of each. */
#include "fcgi/auth.h"
#include "fcgi/entry_row.h"
#include "fcgi/number_query.h"
#include "fcgi/page.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

enum { PAGE_ROWS = 100 };

struct list {
	uint64_t queue_id;
	struct page page;
	enum state status; /* STATE__N: any */
	struct number_query number;
};

struct picked {
	uint64_t total;
	uint64_t ids[PAGE_ROWS];
	size_t n;
};

static bool read_list(struct app *app, const struct req *req, struct list *list, struct err *err)
{
	*list = (struct list){.status = STATE__N};
	return own_client_id(req, req_param_id(req, "client_id"), err) &&
	       page_read(req, "id", &list->page, err) &&
	       state_read(req, STATE_pending, &list->status, err) &&
	       number_query_read(req, &list->number, err) &&
	       own_queue(
		       app, req, req_param_id(req, "queue_master_id"), true, &list->queue_id, err);
}

/* How far the batch is, which says how many entries each list has. */
static bool count(struct app *app, const struct list *list, const struct live *live,
	uint64_t *total, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct queue_row queue = {.entries = 0};

	if (!queue_rows_load(app, app->client.id, &list->queue_id, 1, &rows, err))
		return false;
	if (rows.n == 1)
		queue_row_read(&rows, 0, live, &queue);
	rows_free(&rows);
	*total = list->status < STATE__N ? queue.counts[list->status] : queue.entries;
	return true;
}

static void take_ids(const struct rows *rows, int column, struct picked *out)
{
	for (int i = 0; i < rows->n && out->n < PAGE_ROWS; i++)
		if (!row_is_null(rows, i, column))
			out->ids[out->n++] = (uint64_t)row_i64(rows, i, column);
}

/* Without a filter: where the page begins is known, from either end. */
static bool pick(struct app *app, const struct list *list, struct picked *out, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	uint64_t offset = MIN(page_offset(&list->page), out->total);
	uint64_t n = MIN(list->page.size, out->total - offset);

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)list->queue_id);
	arg_i64(&args, (int64_t)n);
	arg_i64(&args, (int64_t)(list->page.descending ? out->total - offset - n : offset));
	bool ok = db_query_as(app->db, app->client.id, SQL_ENTRIES_PICK, &args, &rows, err);
	args_free(&args);
	if (ok)
		take_ids(&rows, 0, out);
	rows_free(&rows);
	return ok;
}

static void add_live(struct sql_args *args, const struct list *list, const struct live *live)
{
	struct sql_array ids = arg_array(args, INT8OID);
	for (size_t i = 0; i < live->n; i++)
		if (live->v[i].queue_master_id == list->queue_id)
			array_i64(&ids, (int64_t)live->v[i].entry_id);
	array_end(&ids);
	struct sql_array states = arg_array(args, TEXTOID);
	for (size_t i = 0; i < live->n; i++)
		if (live->v[i].queue_master_id == list->queue_id)
			array_text(&states, state_name(live->v[i].state));
	array_end(&states);
}

static bool find(struct app *app, const struct list *list, const struct live *live,
	struct picked *out, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	const struct str none = {NULL, 0};

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)list->queue_id);
	arg_text_or_null(&args, list->status < STATE__N ? state_name(list->status) : none);
	arg_text_or_null(&args, list->number.e164);
	arg_text_or_null(&args, list->number.dialled);
	add_live(&args, list, live);
	arg_i64(&args, (int64_t)list->page.size);
	arg_i64(&args, (int64_t)page_offset(&list->page));
	arg_bool(&args, list->page.descending);
	bool ok = db_query_as(app->db, app->client.id, SQL_ENTRIES_FIND, &args, &rows, err);
	args_free(&args);
	if (ok && !row_is_null(&rows, 0, 0))
		out->total = (uint64_t)row_i64(&rows, 0, 0);
	if (ok)
		take_ids(&rows, 1, out);
	rows_free(&rows);
	return ok;
}

static bool pick_page(struct app *app, const struct list *list, const struct live *live,
	struct picked *out, struct err *err)
{
	*out = (struct picked){.n = 0};
	if (!count(app, list, live, &out->total, err))
		return false;
	if (out->total == 0)
		return true; /* nobody need look for what there is none of */
	return list->status < STATE__N || list->number.given.p ? find(app, list, live, out, err)
							       : pick(app, list, out, err);
}

static void put_page(struct app *app, struct strbuf *sb, const struct rows *rows,
	const struct list *list, const struct live *live, uint64_t total)
{
	uint64_t ids[PAGE_ROWS];
	enum gate gates[PAGE_ROWS];
	int n = MIN(rows->n, (int)PAGE_ROWS);

	for (int i = 0; i < n; i++)
		ids[i] = entry_row_id(rows, i);
	live_gates(app, app->client.id, ids, gates, (size_t)n);
	page_begin(sb);
	for (int i = 0; i < n; i++) {
		int row = list->page.descending ? n - 1 - i : i;
		put_object(sb, NULL);
		put_entry_row(app, sb, rows, row, live, gates[row]);
		put_end(sb, '}');
	}
	page_end(sb, &list->page, total);
}

bool handle_queue_entries(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;
	struct list list;
	struct picked picked;

	if (!read_list(app, req, &list, err) || !live_load(app, req->client->id, &live, err) ||
		!pick_page(app, &list, &live, &picked, err) ||
		!entry_rows_load(
			app, req->client->id, picked.ids, picked.n, ENTRY_LAST_ATTEMPT, &rows, err))
		return false;
	put_page(app, &reply->body, &rows, &list, &live, picked.total);
	rows_free(&rows);
	return true;
}
