/* API keys: see key.h. */
#include "registry/key.h"
#include "registry/change.h"
#include "registry/client.h"
#include "registry/fine.h"

#include "common/base.h"

const struct field key_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct key_input, member, need, __VA_ARGS__)
#define LIST(member, ...)	FIELD_ROW_LIST(struct key_input, member, __VA_ARGS__)
#include "registry/key.def"
#undef TEXT
#undef LIST
};
const size_t key_fields_n = ARRAY_LEN(key_fields);

/* A new key, as key_insert and key_replace store it. */
static void add_key(struct sql_args *args, char key[TOKEN_KEY_CHARS + 1])
{
	token_new_key(key);
	struct digest digest = digest_of(str_of(key));
	arg_bytes(args, digest.b, sizeof(digest.b));
	arg_text(args, (struct str){key, TOKEN_SHOWN_CHARS});
}

bool key_create(
	struct db *db, const struct key_wish *wish, struct key_created *created, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char key[TOKEN_KEY_CHARS + 1], scopes[SCOPE_WORDS_BYTES];

	arg_i64(&args, (int64_t)wish->client_id);
	add_key(&args, key);
	arg_text(&args, wish->name);
	arg_time(&args, wish->expires_us ? wish->expires_us : INT64_MIN);
	arg_text(&args, str_of(scopes_write(wish->scopes, ' ', scopes)));
	bool ok = db_query(db, SQL_KEY_INSERT, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	created->id = (uint64_t)row_i64(&rows, 0, 0);
	memcpy(created->key, key, sizeof(key));
	rows_free(&rows);
	return true;
}

static uint32_t scopes_of(const struct str_list *words)
{
	uint32_t scopes = SCOPE_NONE;
	for (int i = 0; i < words->n; i++)
		scopes |= scope_named(words->v[i]);
	return words->n ? scopes : (uint32_t)SCOPE_ALL;
}

/* Whose it is, what it may do, and how it begins: enough to find it again, nothing to use it by. */
static bool record(struct db *db, const char *actor, const struct key_wish *wish,
	const struct key_created *created, const char *subject, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	char scopes[SCOPE_WORDS_BYTES];

	strbuf_printf(&detail,
		"{\"key_id\":%llu,\"scopes\":\"%s\",\"shown\":", (unsigned long long)created->id,
		scopes_write(wish->scopes, ' ', scopes));
	strbuf_json(&detail, (struct str){created->key, TOKEN_SHOWN_CHARS});
	strbuf_putc(&detail, '}');
	bool ok = change_record(db, actor, "key.create", subject, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

bool key_add(struct db *db, const char *actor, const struct key_input *input, uint64_t *client_id,
	struct key_created *created, struct err *err)
{
	struct shm_client client = {.accountcode = "-"};
	struct key_wish wish = {.name = input->name.p ? input->name : STR("default"),
		.scopes = scopes_of(&input->scopes)};

	if (!fields_check(key_fields, key_fields_n, input, err) || !db_ready(db, err) ||
		(input->accountcode.p &&
			!client_by_accountcode(db, input->accountcode, &client, err)))
		return false;
	wish.client_id = client.id;
	if (!db_begin(db, err) || !key_create(db, &wish, created, err) ||
		(client.id && !change_announce(db, client.id, err)) ||
		!record(db, actor, &wish, created, client.accountcode, err) ||
		!db_commit(db, err)) {
		db_rollback(db);
		return false;
	}
	*client_id = client.id;
	return true;
}

bool key_replace(struct db *db, const struct key_change *change, struct key_changed *changed,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char key[TOKEN_KEY_CHARS + 1];

	arg_i64(&args, (int64_t)change->client_id);
	arg_i64(&args, (int64_t)change->by_key);
	add_key(&args, key);
	arg_i64(&args, change->old_key_seconds);
	arg_bool(&args, change->ends_sessions);
	arg_text(&args, str_of(change->accountcode));
	bool ok = db_query_as(db, change->client_id, SQL_KEY_REPLACE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok) {
		*changed = (struct key_changed){.expires_us = row_time(&rows, 0, 0),
			.old_until_us = row_time(&rows, 0, 1),
			.control_id = (uint64_t)row_i64(&rows, 0, 2)};
		memcpy(changed->key, key, sizeof(key));
	}
	rows_free(&rows);
	return ok || fail_code(err, ERR_FORBIDDEN, "key_replaced",
			     "this API key has been replaced; use the new one");
}

bool key_revoke(struct db *db, const struct key_change *change, struct key_changed *changed,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)change->client_id);
	arg_i64(&args, (int64_t)change->by_key);
	arg_text(&args, str_of(change->accountcode));
	bool ok = db_query_as(db, change->client_id, SQL_KEY_REVOKE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*changed = (struct key_changed){.expires_us = INT64_MIN, .old_until_us = INT64_MIN};
	if (rows.n == 1)
		changed->control_id = (uint64_t)row_i64(&rows, 0, 1);
	rows_free(&rows);
	return true;
}
