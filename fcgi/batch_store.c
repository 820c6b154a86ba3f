/* Storing batches, whole or not at all: see batch.h. */
#include <inttypes.h>

#include "fcgi/announce.h"
#include "fcgi/batch.h"
#include "registry/dnc.h"
#include "registry/entry_copy.h"
#include "sql/db.h"

#include "common/base.h"

_Static_assert((int)BATCHES_MAX <= (int)DB_ACTS_MAX, "each batch may be another client's");

/* ---- the batches of one client ---- */

/* Columns of batches_open and batch_append. */
enum column {
	CHUNK_ID,
	CHUNK_ENTRIES,
	CHUNK_QUEUE_MASTER,
	CHUNK_QUEUE_BATCH,
	CHUNK_OF,
	CHUNK_NUMBER,
	CHUNK_LISTS
};

struct group {
	const struct batch *const *batches;
	struct batch_receipt *receipts;
	size_t n;
	struct sql_args args;
	struct rows rows; /* their chunks */
};

typedef void column_fn(struct sql_array *array, const struct batch *batch);

static void put_batch_id(struct sql_array *array, const struct batch *batch)
{
	array_i64(array, (int64_t)batch->head.batch_id);
}

static void put_content(struct sql_array *array, const struct batch *batch)
{
	array_bytes(array, &batch->head.content, sizeof(batch->head.content));
}

static void put_entries(struct sql_array *array, const struct batch *batch)
{
	array_i64(array, (int64_t)batch->n);
}

static void put_rejected(struct sql_array *array, const struct batch *batch)
{
	array_text(array, strbuf_view(&batch->rejected));
}

static void put_rejected_n(struct sql_array *array, const struct batch *batch)
{
	array_i64(array, (int64_t)batch->rejected_n);
}

static void put_settings(struct sql_array *array, const struct batch *batch)
{
	array_text(array, batch->head.settings_json);
}

/* The parameters of batches_open behind the client. */
static const struct {
	uint32_t type;
	column_fn *put;
} columns[] = {
	{INT8OID, put_batch_id},
	{BYTEAOID, put_content},
	{INT8OID, put_entries},
	{TEXTOID, put_rejected},
	{INT8OID, put_rejected_n},
	{TEXTOID, put_settings},
};

static void group_to_args(struct group *group)
{
	const struct shm_client *client = group->batches[0]->client;

	arg_i64(&group->args, (int64_t)client->id);
	for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
		struct sql_array array = arg_array(&group->args, columns[c].type);
		for (size_t i = 0; i < group->n; i++)
			columns[c].put(&array, group->batches[i]);
		array_end(&array);
	}
	arg_bool(&group->args, client->auto_dispatch);
	arg_text(&group->args, str_of(client->timezone));
}

static void append_to_args(struct group *group)
{
	const struct batch *batch = group->batches[0];

	arg_i64(&group->args, (int64_t)batch->client->id);
	arg_i64(&group->args, (int64_t)batch->head.batch_id);
	arg_bytes(&group->args, &batch->head.content, sizeof(batch->head.content));
	arg_i64(&group->args, (int64_t)batch->n);
	arg_text(&group->args, strbuf_view(&batch->rejected));
	arg_i64(&group->args, (int64_t)batch->head.queue_id);
	arg_i64(&group->args, (int64_t)batch->rejected_n);
	arg_text_or_null(&group->args, batch->head.settings.did);
}

/* ---- queue masters and chunks, then the entries, in one transaction ---- */

/* Where the entries of a chunk come from. */
struct origin {
	const struct batch *batch;
	uint64_t queue_batch_id; /* the queue's, which that of the batch may have been added to */
};

struct transaction {
	struct group groups[BATCHES_MAX];
	size_t groups_n;
	struct entry_chunk *chunks;
	struct origin *origins; /* of each */
	size_t chunks_n;
};

static void begin_groups(struct transaction *t, const struct batch *const *batches, size_t n,
	struct batch_receipt *receipts)
{
	t->groups_n = 0;
	for (size_t i = 0; i < n; i++) {
		receipts[i] = (struct batch_receipt){.queue_master_id = 0};
		if (i == 0 || batches[i]->client->id != batches[i - 1]->client->id)
			t->groups[t->groups_n++] = (struct group){
				&batches[i], &receipts[i], 0, SQL_ARGS_INIT, ROWS_INIT};
		t->groups[t->groups_n - 1].n++;
	}
}

