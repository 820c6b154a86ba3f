/* API keys: see key.h. */
#include "registry/key.h"

#include "common/base.h"

/* A new key, as key_insert and key_replace store it. */
static void add_key(struct sql_args *args, char key[TOKEN_KEY_CHARS + 1])
{
	token_new_key(key);
	struct digest digest = digest_of(str_of(key));
	arg_bytes(args, digest.b, sizeof(digest.b));
	arg_text(args, (struct str){key, TOKEN_SHOWN_CHARS});
}

bool key_create(struct db *db, uint64_t client_id, const char *name, int64_t expires_us,
	struct key_created *created, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char key[TOKEN_KEY_CHARS + 1];

	arg_i64(&args, (int64_t)client_id);
	add_key(&args, key);
	arg_text(&args, str_of(name));
	arg_time(&args, expires_us ? expires_us : INT64_MIN);
	bool ok = db_query(db, SQL_KEY_INSERT, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	created->id = (uint64_t)row_i64(&rows, 0, 0);
	memcpy(created->key, key, sizeof(key));
	rows_free(&rows);
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
