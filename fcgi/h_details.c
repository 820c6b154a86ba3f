/* GET /client-call-details/details: every finished attempt, page by page, or all of them as CSV. */
#include "common/log.h"
#include "fcgi/details.h"
#include "fcgi/put.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

/* ---- one page ---- */

enum { PAGE_ROWS = 100 };

static void put_next(struct strbuf *sb, const struct rows *rows)
{
	struct strbuf text = STRBUF_INIT;
	struct place last = {.started_us = detail_row_started_us(rows, rows->n - 1),
		.id = detail_row_id(rows, rows->n - 1)};

	place_text(&text, &last);
	put_text(sb, "next_cursor", strbuf_view(&text));
	strbuf_free(&text);
}

/* A page that is not full is the last. */
static void put_page(
	struct strbuf *sb, const struct rows *rows, const struct details *details, uint64_t total)
{
	put_object(sb, NULL);
	put_array(sb, "items");
	for (int i = 0; i < rows->n; i++)
		put_detail_row(sb, rows, i);
	put_end(sb, ']');
	page_members(sb, &details->page, total);
	if ((uint64_t)rows->n == details->page.size)
		put_next(sb, rows);
	else
		put_null(sb, "next_cursor");
	put_end(sb, '}');
}

static bool answer_page(
	struct app *app, const struct details *details, struct reply *reply, struct err *err)
{
	struct attempt_id ids[PAGE_ROWS];
	struct rows rows = ROWS_INIT;
	uint64_t total;
	size_t n;

	if (!details_pick(app, details, ids, details->page.size, &n, &total, err) ||
		!detail_rows_load(app, ids, n, &rows, err))
		return false;
	put_page(&reply->body, &rows, details, total);
	rows_free(&rows);
	return true;
}

/* ---- all of them ---- */

/* So many are in memory at a time; each piece is a transaction of its own, and begins where the last one
 * ended. */
enum { PIECE_ROWS = 2000, BUSY_RETRY_S = 5 };

struct csv {
	struct details *details;
	struct attempt_id ids[PIECE_ROWS];
};

static bool next_piece(
	struct app *app, void *arg, struct strbuf *piece, bool *more, struct err *err)
{
	struct csv *csv = arg;
	struct rows rows = ROWS_INIT;
	size_t n;

	if (!details_pick(app, csv->details, csv->ids, PIECE_ROWS, &n, NULL, err) ||
		!detail_rows_load(app, csv->ids, n, &rows, err))
		return false;
	for (int i = 0; i < rows.n; i++)
		csv_detail_row(piece, &rows, i);
	*more = n == PIECE_ROWS;
	if (rows.n)
		csv->details->after = (struct place){
			detail_row_started_us(&rows, rows.n - 1), detail_row_id(&rows, rows.n - 1)};
	rows_free(&rows);
	return true;
}

/* What cannot be told to PostgreSQL ends with the connection. */
static void end_export(struct app *app)
{
	struct err err;
	if (!db_query(app->db, SQL_EXPORT_END, NULL, NULL, &err))
		log_warn("export.not_ended", "why=%s", log_q(err.text));
}

static bool busy(const char *why, struct err *err)
{
	(void)fail_code(err, ERR_LIMIT, "too_many_exports", "%s; try again in %d s", why,
		(int)BUSY_RETRY_S);
	err->retry_after_s = BUSY_RETRY_S;
	return false;
}

static bool begin_export(struct app *app, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, app->conf->api_exports_at_once);
	bool ok = db_query(app->db, SQL_EXPORT_BEGIN, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	bool alone = row_bool(&rows, 0, 0), room = row_bool(&rows, 0, 1);
	rows_free(&rows);
	if (alone && room)
		return true;
	end_export(app);
	return busy(alone ? "as many exports as may be are under way"
			  : "another export of yours is under way",
		err);
}

static bool check_no_pages(const struct req *req, struct err *err)
{
	static const char *const names[] = {"page", "size", "cursor"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (req_query(req, names[i]).p)
			return fail(
				err, ERR_INPUT, "format=csv has no pages; leave %s out", names[i]);
	return true;
}

static bool answer_csv(struct app *app, const struct req *req, struct details *details,
	struct reply *reply, struct err *err)
{
	struct csv *csv = arena_alloc(app->arena, sizeof(*csv));
	bool more;

	if (!csv)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	csv->details = details;
	if (!check_no_pages(req, err) || !begin_export(app, err))
		return false;
	csv_detail_names(&reply->body);
	bool ok = record_export(app, req, "details.export", err) &&
		  next_piece(app, csv, &reply->body, &more, err);
	if (ok && more)
		reply_more(reply, next_piece, end_export, csv);
	else
		end_export(app);
	if (!ok)
		return false;
	reply->content_type = "text/csv; charset=utf-8";
	reply_header(reply, "Content-Disposition", "attachment; filename=\"calls.csv\"");
	return true;
}

static bool read_format(const struct req *req, bool *csv, struct err *err)
{
	struct str format = req_query(req, "format");

	*csv = format.p && str_eq(format, STR("csv"));
	return *csv || !format.p || str_eq(format, STR("json")) ||
	       fail(err, ERR_INPUT, "format must be json or csv");
}

bool handle_call_details(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct details *details = arena_alloc(app->arena, sizeof(*details));
	bool csv;

	if (!details)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	if (!read_format(req, &csv, err) || !details_read(app, req, details, err))
		return false;
	return csv ? answer_csv(app, req, details, reply, err)
		   : answer_page(app, details, reply, err);
}
