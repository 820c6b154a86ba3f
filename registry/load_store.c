/* Storing what is loaded: see load_store.h. */
#include "registry/load_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "registry/change.h"
#include "registry/dnc.h"

#include "common/base.h"

/* Rows go when there are LOAD_ROWS of them, or their texts have so many bytes; one row is far smaller than the difference. */
enum { TEXT_BYTES = 3 * 1024 * 1024, ARENA_BYTES = 4 * 1024 * 1024, RETRY_AFTER_S = 5 };

struct stored_chunk {
	int64_t id, entries;
};

void load_store_open(struct load_store *store, struct db *db, const struct load_spec *spec)
{
	*store = (struct load_store){.db = db,
		.spec = spec,
		.arena = arena_new(ARENA_BYTES),
		.rows = calloc(LOAD_ROWS, sizeof(*store->rows)),
		.chunks = STRBUF_INIT,
		.queue_id = spec->queue_id};
	if (!store->rows)
		die("memory.exhausted", "rows=%d", (int)LOAD_ROWS);
}

void load_store_close(struct load_store *store)
{
	db_rollback(store->db);
	arena_free(store->arena);
	strbuf_free(&store->chunks);
	free(store->rows);
	free((void *)(uintptr_t)store->known.p);
	free((void *)(uintptr_t)store->known_rejected.p);
}

/* ---- the beginning ---- */

static struct str keep(struct str text)
{
	char *copy = malloc(text.n + 1);
	if (!copy)
		die("memory.exhausted", "bytes=%zu", text.n);
	if (text.n)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return (struct str){copy, text.n};
}

static bool find_known(struct load_store *store, struct err *err)
{
	enum { ID, CONTENT, INSERTED, REJECTED, SUPPRESSED };
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)store->spec->client->id);
	arg_i64(&args, (int64_t)store->spec->batch_id);
	bool ok = db_query(store->db, SQL_BATCH_FIND, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	if (rows.n) {
		store->known = keep(row_bytes(&rows, 0, CONTENT));
		store->known_id = (uint64_t)row_i64(&rows, 0, ID);
		store->known_inserted = (uint64_t)row_i64(&rows, 0, INSERTED);
		store->known_rejected = keep(row_text(&rows, 0, REJECTED));
		store->known_suppressed = (uint64_t)row_i64(&rows, 0, SUPPRESSED);
	}
	rows_free(&rows);
	return true;
}

static bool busy(const char *why, struct err *err)
{
	(void)fail_code(
		err, ERR_LIMIT, "too_many_loads", "%s; try again in %d s", why, (int)RETRY_AFTER_S);
	err->retry_after_s = RETRY_AFTER_S;
	return false;
}

static bool take_place(struct load_store *store, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)store->spec->client->id);
	arg_i64(&args, store->spec->at_once);
	arg_i64_or_null(&args, (int64_t)store->spec->queue_id, store->spec->queue_id == 0);
	bool ok = db_query(store->db, SQL_LOAD_BEGIN, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	bool alone = row_bool(&rows, 0, 0), room = row_bool(&rows, 0, 1);
	store->queue_id = (uint64_t)row_i64(&rows, 0, 2);
	rows_free(&rows);
	if (!alone)
		return busy("another file of this account is being loaded", err);
	return room || busy("as many files as may be are being loaded", err);
}

bool load_store_begin(struct load_store *store, struct err *err)
{
	return db_begin_as(store->db, store->spec->client->id, err) && take_place(store, err) &&
	       find_known(store, err);
}

/* ---- pieces ---- */

static bool take_ids(
	struct load_store *store, size_t n, struct entry_chunk *chunks, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)n);
	bool ok = db_query(store->db, SQL_LOAD_CHUNKS, &args, &rows, err);
	args_free(&args);
	for (int i = 0; ok && i < rows.n; i++) {
		int64_t id = row_i64(&rows, i, 0);
		size_t first = (size_t)i * BATCH_CHUNK_ENTRIES;
		struct stored_chunk stored = {
			id, (int64_t)MIN(store->n - first, (size_t)BATCH_CHUNK_ENTRIES)};
		strbuf_add(&store->chunks, &stored, sizeof(stored));
		chunks[i] = (struct entry_chunk){(uint64_t)id, store->spec->client->id,
			store->queue_id, (uint32_t)stored.entries, &store->rows[first]};
	}
	rows_free(&rows);
	return ok;
}

/* Everything was checked before: a constraint that refuses it now is our own bug. Always false. */
static bool refused(struct err *err)
{
	if (err->kind == ERR_INPUT)
		err->kind = ERR_INTERNAL;
	return false;
}

static bool flush(struct load_store *store, struct err *err)
{
	struct entry_chunk chunks[LOAD_CHUNKS];
	size_t n = (store->n + BATCH_CHUNK_ENTRIES - 1) / BATCH_CHUNK_ENTRIES;

	if (n == 0)
		return true;
	if (!take_ids(store, n, chunks, err) || !entry_copy(store->db, chunks, n, false, err))
		return refused(err);
	store->stored += store->n;
	store->n = 0;
	arena_reset(store->arena);
	return true;
}

static bool copy_text(struct load_store *store, struct str *text)
{
	if (text->p)
		text->p = arena_copy(store->arena, *text);
	return text->p != NULL;
}

static bool copy_row(struct load_store *store, const struct batch_row *from, struct batch_row *to)
{
	*to = *from;
	return copy_text(store, &to->phone_number) &&
	       (!from->custom_data.p || copy_text(store, &to->custom_data)) &&
	       (!from->did.p || copy_text(store, &to->did));
}

