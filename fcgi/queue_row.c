/* Batches: see queue_row.h. */
#include "fcgi/queue_row.h"
#include "fcgi/auth.h"
#include "registry/settings.h"
#include "sql/db.h"

#include "common/base.h"

/* Columns of queue_masters_load; from FINALS on, how many entries ended in each way. */
enum {
	ID,
	BATCH_ID,
	ENTRIES,
	REJECTED,
	CREATED_AT,
	DISPATCHED_AT,
	FINISHED_AT,
	PAUSED_AT,
	CANCELED_AT,
	SETTINGS,
	SETTINGS_VERSION,
	RETRY_WAIT,
	FINALS
};

/* The segment may already show a call whose batch was counted a moment later, or the other way
 * round: nothing is shown twice. */
static void count_open(struct queue_row *out, const struct live *live, bool dispatched,
	uint64_t wait, uint64_t open)
{
	for (size_t i = 0; i < live->n && open > 0; i++) {
		const struct live_call *call = &live->v[i];
		if (call->queue_master_id != out->id || call->state == STATE_queued)
			continue;
		out->counts[call->state]++;
		open--;
	}
	out->counts[STATE_retry_wait] = MIN(wait, open);
	open -= out->counts[STATE_retry_wait];
	out->counts[dispatched ? STATE_queued : STATE_pending] += open;
}

void queue_row_read(
	const struct rows *rows, int row, const struct live *live, struct queue_row *out)
{
	uint64_t open;

	*out = (struct queue_row){.id = (uint64_t)row_i64(rows, row, ID),
		.batch_id = (uint64_t)row_i64(rows, row, BATCH_ID),
		.entries = (uint64_t)row_i64(rows, row, ENTRIES)};
	open = out->entries;
	for (enum state s = STATE_FIRST_FINAL; s < STATE__N; s++) {
		out->counts[s] =
			(uint64_t)row_i64(rows, row, FINALS + (int)(s - STATE_FIRST_FINAL));
		open -= MIN(out->counts[s], open);
	}
	count_open(out, live, !row_is_null(rows, row, DISPATCHED_AT),
		(uint64_t)row_i64(rows, row, RETRY_WAIT), open);
}

static struct str status_of(const struct rows *rows, int row)
{
	if (!row_is_null(rows, row, FINISHED_AT))
		return STR("finished");
	return row_is_null(rows, row, DISPATCHED_AT) ? STR("pending") : STR("active");
}

/* From 1 on, as those of administrators' objects: what an ETag says. */
uint64_t queue_row_version(const struct rows *rows, int row)
{
	return (uint64_t)row_i64(rows, row, SETTINGS_VERSION) + 1;
}

static bool put_settings(struct strbuf *sb, const struct rows *rows, int row, struct err *err)
{
	const char *name;
	json_t *shown, *value;

	if (!settings_shown(row_text(rows, row, SETTINGS), &shown, err))
		return false;
	json_object_foreach (shown, name, value) {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY); /* in the arena */
		if (!text)
			return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
		put_raw(sb, name, str_of(text));
	}
	put_u64(sb, "version", queue_row_version(rows, row));
	return true;
}

bool put_queue_row(struct strbuf *sb, const struct rows *rows, int row, const struct live *live,
	struct err *err)
{
	struct queue_row queue;

	queue_row_read(rows, row, live, &queue);
	put_object(sb, NULL);
	put_u64(sb, "id", queue.id);
	put_u64(sb, "batch_id", queue.batch_id);
	put_text(sb, "status", status_of(rows, row));
	put_u64(sb, "total", queue.entries);
	put_object(sb, "counts");
	for (enum state s = 0; s < STATE__N; s++)
		put_u64(sb, state_name(s).p, queue.counts[s]);
	put_end(sb, '}');
	put_i64(sb, "rejected_count", row_i64(rows, row, REJECTED));
	put_time_ms(sb, "created_at", row_time(rows, row, CREATED_AT));
	put_time_ms(sb, "dispatched_at", row_time(rows, row, DISPATCHED_AT));
	put_time_ms(sb, "finished_at", row_time(rows, row, FINISHED_AT));
	put_time_ms(sb, "paused_at", row_time(rows, row, PAUSED_AT));
	put_time_ms(sb, "canceled_at", row_time(rows, row, CANCELED_AT));
	if (!put_settings(sb, rows, row, err))
		return false;
	put_end(sb, '}');
	return true;
}

bool queue_rows_load(struct app *app, uint64_t client_id, const uint64_t *ids, size_t n,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)client_id);
	struct sql_array array = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&array, (int64_t)ids[i]);
	array_end(&array);
	bool ok = db_query_as(app->db, client_id, SQL_QUEUE_MASTERS_LOAD, &args, rows, err);
	args_free(&args);
	return ok;
}

bool own_queue(struct app *app, const struct req *req, uint64_t number, bool or_id, uint64_t *id,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)req->client->id);
	arg_i64(&args, (int64_t)number);
	arg_bool(&args, or_id);
	bool ok = db_query_as(app->db, req->client->id, SQL_QUEUE_MASTER_FIND, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok)
		*id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok || not_yours(err);
}
