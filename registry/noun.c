/* Finding, listing and changing: see noun.h. */
#include <inttypes.h>

#include "registry/change.h"
#include "registry/noun.h"
#include "registry/noun_json.h"

#include "common/base.h"

static const struct {
	const char *name;
	const char *keys[2]; /* members by which people name it */
	enum sql_query list, hold;
	shown_fn *shown;
} nouns[] = {
	[NOUN_CLIENT] = {"client", {"accountcode"}, SQL_CLIENT_LIST, SQL_CLIENT_HOLD, client_shown},
	[NOUN_USER] = {"user", {"username"}, SQL_USER_LIST, SQL_USER_HOLD, user_shown},
	[NOUN_SERVER] = {"server", {"server_code"}, SQL_SERVER_LIST, SQL_SERVER_HOLD, server_shown},
	[NOUN_ALLOCATION] = {"allocation", {"accountcode", "server_code"}, SQL_ALLOCATION_LIST,
		SQL_ALLOCATION_HOLD, allocation_shown},
};

static void arg_which(struct sql_args *args, const struct which *which)
{
	arg_text_or_null(args, which->name);
	arg_text_or_null(args, which->name2);
	arg_i64_or_null(args, (int64_t)which->id, which->id == 0);
	arg_i64_or_null(args, (int64_t)which->id2, which->id2 == 0);
}

/* ---- lists ---- */

bool noun_rows(struct db *db, enum noun noun, const struct listing *listing, struct rows *rows,
	uint64_t *total, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_which(&args, &listing->filter);
	arg_i64_or_null(&args, listing->size, listing->size == 0);
	arg_i64(&args, listing->offset);
	arg_bool(&args, listing->descending);
	bool ok = db_query(db, nouns[noun].list, &args, rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*total = (uint64_t)row_i64(rows, 0, PQnfields(rows->result) - 1);
	if (row_is_null(rows, 0, 0))
		rows->n = 0;
	return true;
}

static bool rows_shown(const struct rows *rows, enum noun noun, json_t **items, struct err *err)
{
	json_t *found = json_array();

	for (int row = 0; row < rows->n; row++) {
		json_t *item = nouns[noun].shown(rows, row, err);
		if (!item) {
			json_decref(found);
			return false;
		}
		json_array_append_new(found, item);
	}
	*items = found;
	return true;
}

bool noun_list(struct db *db, enum noun noun, const struct listing *listing, json_t **items,
	uint64_t *total, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!noun_rows(db, noun, listing, &rows, total, err))
		return false;
	bool ok = rows_shown(&rows, noun, items, err);
	rows_free(&rows);
	return ok;
}

/* "no client has accountcode ACME" */
static bool missing(enum noun noun, const struct which *which, struct err *err)
{
	const char *name = nouns[noun].name;
	int n = (int)MIN(which->name.n, (size_t)64), n2 = (int)MIN(which->name2.n, (size_t)64);

	if (which->id)
		return fail(err, ERR_MISSING, "there is no such %s", name);
	if (nouns[noun].keys[1])
		return fail(err, ERR_MISSING, "%.*s has no share of server %.*s", n, which->name.p,
			n2, which->name2.p);
	return fail(
		err, ERR_MISSING, "no %s has %s %.*s", name, nouns[noun].keys[0], n, which->name.p);
}

bool noun_show(
	struct db *db, enum noun noun, const struct which *which, json_t **item, struct err *err)
{
	const struct listing listing = {.filter = *which, .size = 1};
	json_t *items;
	uint64_t total;

	if (!noun_list(db, noun, &listing, &items, &total, err))
		return false;
	*item = json_incref(json_array_get(items, 0));
	json_decref(items);
	return *item || missing(noun, which, err);
}

/* ---- changes ---- */

static bool is_expected(enum noun noun, const struct edit *edit, uint64_t version, struct err *err)
{
	return !edit->expected || edit->expected == version ||
	       fail(err, ERR_STALE,
		       "somebody else has changed this %s: it is version %" PRIu64
		       " now, and you have read version %" PRIu64 "; read it again",
		       nouns[noun].name, version, edit->expected);
}

