/* Details as CSV (RFC 4180), a piece at a time, so that a worker needs no more memory for a million
 * calls than for a thousand: see details.h. Each piece is read from behind the last row of the one
 * before, in a statement of its own; calls that end meanwhile may be in it. */
#include "common/clock.h"
#include "fcgi/details.h"
#include "fcgi/put_plan.h"
#include "registry/call_id.h"
#include "registry/number.h"
#include "sql/db.h"

#include "common/base.h"

enum { PIECE_ROWS = 1000 };

struct export
{
	struct details details;
	int64_t started_us; /* of the last row that was told; INT64_MIN: none yet */
	uint64_t entry_id, attempt;
};

/* ---- cells ---- */

/* In quotes where a reader of CSV needs them. */
static void put_cell(struct strbuf *sb, struct str text)
{
	bool plain = true;
	for (size_t i = 0; i < text.n && plain; i++)
		plain = text.p[i] != ',' && text.p[i] != '"' && text.p[i] != '\r' &&
			text.p[i] != '\n';
	if (plain) {
		strbuf_str(sb, text);
		return;
	}
	strbuf_putc(sb, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"')
			strbuf_putc(sb, '"');
		strbuf_putc(sb, text.p[i]);
	}
	strbuf_putc(sb, '"');
}

typedef void cell_fn(struct strbuf *sb, const struct rows *rows, int row, int column);

static void call_id(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	char text[CALL_ID_BYTES];
	strbuf_str(sb, call_id_text((uint64_t)row_i64(rows, row, column),
			       (uint64_t)row_i64(rows, row, DETAILS_ATTEMPT), text));
}

static void text(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	put_cell(sb, row_text(rows, row, column));
}

static void number(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	if (!row_is_null(rows, row, column))
		strbuf_i64(sb, row_i64(rows, row, column));
}

static void boolean(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	strbuf_puts(sb, row_bool(rows, row, column) ? "true" : "false");
}

static void moment(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	char utc[CLOCK_TEXT_BYTES];
	if (!row_is_null(rows, row, column))
		strbuf_puts(sb, clock_utc_ms(row_time(rows, row, column), utc));
}

static void seconds(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	int64_t ms = row_i64(rows, row, column);
	strbuf_printf(sb, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
}

static void e164(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	struct str digits = row_text(rows, row, column);
	if (digits.n)
		strbuf_putc(sb, '+');
	strbuf_str(sb, digits);
}

static void number_type(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	const char *name = number_type_name((uint32_t)row_i64(rows, row, column));
	if (name)
		strbuf_puts(sb, name);
}

static void status(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	(void)column;
	strbuf_str(sb, details_status(rows, row));
}

static void nothing(struct strbuf *sb, const struct rows *rows, int row, int column)
{
	(void)sb;
	(void)rows;
	(void)row;
	(void)column;
}

/* The members of the JSON form, in its order. */
static const struct cell {
	const char *name;
	cell_fn *put;
	int column;
} cells[] = {
	{"call_id", call_id, DETAILS_ENTRY_ID},
	{"batch_id", number, DETAILS_BATCH_ID},
	{"attempt", number, DETAILS_ATTEMPT},
	{"is_final", boolean, DETAILS_IS_FINAL},
	{"phone_number", text, DETAILS_PHONE_NUMBER},
	{"e164", e164, DETAILS_E164},
	{"number_type", number_type, DETAILS_E164 + 1},
	{"region", text, DETAILS_E164 + 2},
	{"server_code", text, DETAILS_SERVER_CODE},
	{"did", text, DETAILS_DID},
	{"status", status, 0},
	{"disposition", text, DETAILS_DISPOSITION},
	{"hangup_cause", number, DETAILS_HANGUP_CAUSE},
	{"reason", text, DETAILS_REASON},
	{"estimated", boolean, DETAILS_ESTIMATED},
	{"started_at", moment, DETAILS_STARTED_AT},
	{"answered_at", moment, DETAILS_ANSWERED_AT},
	{"ended_at", moment, DETAILS_ENDED_AT},
	{"duration", seconds, DETAILS_DURATION_MS},
	{"billsec", seconds, DETAILS_BILLSEC_MS},
	{"recording_url", nothing, 0},
	{"custom_data", text, DETAILS_CUSTOM_DATA},
};

static void put_head(struct strbuf *sb)
{
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		strbuf_printf(sb, "%s%s", i ? "," : "", cells[i].name);
	strbuf_puts(sb, "\r\n");
}

static void put_row(struct strbuf *sb, const struct rows *rows, int row)
{
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		if (i)
			strbuf_putc(sb, ',');
		cells[i].put(sb, rows, row, cells[i].column);
	}
	strbuf_puts(sb, "\r\n");
}

/* ---- pieces ---- */

static bool query(struct app *app, const struct export *export, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	uint64_t queue_id = export->details.queue_id;

	details_args(&args, app, &export->details);
	arg_i64(&args, PIECE_ROWS);
	arg_time(&args, export->started_us);
	arg_i64(&args, (int64_t)export->entry_id);
	arg_i64(&args, (int64_t)export->attempt);
	if (queue_id)
		arg_i64(&args, (int64_t)queue_id);
	bool ok = db_query_as(app->db, app->client.id,
		queue_id ? SQL_DETAILS_OF_BATCH_AFTER : SQL_DETAILS_AFTER, &args, rows, err);
	args_free(&args);
	return ok;
}

/* Adds the next rows to piece; more: they were as many as one piece has. */
static bool read_piece(
	struct app *app, struct export *export, struct strbuf *piece, bool *more, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!query(app, export, &rows, err))
		return false;
	for (int i = 0; i < rows.n; i++)
		put_row(piece, &rows, i);
	if (rows.n) {
		export->started_us = row_time(&rows, rows.n - 1, DETAILS_STARTED_AT);
		export->entry_id = (uint64_t)row_i64(&rows, rows.n - 1, DETAILS_ENTRY_ID);
		export->attempt = (uint64_t)row_i64(&rows, rows.n - 1, DETAILS_ATTEMPT);
	}
	*more = rows.n == PIECE_ROWS;
	rows_free(&rows);
	return true;
}

static bool next_piece(
	struct app *app, void *arg, struct strbuf *piece, bool *more, struct err *err)
{
	return read_piece(app, arg, piece, more, err);
}

bool details_csv(
	struct app *app, const struct details *details, struct reply *reply, struct err *err)
{
	struct export *export = arena_alloc(app->arena, sizeof(*export));
	bool more;

	if (!export)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	*export = (struct export){.details = *details, .started_us = INT64_MIN};
	put_head(&reply->body);
	if (!read_piece(app, export, &reply->body, &more, err))
		return false;
	reply->content_type = "text/csv; charset=utf-8";
	reply_header(reply, "Content-Disposition", "attachment; filename=\"calls.csv\"");
	if (more)
		reply_more(reply, next_piece, export);
	return true;
}
