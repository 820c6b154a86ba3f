/* Storing a batch, whole or not at all: see batch.h. */
#include <inttypes.h>

#include "fcgi/announce.h"
#include "fcgi/batch.h"
#include "fcgi/entry_copy.h"
#include "sql/db.h"

#include "common/base.h"

/* Queue master and chunks, then the entries, in one transaction. No chunks: batch_id is used. */
static bool store(struct app *app, const struct batch *batch, struct rows *chunks, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	bool appends = batch->head.queue_id != 0;
	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)batch->head.batch_id);
	arg_bytes(&args, &batch->head.content, sizeof(batch->head.content));
	arg_i64(&args, (int64_t)batch->n);
	arg_text(&args, strbuf_view(&batch->rejected));
	if (appends)
		arg_i64(&args, (int64_t)batch->head.queue_id);
	else
		arg_bool(&args, app->client.auto_dispatch);
	arg_i64(&args, (int64_t)batch->rejected_n);
	if (!appends)
		arg_text(&args, str_of(app->client.timezone));
	bool ok = db_begin_as(app->db, app->client.id, err) &&
		  db_query(app->db, appends ? SQL_BATCH_APPEND : SQL_BATCH_OPEN, &args, chunks,
			  err) &&
		  entry_copy(app, batch, chunks, err) && db_commit(app->db, err);
	if (!ok)
		db_rollback(app->db);
	args_free(&args);
	return ok;
}

static bool read_receipt(const struct app *app, const struct batch *batch, const struct rows *rows,
	struct batch_receipt *receipt, struct err *err)
{
	enum { ID, CONTENT, INSERTED, REJECTED };
	struct str content = {(const char *)&batch->head.content, sizeof(batch->head.content)};

	if (rows->n == 0 && batch->head.queue_id)
		return fail_code(err, ERR_CONFLICT, "batch_over",
			"the queue %" PRIu64 " has been canceled; send these entries without it",
			batch->head.queue_id);
	if (rows->n == 0)
		return fail(err, ERR_BUSY, "the batch is being changed by another request");
	if (!str_eq(row_bytes(rows, 0, CONTENT), content))
		return fail_code(err, ERR_CONFLICT, "batch_id_used",
			"batch_id %" PRIu64
			" is already used for another batch; send these entries under a new one",
			batch->head.batch_id);
	char *rejected = arena_copy(app->arena, row_text(rows, 0, REJECTED));
	if (!rejected)
		return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
	*receipt = (struct batch_receipt){.queue_master_id = (uint64_t)row_i64(rows, 0, ID),
		.inserted = (uint64_t)row_i64(rows, 0, INSERTED),
		.rejected = str_of(rejected),
		.is_replay = true};
	return true;
}

static bool find_stored(
	struct app *app, const struct batch *batch, struct batch_receipt *receipt, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)batch->head.batch_id);
	bool ok = db_query_as(app->db, app->client.id, SQL_BATCH_FIND, &args, &rows, err) &&
		  read_receipt(app, batch, &rows, receipt, err);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

void store_refused(struct err *err)
{
	if (err->kind == ERR_INPUT)
		err->kind = ERR_INTERNAL;
}

static void announce(struct app *app, const struct batch *batch, const struct rows *chunks)
{
	for (int i = 0; i < chunks->n; i++) {
		struct announced_chunk chunk = {.id = (uint64_t)row_i64(chunks, i, CHUNK_ID),
			.client_id = app->client.id,
			.queue_master_id = (uint64_t)row_i64(chunks, i, CHUNK_QUEUE_MASTER),
			.batch_id = (uint64_t)row_i64(chunks, i, CHUNK_BATCH_ID),
			.entries = (uint32_t)row_i64(chunks, i, CHUNK_ENTRIES),
			.first = &batch->rows[(size_t)i * BATCH_CHUNK_ENTRIES]};
		announce_chunk(app, &chunk);
	}
}

bool batch_store(
	struct app *app, const struct batch *batch, struct batch_receipt *receipt, struct err *err)
{
	struct rows chunks = ROWS_INIT;
	bool ok = store(app, batch, &chunks, err);
	if (ok && chunks.n == 0) {
		ok = find_stored(app, batch, receipt, err);
	} else if (ok) {
		*receipt = (struct batch_receipt){
			.queue_master_id = (uint64_t)row_i64(&chunks, 0, CHUNK_QUEUE_MASTER),
			.inserted = batch->n,
			.rejected = strbuf_view(&batch->rejected)};
		if (app->client.auto_dispatch && !batch->head.queue_id)
			announce(app, batch, &chunks);
	}
	rows_free(&chunks);
	if (!ok)
		store_refused(err);
	return ok;
}