static void end_groups(struct transaction *t)
{
	for (size_t i = 0; i < t->groups_n; i++) {
		rows_free(&t->groups[i].rows);
		args_free(&t->groups[i].args);
	}
}

static bool open_groups(struct app *app, struct transaction *t, bool appends, struct err *err)
{
	struct db_act acts[BATCHES_MAX];

	for (size_t i = 0; i < t->groups_n; i++) {
		struct group *group = &t->groups[i];
		if (appends)
			append_to_args(group);
		else
			group_to_args(group);
		acts[i] = (struct db_act){group->batches[0]->client->id,
			appends ? SQL_BATCH_APPEND : SQL_BATCHES_OPEN, &group->args, &group->rows};
	}
	return db_begin_acts(app->db, acts, t->groups_n, err);
}

static void take_chunk(
	const struct group *group, int row, struct entry_chunk *chunk, struct origin *origin)
{
	const struct rows *rows = &group->rows;
	size_t of = (size_t)row_i64(rows, row, CHUNK_OF) - 1;
	const struct batch *batch = group->batches[of];
	uint64_t queue_master_id = (uint64_t)row_i64(rows, row, CHUNK_QUEUE_MASTER);

	group->receipts[of] = (struct batch_receipt){.queue_master_id = queue_master_id,
		.inserted = batch->n,
		.rejected = strbuf_view(&batch->rejected)};
	*origin = (struct origin){batch, (uint64_t)row_i64(rows, row, CHUNK_QUEUE_BATCH)};
	*chunk = (struct entry_chunk){.id = (uint64_t)row_i64(rows, row, CHUNK_ID),
		.client_id = batch->client->id,
		.queue_master_id = queue_master_id,
		.entries = (uint32_t)row_i64(rows, row, CHUNK_ENTRIES),
		.rows = &batch
			->rows[(size_t)row_i64(rows, row, CHUNK_NUMBER) * BATCH_CHUNK_ENTRIES]};
}

static bool take_chunks(struct app *app, struct transaction *t, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < t->groups_n; i++)
		n += (size_t)t->groups[i].rows.n;
	t->chunks = arena_alloc(app->arena, n * sizeof(*t->chunks));
	t->origins = arena_alloc(app->arena, n * sizeof(*t->origins));
	if (!t->chunks || !t->origins)
		return fail(err, ERR_TOO_LARGE,
			"the batch needs more memory than one request may take; send it in parts");
	t->chunks_n = 0;
	for (size_t i = 0; i < t->groups_n; i++)
		for (int row = 0; row < t->groups[i].rows.n; row++, t->chunks_n++)
			take_chunk(&t->groups[i], row, &t->chunks[t->chunks_n],
				&t->origins[t->chunks_n]);
	return true;
}

/* ---- numbers that must not be called ---- */

/* Nearly always nobody has a list, and the copy ends the transaction. */
static bool any_lists(const struct transaction *t)
{
	for (size_t i = 0; i < t->groups_n; i++)
		if (t->groups[i].rows.n && row_bool(&t->groups[i].rows, 0, CHUNK_LISTS))
			return true;
	return false;
}

static void note_suppressed(void *arg, uint64_t batch_id, uint64_t n)
{
	const struct group *group = arg;

	for (size_t i = 0; i < group->n; i++)
		if (group->batches[i]->head.batch_id == batch_id)
			group->receipts[i].suppressed = n;
}

static bool end_listed_of(
	struct app *app, struct transaction *t, struct group *group, struct err *err)
{
	struct dnc_chunk *chunks =
		arena_alloc(app->arena, (size_t)MAX(group->rows.n, 1) * sizeof(*chunks));
	uint64_t client_id = group->batches[0]->client->id;
	size_t n = 0;

	if (!chunks)
		return fail(err, ERR_TOO_LARGE, "the batch needs too much memory");
	for (size_t i = 0; i < t->chunks_n; i++)
		if (t->origins[i].batch->client->id == client_id)
			chunks[n++] = (struct dnc_chunk){
				t->chunks[i].id, t->origins[i].batch->head.batch_id};
	return n == 0 || (db_as(app->db, client_id, err) && dnc_end(app->db, client_id, chunks, n,
								    note_suppressed, group, err));
}

