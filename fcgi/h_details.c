/* GET /client-call-details/details: every finished attempt, page by page, or all of them as CSV or NDJSON. */
#include "fcgi/details.h"
#include "fcgi/export.h"
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
enum { PIECE_ROWS = 2000 };

static const struct format {
	const char *name, *content_type, *file;
} formats[] = {
	{"json", REPLY_JSON, NULL},
	{"csv", "text/csv; charset=utf-8", "calls.csv"},
	{"ndjson", "application/x-ndjson", "calls.ndjson"},
};
enum { AS_JSON, AS_CSV, AS_NDJSON };

struct export
{
	struct details *details;
	const struct format *format;
	enum csv_for whom;
	struct attempt_id ids[PIECE_ROWS];
};

static void export_row(
	const struct export *export, struct strbuf *piece, const struct rows *rows, int row)
{
	if (export->format == &formats[AS_CSV]) {
		csv_detail_row(piece, rows, row, export->whom);
		return;
	}
	put_detail_row(piece, rows, row);
	strbuf_putc(piece, '\n');
}

static bool next_piece(
	struct app *app, void *arg, struct strbuf *piece, bool *more, struct err *err)
{
	struct export *export = arg;
	struct rows rows = ROWS_INIT;
	size_t n;

	if (!details_pick(app, export->details, export->ids, PIECE_ROWS, &n, NULL, err) ||
		!detail_rows_load(app, export->ids, n, &rows, err))
		return false;
	for (int i = 0; i < rows.n; i++)
		export_row(export, piece, &rows, i);
	*more = n == PIECE_ROWS;
	if (rows.n)
		export->details->after = (struct place){
			detail_row_started_us(&rows, rows.n - 1), detail_row_id(&rows, rows.n - 1)};
	rows_free(&rows);
	return true;
}

static bool check_no_pages(const struct req *req, const struct format *format, struct err *err)
{
	static const char *const names[] = {"page", "size", "cursor"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (req_query(req, names[i]).p)
			return fail(err, ERR_INPUT, "format=%s has no pages; leave %s out",
				format->name, names[i]);
	return true;
}

static bool answer_export(struct app *app, const struct req *req, struct details *details,
	const struct format *format, struct reply *reply, struct err *err)
{
	struct export *export = arena_alloc(app->arena, sizeof(*export));
	bool more, for_spreadsheets = false;

	if (!export)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	if (!check_no_pages(req, format, err) ||
		!req_query_bool(req, "spreadsheet", &for_spreadsheets, err) ||
		!export_begin(app, err))
		return false;
	export->details = details;
	export->format = format;
	export->whom = for_spreadsheets ? CSV_FOR_SPREADSHEETS : CSV_FOR_PROGRAMS;
	if (format == &formats[AS_CSV])
		csv_detail_names(&reply->body);
	bool ok = record_export(app, req, "details.export", err) &&
		  next_piece(app, export, &reply->body, &more, err);
	if (ok && more)
		reply_more(reply, next_piece, export_end, export);
	else
		export_end(app);
	if (!ok)
		return false;
	reply->content_type = format->content_type;
	reply_header(reply, "Content-Disposition", "attachment; filename=\"%s\"", format->file);
	return true;
}

static bool read_format(const struct req *req, const struct format **format, struct err *err)
{
	struct str name = req_query(req, "format");

	*format = &formats[AS_JSON];
	if (!name.p)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (str_eq(name, str_of(formats[i].name))) {
			*format = &formats[i];
			return true;
		}
	return fail(err, ERR_INPUT, "format must be json, csv or ndjson");
}

bool handle_call_details(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct details *details = arena_alloc(app->arena, sizeof(*details));
	const struct format *format;

	if (!details)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	if (!read_format(req, &format, err) || !details_read(app, req, details, err))
		return false;
	return format == &formats[AS_JSON] ? answer_page(app, details, reply, err)
					   : answer_export(app, req, details, format, reply, err);
}