bool load_store_add(struct load_store *store, const struct batch_row *row, struct err *err)
{
	bool is_full = store->n == LOAD_ROWS || arena_used(store->arena) > TEXT_BYTES;

	if (is_full && !flush(store, err))
		return false;
	if (!copy_row(store, row, &store->rows[store->n]))
		return fail(err, ERR_INTERNAL, "a row of a file has no room");
	store->n++;
	return true;
}

/* ---- the end ---- */

static void chunks_to_args(const struct load_store *store, struct sql_args *args)
{
	const struct stored_chunk *chunks = (const void *)store->chunks.p;
	size_t n = store->chunks.n / sizeof(*chunks);
	struct sql_array ids = arg_array(args, INT8OID);

	for (size_t i = 0; i < n; i++)
		array_i64(&ids, chunks[i].id);
	array_end(&ids);
	struct sql_array counts = arg_array(args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&counts, chunks[i].entries);
	array_end(&counts);
}

/* Those of a new batch as one object; of one that is added to another its did, which its chunks keep. */
static void settings_to_args(const struct load_spec *spec, struct sql_args *args)
{
	struct strbuf json = STRBUF_INIT;

	if (spec->queue_id) {
		arg_text_or_null(args, spec->settings.did);
		return;
	}
	if (settings_any(&spec->settings))
		settings_json(&spec->settings, &json);
	arg_text_or_null(args, (struct str){json.p, json.n});
	strbuf_free(&json);
}

static void head_to_args(
	const struct load_store *store, const struct load_head *head, struct sql_args *args)
{
	const struct load_spec *spec = store->spec;

	arg_i64(args, (int64_t)spec->client->id);
	arg_i64(args, (int64_t)spec->batch_id);
	arg_i64(args, (int64_t)store->queue_id);
	arg_bytes(args, head->content.p, head->content.n);
	arg_i64(args, (int64_t)store->stored);
	arg_text(args, head->rejected);
	arg_i64(args, (int64_t)head->rejected_n);
	settings_to_args(spec, args);
	chunks_to_args(store, args);
	if (spec->queue_id)
		return;
	arg_bool(args, spec->client->auto_dispatch);
	arg_text(args, str_of(spec->client->timezone));
}

static bool end(struct load_store *store, const struct load_head *head, uint64_t *control_id,
	bool *has_lists, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	head_to_args(store, head, &args);
	bool ok = db_query(store->db, store->spec->queue_id ? SQL_LOAD_APPEND : SQL_LOAD_END, &args,
		&rows, err);
	args_free(&args);
	if (!ok)
		return refused(err);
	ok = rows.n == 1;
	if (ok) {
		*control_id = (uint64_t)row_i64(&rows, 0, 0);
		*has_lists = row_bool(&rows, 0, 1);
	}
	rows_free(&rows);
	return ok || fail_code(err, ERR_CONFLICT, "batch_over",
			     "batch_id %" PRIu64 " has been used, or the queue that it is added to "
			     "has been canceled, in the meantime",
			     store->spec->batch_id);
}

static void note_suppressed(void *arg, uint64_t batch_id, uint64_t n)
{
	(void)batch_id;
	*(uint64_t *)arg = n;
}

/* What must not be called ends here. */
static bool end_listed(struct load_store *store, uint64_t *suppressed, struct err *err)
{
	const struct stored_chunk *stored = (const void *)store->chunks.p;
	size_t n = store->chunks.n / sizeof(*stored);
	struct dnc_chunk *chunks = calloc(n, sizeof(*chunks));

	if (!chunks)
		die("memory.exhausted", "chunks=%zu", n);
	for (size_t i = 0; i < n; i++)
		chunks[i] = (struct dnc_chunk){(uint64_t)stored[i].id, store->spec->batch_id};
	bool ok = dnc_end(
		store->db, store->spec->client->id, chunks, n, note_suppressed, suppressed, err);
	free(chunks);
	return ok;
}

static bool record(struct load_store *store, struct err *err)
{
	const struct load_spec *spec = store->spec;
	char detail[128];

	if (!spec->actor)
		return true;
	(void)snprintf(detail, sizeof(detail),
		"{\"batch_id\": %" PRIu64 ", \"queue_id\": %" PRIu64 ", \"entries\": %" PRIu64 "}",
		spec->batch_id, store->queue_id, store->stored);
	return change_record(
		store->db, spec->actor, "batch.load", spec->client->accountcode, detail, err);
}

static bool same_again(const struct load_store *store, const struct load_head *head,
	struct load_receipt *receipt, struct err *err)
{
	if (!str_eq(store->known, head->content))
		return fail_code(err, ERR_CONFLICT, "batch_id_used",
			"batch_id %" PRIu64
			" is already used for another batch; send these entries under a new one",
			store->spec->batch_id);
	*receipt = (struct load_receipt){.queue_master_id = store->known_id,
		.inserted = store->known_inserted,
		.suppressed = store->known_suppressed,
		.rejected = store->known_rejected,
		.is_replay = true};
	return true;
}

bool load_store_finish(struct load_store *store, const struct load_head *head,
	struct load_receipt *receipt, struct err *err)
{
	uint64_t control_id, suppressed = 0;
	bool has_lists;

	if (store->known.p)
		return same_again(store, head, receipt, err);
	if (!flush(store, err) || !end(store, head, &control_id, &has_lists, err) ||
		(has_lists && !end_listed(store, &suppressed, err)) || !record(store, err) ||
		!db_commit(store->db, err))
		return false;
	*receipt = (struct load_receipt){.queue_master_id = store->queue_id,
		.inserted = store->stored,
		.suppressed = suppressed,
		.rejected_n = head->rejected_n,
		.rejected = head->rejected,
		.control_id = control_id};
	return true;
}