static bool end_listed(struct app *app, struct transaction *t, struct err *err)
{
	for (size_t i = 0; i < t->groups_n; i++)
		if (!end_listed_of(app, t, &t->groups[i], err))
			return false;
	return db_commit(app->db, err);
}

static void announce(struct app *app, const struct transaction *t)
{
	for (size_t i = 0; i < t->chunks_n; i++) {
		const struct entry_chunk *chunk = &t->chunks[i];
		const struct origin *origin = &t->origins[i];
		if (origin->batch->client->auto_dispatch && !origin->batch->head.queue_id)
			announce_chunk(app,
				&(struct announced_chunk){.id = chunk->id,
					.client_id = chunk->client_id,
					.queue_master_id = chunk->queue_master_id,
					.batch_id = origin->queue_batch_id,
					.has_settings = origin->batch->head.settings_json.p != NULL,
					.entries = chunk->entries,
					.first = chunk->rows});
	}
}

static bool store(struct app *app, const struct batch *const *batches, size_t n, bool appends,
	struct batch_receipt *receipts, struct err *err)
{
	struct transaction t;

	begin_groups(&t, batches, n, receipts);
	bool ok = open_groups(app, &t, appends, err) && take_chunks(app, &t, err) &&
		  entry_copy(app->db, t.chunks, t.chunks_n, !any_lists(&t), err) &&
		  (!any_lists(&t) || end_listed(app, &t, err));
	if (ok) {
		announce(app, &t);
	} else {
		db_rollback(app->db);
		store_refused(err);
	}
	end_groups(&t);
	return ok;
}

bool batches_store(struct app *app, const struct batch *const *batches, size_t n,
	struct batch_receipt *receipts, struct err *err)
{
	return store(app, batches, n, false, receipts, err);
}

/* ---- one batch, perhaps for the second time ---- */

bool batch_is_over(const struct batch *batch, struct err *err)
{
	return fail_code(err, ERR_CONFLICT, "batch_over",
		"the queue %" PRIu64 " has been canceled; send these entries without it",
		batch->head.queue_id);
}

static bool read_receipt(struct app *app, const struct batch *batch, const struct rows *rows,
	struct batch_receipt *receipt, struct err *err)
{
	enum { ID, CONTENT, INSERTED, REJECTED, SUPPRESSED };
	struct str content = {(const char *)&batch->head.content, sizeof(batch->head.content)};

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
		.suppressed = (uint64_t)row_i64(rows, 0, SUPPRESSED),
		.rejected = str_of(rejected),
		.is_replay = true};
	return true;
}

bool batch_find(struct app *app, const struct batch *batch, struct batch_receipt *receipt,
	bool *found, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	arg_i64(&args, (int64_t)batch->client->id);
	arg_i64(&args, (int64_t)batch->head.batch_id);
	bool ok = db_query_as(app->db, batch->client->id, SQL_BATCH_FIND, &args, &rows, err);
	if (!ok)
		store_refused(err);
	*found = ok && rows.n > 0;
	ok = ok && (!*found || read_receipt(app, batch, &rows, receipt, err));
	rows_free(&rows);
	args_free(&args);
	return ok;
}

/* It was not stored because it is there. */
static bool find_stored(
	struct app *app, const struct batch *batch, struct batch_receipt *receipt, struct err *err)
{
	bool found;
	if (!batch_find(app, batch, receipt, &found, err))
		return false;
	if (!found && batch->head.queue_id)
		return batch_is_over(batch, err);
	return found || fail(err, ERR_BUSY, "the batch is being changed by another request");
}

bool batch_store(
	struct app *app, const struct batch *batch, struct batch_receipt *receipt, struct err *err)
{
	bool appends = batch->head.queue_id != 0;
	return store(app, &batch, 1, appends, receipt, err) &&
	       (receipt->queue_master_id != 0 || find_stored(app, batch, receipt, err));
}

void store_refused(struct err *err)
{
	if (err->kind == ERR_INPUT)
		err->kind = ERR_INTERNAL;
}
