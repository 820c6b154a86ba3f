/* Batches: see batch.h. */
#include "registry/batch.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "registry/change.h"
#include "registry/context_allowed.h"
#include "registry/noun_json.h"
#include "registry/shown.h"

#include "common/base.h"

/* Asked before the transaction, which it would end. */
static bool may_have(struct db *db, const struct batch_change *change,
	const struct batch_settings *settings, struct arena *arena, struct err *err)
{
	struct shown shown = {.db = db, .arena = arena, .client_id = change->client->id};
	bool may;

	if (!context_allowed(db, change->client->id, settings, err))
		return false;
	if (settings->did.n == 0)
		return true;
	return shown_find(&shown, settings->did, &may, err) && (may || shown_denied(err, "did"));
}

static bool run(struct db *db, enum sql_query query, const struct batch_change *change,
	struct str settings, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)change->client->id);
	arg_i64(&args, (int64_t)change->queue_id);
	if (settings.p)
		arg_text(&args, settings);
	bool ok = db_query(db, query, &args, rows, err);
	args_free(&args);
	return ok;
}

/* Nobody else changes it from here to the end. before: as settings_shown has it. */
static bool hold(struct db *db, const struct batch_change *change, uint64_t *batch_id,
	json_t **before, struct err *err)
{
	enum { VERSION, SETTINGS, IS_CANCELED, BATCH_ID };
	struct rows rows = ROWS_INIT;

	if (!run(db, SQL_BATCH_SETTINGS_HOLD, change, (struct str){NULL, 0}, &rows, err))
		return false;
	bool ok = rows.n == 1 || fail(err, ERR_MISSING, "there is no such batch");
	uint64_t version = ok ? (uint64_t)row_i64(&rows, 0, VERSION) + 1 : 0;
	if (ok && change->expected && change->expected != version)
		ok = fail(err, ERR_STALE,
			"somebody else has changed this batch: it is version %" PRIu64
			" now, and you have read version %" PRIu64 "; read it again",
			version, change->expected);
	if (ok && row_bool(&rows, 0, IS_CANCELED))
		ok = fail_code(err, ERR_CONFLICT, "batch_over", "this batch has been canceled");
	*batch_id = ok ? (uint64_t)row_i64(&rows, 0, BATCH_ID) : 0;
	ok = ok && settings_shown(row_text(&rows, 0, SETTINGS), before, err);
	rows_free(&rows);
	return ok;
}

static json_t *difference(json_t *before, json_t *after)
{
	json_t *changes = json_object(), *now;
	const char *name;

	json_object_foreach (after, name, now) {
		json_t *was = json_object_get(before, name);
		if (!json_equal(was, now))
			json_object_set_new(
				changes, name, json_pack("{s:O, s:O}", "from", was, "to", now));
	}
	return changes;
}

/* Names of what is different, and of limits what they were and are: texts may be somebody's. */
static char *audited(uint64_t batch_id, json_t *changes)
{
	json_t *names = json_array(), *values = json_object(), *change;
	const char *name;

	json_object_foreach (changes, name, change) {
		bool is_text = json_is_string(json_object_get(change, "from")) ||
			       json_is_string(json_object_get(change, "to"));
		json_array_append_new(names, json_string(name));
		if (!is_text)
			json_object_set(values, name, change);
	}
	json_t *detail = json_pack("{s:I, s:o, s:o}", "batch_id", (json_int_t)batch_id, "changed",
		names, "values", values);
	char *text = json_dumps(detail, JSON_COMPACT);
	json_decref(detail);
	return text;
}

static bool record(
	struct db *db, const struct batch_change *change, uint64_t batch_id, struct err *err)
{
	char *text = audited(batch_id, change->changes);
	bool ok = text ? change_record(db, change->actor, "batch.change",
				 change->client->accountcode, text, err)
		       : fail(err, ERR_INTERNAL, "no memory for the audit");
	/* jansson's memory is an arena's in the API: its own way to give back. */
	json_malloc_t take;
	json_free_t give_back;
	json_get_alloc_funcs(&take, &give_back);
	give_back(text);
	return ok;
}

