/* Which finished attempts: see details.h. */
#include "fcgi/details.h"

#include <inttypes.h>

#include "fcgi/auth.h"
#include "fcgi/queue_row.h"
#include "registry/batch_scan.h"
#include "sql/db.h"

#include "common/base.h"

/* ---- what is asked ---- */

static bool read_batch(
	struct app *app, const struct req *req, struct details *details, struct err *err)
{
	uint64_t batch_id = 0;
	return req_query_u64(req, "batch_id", 1, BATCH_ID_MAX, &batch_id, err) &&
	       (batch_id == 0 || own_queue(app, req, batch_id, false, &details->queue_id, err));
}

static bool place_read(struct str text, struct place *place)
{
	struct str started, entry;
	uint64_t us, n;

	return str_split(&text, '.', &started) && str_split(&text, '.', &entry) &&
	       str_to_u64(started, 0, INT64_MAX / 2, &us) &&
	       str_to_u64(entry, 0, INT64_MAX, &place->id.entry_id) &&
	       str_to_u64(text, 0, UINT8_MAX, &n) &&
	       (place->started_us = (int64_t)us, place->id.n = n, true);
}

static bool read_cursor(const struct req *req, struct place *after, struct err *err)
{
	struct str cursor = req_query(req, "cursor");

	*after = (struct place){.started_us = INT64_MIN};
	if (!cursor.p)
		return true;
	if (req_query(req, "page").p)
		return fail(err, ERR_INPUT, "send page or cursor, not both");
	return place_read(cursor, after) ||
	       fail(err, ERR_INPUT, "cursor must be the next_cursor of an answer");
}

bool details_read(struct app *app, const struct req *req, struct details *details, struct err *err)
{
	*details = (struct details){.status = STATE__N};
	return own_accountcode(req, req_query(req, "accountcode"), err) &&
	       period_read(req, &details->period, err) &&
	       state_read(req, STATE_FIRST_FINAL, &details->status, err) &&
	       number_query_read(req, &details->number, err) &&
	       page_read(req, "started_at", &details->page, err) &&
	       read_cursor(req, &details->after, err) && read_batch(app, req, details, err);
}

void place_text(struct strbuf *sb, const struct place *place)
{
	strbuf_printf(sb, "%" PRId64 ".%" PRIu64 ".%" PRIu64, place->started_us, place->id.entry_id,
		place->id.n);
}

/* ---- picking ---- */

static struct str status_text(const struct details *details)
{
	return details->status < STATE__N ? state_name(details->status) : (struct str){NULL, 0};
}

static bool count(struct app *app, const struct details *details, uint64_t *total, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_text_or_null(&args, details->period.start);
	arg_text_or_null(&args, details->period.end);
	arg_text_or_null(&args, status_text(details));
	bool ok = db_query_as(app->db, app->client.id, SQL_DETAILS_TOTAL, &args, &rows, err);
	args_free(&args);
	if (ok)
		*total = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok;
}

/* The parameters that both statements take. */
static void add_common(
	struct app *app, const struct details *details, size_t most, struct sql_args *args)
{
	const struct place *after = &details->after;

	arg_i64(args, (int64_t)app->client.id);
	arg_text_or_null(args, details->period.start);
	arg_text_or_null(args, details->period.end);
	arg_text(args, str_of(app->client.timezone));
	arg_text_or_null(args, status_text(details));
	arg_i64(args, (int64_t)most);
	arg_i64(args, (int64_t)page_offset(&details->page));
	arg_bool(args, details->page.descending);
	arg_time(args, after->started_us);
	arg_i64(args, (int64_t)after->id.entry_id);
	arg_i64(args, (int64_t)after->id.n);
}

static void take(const struct rows *rows, int first, struct attempt_id *ids, size_t *n)
{
	*n = 0;
	for (int i = 0; i < rows->n; i++)
		if (!row_is_null(rows, i, first))
			ids[(*n)++] = (struct attempt_id){(uint64_t)row_i64(rows, i, first),
				(uint64_t)row_i64(rows, i, first + 1)};
}

bool details_pick(struct app *app, const struct details *details, struct attempt_id *ids,
	size_t most, size_t *n, uint64_t *total, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	bool some = details->queue_id || details->number.given.p;

	if (!some && total && !count(app, details, total, err))
		return false;
	*n = 0;
	if (!some && total && *total == 0)
		return true; /* nobody need look for what there is none of */
	add_common(app, details, most, &args);
	if (some) {
		arg_i64_or_null(&args, (int64_t)details->queue_id, details->queue_id == 0);
		arg_text_or_null(&args, details->number.e164);
		arg_text_or_null(&args, details->number.dialled);
	}
	bool ok = db_query_as(app->db, app->client.id,
		some ? SQL_DETAILS_PICK_SOME : SQL_DETAILS_PICK, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	take(&rows, some ? 1 : 0, ids, n);
	if (some && total)
		*total = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return true;
}
