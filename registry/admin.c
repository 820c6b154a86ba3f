/* Administrators: see admin.h. */
#include "registry/admin.h"
#include "registry/change.h"
#include "registry/field_args.h"
#include "registry/password.h"

#include "common/base.h"

const struct field admin_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct admin_input, member, need, __VA_ARGS__)
#define SECRET(member, need, ...) FIELD_ROW_SECRET(struct admin_input, member, need, __VA_ARGS__)
#include "registry/admin.def"
#undef TEXT
#undef SECRET
};
const size_t admin_fields_n = ARRAY_LEN(admin_fields);

enum { SUBJECT_BYTES = 72 };

static bool insert(struct db *db, const struct admin_input *input, const char *hash,
	uint64_t *user_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, input->username);
	arg_text(&args, str_of(hash));
	bool ok = db_query(db, SQL_ADMIN_INSERT, &args, &rows, err);
	args_free(&args);
	if (ok)
		*user_id = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok || err->kind != ERR_CONFLICT ||
	       fail(err, ERR_CONFLICT, "username %.*s is taken; choose another",
		       (int)input->username.n, input->username.p);
}

static bool record(
	struct db *db, const char *actor, const char *action, struct str username, struct err *err)
{
	char subject[SUBJECT_BYTES];
	return str_copy(subject, sizeof(subject), username) &&
	       change_record(db, actor, action, subject, "{}", err);
}

bool admin_create(struct db *db, const char *actor, const struct admin_input *input,
	uint64_t *user_id, struct err *err)
{
	char hash[PASSWORD_HASH_BYTES];
	uint64_t id = 0;

	if (!fields_check(admin_fields, admin_fields_n, input, err) ||
		!password_hash(input->password, hash, err) || !db_ready(db, err))
		return false;
	if (!db_begin(db, err) || !insert(db, input, hash, &id, err) ||
		!record(db, actor, "admin.create", input->username, err) || !db_commit(db, err)) {
		db_rollback(db);
		return false;
	}
	*user_id = id;
	return true;
}

static bool take_away(struct db *db, struct str username, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text(&args, username);
	bool ok = db_query(db, SQL_ADMIN_DELETE, &args, &rows, err);
	args_free(&args);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "no administrator is called %.*s",
			(int)MIN(username.n, (size_t)64), username.p);
	rows_free(&rows);
	return ok;
}

bool admin_remove(struct db *db, const char *actor, struct str username, struct err *err)
{
	if (!db_ready(db, err))
		return false;
	if (db_begin(db, err) && take_away(db, username, err) &&
		record(db, actor, "admin.remove", username, err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

bool admin_list(struct db *db, struct rows *rows, struct err *err)
{
	return db_ready(db, err) && db_query(db, SQL_ADMIN_LIST, NULL, rows, err);
}