static bool hold(struct db *db, enum noun noun, const struct which *which, struct edit *edit,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_which(&args, which);
	bool ok = db_query(db, nouns[noun].hold, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	if (rows.n == 1) {
		edit->id = (uint64_t)row_i64(&rows, 0, 0);
		edit->id2 = (uint64_t)row_i64(&rows, 0, 1);
		ok = is_expected(noun, edit, (uint64_t)row_i64(&rows, 0, 2), err);
	} else {
		ok = missing(noun, which, err);
	}
	rows_free(&rows);
	return ok;
}

static struct which held(enum noun noun, const struct edit *edit)
{
	return (struct which){.id = edit->id, .id2 = noun == NOUN_ALLOCATION ? edit->id2 : 0};
}

bool edit_begin(struct db *db, enum noun noun, const struct which *which, struct edit *edit,
	struct err *err)
{
	edit->before = edit->changes = NULL;
	if (!db_ready(db, err) || !db_begin(db, err))
		return false;
	if (!hold(db, noun, which, edit, err))
		return edit_undo(db, edit);
	const struct which it = held(noun, edit);
	return noun_show(db, noun, &it, &edit->before, err) || edit_undo(db, edit);
}

bool edit_undo(struct db *db, struct edit *edit)
{
	db_rollback(db);
	edit_end(edit);
	return false;
}

bool edit_keeps(const struct edit *edit, const char *member, struct str *given, struct err *err)
{
	const json_t *was = json_object_get(edit->before, member);
	struct str kept = {json_string_value(was), json_string_length(was)};

	if (given->p && !str_eq(*given, kept))
		return fail_code(err, ERR_INPUT, "invalid_field",
			"%s is %s and stays so: calls are booked under it", member, kept.p);
	*given = kept;
	return true;
}

void edit_end(struct edit *edit)
{
	json_decref(edit->before);
	json_decref(edit->changes);
	edit->before = edit->changes = NULL;
}

static bool is_bookkeeping(const char *member)
{
	return str_eq(str_of(member), STR("updated_at")) || str_eq(str_of(member), STR("version"));
}

static json_t *difference(const json_t *before, json_t *after)
{
	json_t *changes = json_object(), *value;
	const char *member;

	json_object_foreach (after, member, value) {
		json_t *was = json_object_get(before, member);
		if (!is_bookkeeping(member) && !json_equal(was, value))
			json_object_set_new(
				changes, member, json_pack("{s:O, s:O}", "from", was, "to", value));
	}
	return changes;
}

/* Names of what was given, and of limits and switches what they were and are: texts may be somebody's, or secret. */
static json_t *audited(
	const struct edit *edit, const struct field *fields, size_t fields_n, const void *input)
{
	json_t *names = json_array(), *values = json_object(), *change;
	const char *member;

	for (size_t i = 0; i < fields_n; i++)
		if (field_is_given(&fields[i], input))
			json_array_append_new(names, json_string(fields[i].name));
	json_object_foreach (edit->changes, member, change) {
		const json_t *now = json_object_get(change, "to");
		if (json_is_number(now) || json_is_boolean(now))
			json_object_set(values, member, change);
	}
	return json_pack(
		"{s:I, s:o, s:o}", "id", (json_int_t)edit->id, "changed", names, "values", values);
}

/* Takes detail. */
static bool record(struct db *db, enum noun noun, const struct edit *edit, const char *act,
	json_t *detail, struct err *err)
{
	const char *const *keys = nouns[noun].keys;
	struct strbuf action = STRBUF_INIT, subject = STRBUF_INIT;
	char *text = json_dumps(detail, JSON_COMPACT);

	json_decref(detail);
	strbuf_printf(&action, "%s.%s", nouns[noun].name, act);
	strbuf_puts(&subject, json_string_value(json_object_get(edit->before, keys[0])));
	if (keys[1])
		strbuf_printf(
			&subject, " %s", json_string_value(json_object_get(edit->before, keys[1])));
	bool ok = text ? change_record(db, edit->actor, action.p, subject.p, text, err)
		       : fail(err, ERR_INTERNAL, "no memory for the audit");
	/* jansson's memory is an arena's in the API: its own way to give back. */
	json_malloc_t take;
	json_free_t give_back;
	json_get_alloc_funcs(&take, &give_back);
	give_back(text);
	strbuf_free(&action);
	strbuf_free(&subject);
	return ok;
}

bool edit_commit(struct db *db, enum noun noun, struct edit *edit, const struct field *fields,
	size_t fields_n, const void *input, struct err *err)
{
	const struct which it = held(noun, edit);
	json_t *after;

	if (!noun_show(db, noun, &it, &after, err))
		return edit_undo(db, edit);
	edit->version = (uint64_t)json_integer_value(json_object_get(after, "version"));
	edit->changes = difference(edit->before, after);
	json_decref(after);
	return (record(db, noun, edit, "change", audited(edit, fields, fields_n, input), err) &&
		       db_commit(db, err)) ||
	       edit_undo(db, edit);
}

bool edit_commit_delete(struct db *db, enum noun noun, struct edit *edit, struct err *err)
{
	json_t *detail = json_pack("{s:I}", "id", (json_int_t)edit->id);

	return (record(db, noun, edit, "delete", detail, err) && db_commit(db, err)) ||
	       edit_undo(db, edit);
}
