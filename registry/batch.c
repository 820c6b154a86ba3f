/* Changing a batch: see batch.h. */
#include "registry/batch.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "registry/change.h"
#include "registry/shown.h"

#include "common/base.h"

/* Asked before the transaction, which it would end. */
static bool may_show(struct db *db, const struct batch_change *change,
	const struct batch_settings *settings, struct arena *arena, struct err *err)
{
	struct shown shown = {.db = db, .arena = arena, .client_id = change->client->id};
	bool may;

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

/* Names of what is different, and of limits what they were and are: texts may be somebody's. */
static char *audited(uint64_t batch_id, json_t *before, json_t *after)
{
	json_t *names = json_array(), *values = json_object(), *now;
	const char *name;

	json_object_foreach (after, name, now) {
		json_t *was = json_object_get(before, name);
		if (json_equal(was, now))
			continue;
		json_array_append_new(names, json_string(name));
		if (!json_is_string(was) && !json_is_string(now))
			json_object_set_new(
				values, name, json_pack("{s:O, s:O}", "from", was, "to", now));
	}
	json_t *detail = json_pack("{s:I, s:o, s:o}", "batch_id", (json_int_t)batch_id, "changed",
		names, "values", values);
	char *text = json_dumps(detail, JSON_COMPACT);
	json_decref(detail);
	return text;
}

static bool record(struct db *db, const struct batch_change *change, uint64_t batch_id,
	json_t *before, json_t *after, struct err *err)
{
	char *text = audited(batch_id, before, after);
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

static bool set(struct db *db, struct batch_change *change, const struct batch_settings *settings,
	uint64_t batch_id, json_t *before, struct err *err)
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
	ok = ok && record(db, change, batch_id, before, after, err);
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

	if (!settings_check(settings, err) || !may_show(db, change, settings, arena, err) ||
		!db_ready(db, err) || !db_begin_as(db, change->client->id, err))
		return false;
	bool ok = hold(db, change, &batch_id, &before, err) &&
		  set(db, change, settings, batch_id, before, err) && db_commit(db, err);
	if (!ok)
		db_rollback(db);
	json_decref(before);
	return ok;
}