static bool change_settings(struct db *db, struct batch_change *change,
	const struct batch_settings *settings, uint64_t batch_id, json_t *before, struct err *err)
{
	enum { VERSION, SETTINGS, CONTROL };
	struct strbuf json = STRBUF_INIT;
	struct rows rows = ROWS_INIT;
	json_t *after = NULL;

	settings_json(settings, &json);
	bool ok = run(db, SQL_BATCH_SETTINGS_SET, change, strbuf_view(&json), &rows, err) &&
		  settings_shown(row_text(&rows, 0, SETTINGS), &after, err);
	if (ok) {
		change->version = (uint64_t)row_i64(&rows, 0, VERSION) + 1;
		change->control_id = (uint64_t)row_i64(&rows, 0, CONTROL);
	}
	if (ok)
		change->changes = difference(before, after);
	ok = ok && record(db, change, batch_id, err);
	json_decref(after);
	rows_free(&rows);
	strbuf_free(&json);
	return ok;
}

bool batch_change(struct db *db, struct batch_change *change, const struct batch_settings *settings,
	struct arena *arena, struct err *err)
{
	json_t *before = NULL;
	uint64_t batch_id;

	if (!settings_check(settings, err) || !may_have(db, change, settings, arena, err) ||
		!db_ready(db, err) || !db_begin_as(db, change->client->id, err))
		return false;
	bool ok = hold(db, change, &batch_id, &before, err) &&
		  change_settings(db, change, settings, batch_id, before, err) &&
		  db_commit(db, err);
	if (!ok) {
		db_rollback(db);
		json_decref(change->changes);
		change->changes = NULL;
	}
	json_decref(before);
	return ok;
}

/* ---- orders ---- */

/* Whoever wants a batch to stand still or to go on has to know that it will do neither any more. */
static bool is_possible(const struct batch_order *order, const struct rows *rows, struct err *err)
{
	enum { CONTROL, IS_CANCELED, IS_FINISHED };
	if (order->control_id || str_eq(str_of(order->kind), STR("cancel")))
		return true;
	if (row_bool(rows, 0, IS_CANCELED))
		return fail_code(err, ERR_CONFLICT, "batch_over", "this batch has been canceled");
	return !row_bool(rows, 0, IS_FINISHED) ||
	       fail_code(err, ERR_CONFLICT, "batch_over", "this batch is finished");
}

static bool give(struct db *db, struct batch_order *order, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)order->client->id);
	arg_i64(&args, (int64_t)order->queue_id);
	arg_text(&args, str_of(order->kind));
	bool ok = db_query(db, SQL_BATCH_ORDER, &args, &rows, err) &&
		  (rows.n == 1 || fail(err, ERR_MISSING, "there is no such batch"));
	if (ok)
		order->control_id = (uint64_t)row_i64(&rows, 0, 0);
	ok = ok && is_possible(order, &rows, err);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

static bool record_order(struct db *db, const struct batch_order *order, struct err *err)
{
	char action[32], detail[64];

	if (!order->actor || !order->control_id)
		return true;
	(void)snprintf(action, sizeof(action), "batch.%s", order->kind);
	(void)snprintf(detail, sizeof(detail), "{\"queue_id\": %" PRIu64 "}", order->queue_id);
	return change_record(db, order->actor, action, order->client->accountcode, detail, err);
}

