/* GET /queues/batches/{batch_id}/entries: all entries of a batch, or those in one state, as CSV or NDJSON. */
#include "fcgi/auth.h"
#include "fcgi/entry_row.h"
#include "fcgi/export.h"
#include "fcgi/queue_row.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

/* So many are in memory at a time; each piece is a transaction of its own, and begins where the last one ended. */
enum { PIECE_CHUNKS = 2, PIECE_ROWS = PIECE_CHUNKS * 1024 };

struct export
{
	uint64_t queue_id, after_chunk;
	enum state status; /* STATE__N: any */
	bool is_csv;
	enum csv_for whom;
	struct live live; /* as it was when it began */
	uint64_t ids[PIECE_ROWS];
	enum gate gates[PIECE_ROWS];
};

static void add_live(struct sql_args *args, const struct export *export)
{
	struct sql_array ids = arg_array(args, INT8OID);
	for (size_t i = 0; i < export->live.n; i++)
		array_i64(&ids, (int64_t)export->live.v[i].entry_id);
	array_end(&ids);
	struct sql_array states = arg_array(args, TEXTOID);
	for (size_t i = 0; i < export->live.n; i++)
		array_text(&states, state_name(export->live.v[i].state));
	array_end(&states);
}

/* The entries of the next chunks; *more: there were chunks. */
static bool pick(struct app *app, struct export *export, size_t *n, bool *more, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	const struct str none = {NULL, 0};

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)export->queue_id);
	arg_i64(&args, (int64_t)export->after_chunk);
	arg_i64(&args, PIECE_CHUNKS);
	arg_text_or_null(&args, export->status < STATE__N ? state_name(export->status) : none);
	add_live(&args, export);
	bool ok = db_query_as(app->db, app->client.id, SQL_ENTRIES_EXPORT, &args, &rows, err);
	args_free(&args);
	*n = 0;
	*more = ok && !row_is_null(&rows, 0, 0);
	if (*more)
		export->after_chunk = (uint64_t)row_i64(&rows, 0, 0);
	for (int i = 0; ok && i < rows.n && *n < PIECE_ROWS; i++)
		if (!row_is_null(&rows, i, 1))
			export->ids[(*n)++] = (uint64_t)row_i64(&rows, i, 1);
	rows_free(&rows);
	return ok;
}

static void put_rows(
	struct app *app, struct export *export, const struct rows *rows, struct strbuf *piece)
{
	for (int i = 0; i < rows->n; i++)
		export->ids[i] = entry_row_id(rows, i);
	live_gates(app, app->client.id, export->ids, export->gates, (size_t)rows->n);
	for (int i = 0; i < rows->n; i++) {
		if (export->is_csv) {
			csv_entry_row(
				piece, rows, i, &export->live, export->gates[i], export->whom);
			continue;
		}
		put_object(piece, NULL);
		put_entry_row(app, piece, rows, i, &export->live, export->gates[i]);
		put_end(piece, '}');
		strbuf_putc(piece, '\n');
	}
}

static bool next_piece(
	struct app *app, void *arg, struct strbuf *piece, bool *more, struct err *err)
{
	struct export *export = arg;
	struct rows rows = ROWS_INIT;
	size_t n;

	do {
		if (!pick(app, export, &n, more, err))
			return false;
	} while (n == 0 && *more);
	bool ok = n == 0 || entry_rows_load(app, app->client.id, export->ids, n, ENTRY_LAST_ATTEMPT,
				    &rows, err);
	if (ok)
		put_rows(app, export, &rows, piece);
	rows_free(&rows);
	return ok;
}

static bool read_export(
	struct app *app, const struct req *req, struct export *export, struct err *err)
{
	struct str format = req_query(req, "format");
	bool for_spreadsheets = false;

	export->status = STATE__N;
	export->is_csv = !format.p || str_eq(format, STR("csv"));
	if (!export->is_csv && !str_eq(format, STR("ndjson")))
		return fail(err, ERR_INPUT, "format must be csv or ndjson");
	if (!req_query_bool(req, "spreadsheet", &for_spreadsheets, err) ||
		!state_read(req, STATE_pending, &export->status, err))
		return false;
	export->whom = for_spreadsheets ? CSV_FOR_SPREADSHEETS : CSV_FOR_PROGRAMS;
	return own_queue(app, req, req_param_id(req, "batch_id"), false, &export->queue_id, err);
}

bool handle_export_entries(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct export *export = arena_alloc(app->arena, sizeof(*export));
	bool more;

	if (!export)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	*export = (struct export){.after_chunk = 0};
	if (!read_export(app, req, export, err) ||
		!live_load(app, app->client.id, &export->live, err) || !export_begin(app, err))
		return false;
	if (export->is_csv)
		csv_entry_names(&reply->body);
	bool ok = record_export(app, req, "entries.export", err) &&
		  next_piece(app, export, &reply->body, &more, err);
	if (ok && more)
		reply_more(reply, next_piece, export_end, export);
	else
		export_end(app);
	if (!ok)
		return false;
	reply->content_type = export->is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson";
	reply_header(reply, "Content-Disposition", "attachment; filename=\"entries.%s\"",
		export->is_csv ? "csv" : "ndjson");
	return true;
}
