/* API keys: see key.h. */
#include "registry/key.h"

#include "common/base.h"

bool key_create(struct db *db, uint64_t client_id, const char *name, int64_t expires_us,
	struct key_created *created, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char key[TOKEN_KEY_CHARS + 1];

	token_new_key(key);
	struct digest digest = digest_of(str_of(key));
	arg_i64(&args, (int64_t)client_id);
	arg_bytes(&args, digest.b, sizeof(digest.b));
	arg_text(&args, (struct str){key, TOKEN_SHOWN_CHARS});
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