bool batch_order(struct db *db, struct batch_order *order, struct err *err)
{
	if (!db_ready(db, err) || !db_begin_as(db, order->client->id, err))
		return false;
	if (give(db, order, err) && record_order(db, order, err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

/* ---- found and shown ---- */

bool batch_find_queue(struct db *db, const struct shm_client *client, uint64_t number,
	uint64_t *queue_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client->id);
	arg_i64(&args, (int64_t)number);
	arg_bool(&args, true);
	bool ok = db_query(db, SQL_QUEUE_MASTER_FIND, &args, &rows, err) &&
		  (rows.n == 1 || fail(err, ERR_MISSING, "client %s has no batch %" PRIu64,
					  client->accountcode, number));
	if (ok)
		*queue_id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

enum { /* columns of queue_masters_load; from FINALS on, how many entries ended in each way */
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
	FINALS
};

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static const char *status_of(const struct rows *rows, int row)
{
	if (!row_is_null(rows, row, FINISHED_AT))
		return "finished";
	return row_is_null(rows, row, DISPATCHED_AT) ? "pending" : "active";
}

static bool shown(const struct rows *rows, int row, json_t **batch, struct err *err)
{
	json_t *settings, *o = json_object();
	int64_t open = row_i64(rows, row, ENTRIES);

	for (int column = FINALS; column < PQnfields(rows->result); column++)
		open -= row_i64(rows, row, column);
	set(o, "queue_id", json_integer(row_i64(rows, row, ID)));
	set(o, "batch_id", json_integer(row_i64(rows, row, BATCH_ID)));
	set(o, "status", json_string(status_of(rows, row)));
	set(o, "total", json_integer(row_i64(rows, row, ENTRIES)));
	set(o, "open", json_integer(open));
	set(o, "rejected_count", json_integer(row_i64(rows, row, REJECTED)));
	set(o, "created_at", out_time(row_time(rows, row, CREATED_AT)));
	set(o, "dispatched_at", out_time(row_time(rows, row, DISPATCHED_AT)));
	set(o, "finished_at", out_time(row_time(rows, row, FINISHED_AT)));
	set(o, "paused_at", out_time(row_time(rows, row, PAUSED_AT)));
	set(o, "canceled_at", out_time(row_time(rows, row, CANCELED_AT)));
	if (!settings_shown(row_text(rows, row, SETTINGS), &settings, err)) {
		json_decref(o);
		return false;
	}
	json_object_update(o, settings);
	json_decref(settings);
	set(o, "version", json_integer(row_i64(rows, row, SETTINGS_VERSION) + 1));
	*batch = o;
	return true;
}

static bool load(struct db *db, const struct shm_client *client, const int64_t *ids, size_t n,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)client->id);
	struct sql_array array = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&array, ids[i]);
	array_end(&array);
	bool ok = db_query(db, SQL_QUEUE_MASTERS_LOAD, &args, rows, err);
	args_free(&args);
	return ok;
}

bool batch_show(struct db *db, const struct shm_client *client, uint64_t queue_id, json_t **batch,
	struct err *err)
{
	const int64_t id = (int64_t)queue_id;
	struct rows rows = ROWS_INIT;

	bool ok = load(db, client, &id, 1, &rows, err) &&
		  (rows.n == 1 || fail(err, ERR_MISSING, "there is no such batch")) &&
		  shown(&rows, 0, batch, err);
	rows_free(&rows);
	return ok;
}

enum { LIST_MAX = 100 };

static bool last_ids(struct db *db, const struct shm_client *client, int64_t most,
	int64_t ids[LIST_MAX], size_t *n, uint64_t *total, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client->id);
	arg_null(&args, TEXTOID); /* of any day */
	arg_null(&args, TEXTOID);
	arg_text(&args, str_of(client->timezone));
	arg_null(&args, TEXTOID); /* in any state */
	arg_i64(&args, MIN(most, (int64_t)LIST_MAX));
	arg_i64(&args, 0);
	arg_bool(&args, true);
	bool ok = db_query(db, SQL_QUEUE_MASTERS_PICK, &args, &rows, err);
	args_free(&args);
	*n = 0;
	*total = ok ? (uint64_t)row_i64(&rows, 0, 0) : 0;
	for (int i = 0; i < rows.n && *n < LIST_MAX; i++)
		if (!row_is_null(&rows, i, 1))
			ids[(*n)++] = row_i64(&rows, i, 1);
	rows_free(&rows);
	return ok;
}

bool batch_list(struct db *db, const struct shm_client *client, int64_t most, json_t **batches,
	uint64_t *total, struct err *err)
{
	int64_t ids[LIST_MAX];
	struct rows rows = ROWS_INIT;
	json_t *batch;
	size_t n;

	if (!last_ids(db, client, most, ids, &n, total, err) ||
		!load(db, client, ids, n, &rows, err))
		return false;
	bool ok = true;
	*batches = json_array();
	for (int i = rows.n - 1; ok && i >= 0; i--) {
		ok = shown(&rows, i, &batch, err);
		if (ok)
			json_array_append_new(*batches, batch);
	}
	rows_free(&rows);
	if (!ok)
		json_decref(*batches);
	return ok;
}
