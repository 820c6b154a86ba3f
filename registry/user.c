/* Users and sessions: see user.h. */
#include "registry/user.h"
#include "common/token.h"
#include "registry/client.h"

#include "common/base.h"

/* Columns behind CLIENT_COLUMNS, of user_by_name and user_by_id. */
enum { USER_ID = CLIENT_COLUMNS, USER_VERSION, USER_NAME, USER_HASH };
/* Those of client_by_session. */
enum { SESSION_VERSION = CLIENT_COLUMNS, SESSION_OVER };

bool session_over(struct err *err)
{
	return fail_code(err, ERR_AUTH, "session_ended", "this session is over; sign in again");
}

static bool read_user(
	const struct rows *rows, struct user *out, struct shm_client *client, struct err *err)
{
	struct user user = {
		.id = (uint64_t)row_i64(rows, 0, USER_ID),
		.version = (uint64_t)row_i64(rows, 0, USER_VERSION),
	};
	if (!row_copy(rows, 0, USER_NAME, user.name, sizeof(user.name)) ||
		!row_copy(rows, 0, USER_HASH, user.password_hash, sizeof(user.password_hash)))
		return fail(
			err, ERR_INTERNAL, "user %llu does not fit", (unsigned long long)user.id);
	if (!client_from_row(rows, 0, client, err))
		return false;
	*out = user;
	return true;
}

/* Runs one of the two and frees args. */
static bool find_user(struct db *db, enum sql_query query, struct sql_args *args, struct user *user,
	struct shm_client *client, struct err *err)
{
	struct rows rows = ROWS_INIT;
	bool ok = db_query(db, query, args, &rows, err);
	args_free(args);
	if (!ok)
		return false;
	ok = rows.n == 1 ? read_user(&rows, user, client, err)
			 : fail(err, ERR_MISSING, "there is no such user");
	rows_free(&rows);
	return ok;
}

bool user_by_name(struct db *db, struct str name, struct user *user, struct shm_client *client,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_text(&args, name);
	return find_user(db, SQL_USER_BY_NAME, &args, user, client, err);
}

bool user_by_id(
	struct db *db, uint64_t id, struct user *user, struct shm_client *client, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_i64(&args, (int64_t)id);
	return find_user(db, SQL_USER_BY_ID, &args, user, client, err);
}

bool client_by_session(
	struct db *db, const struct jwt_claims *token, struct shm_client *client, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)token->session_id);
	arg_i64(&args, (int64_t)token->user_id);
	bool ok = db_query(db, SQL_CLIENT_BY_SESSION, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	bool goes_on = rows.n == 1 && !row_bool(&rows, 0, SESSION_OVER) &&
		       (uint64_t)row_i64(&rows, 0, SESSION_VERSION) == token->version;
	ok = goes_on ? client_from_row(&rows, 0, client, err) : session_over(err);
	rows_free(&rows);
	return ok;
}

bool session_open(struct db *db, const struct user *user, int64_t seconds, struct session *session,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	token_random(session->refresh_id, JWT_ID_CHARS);
	arg_i64(&args, (int64_t)user->id);
	arg_text(&args, str_of(session->refresh_id));
	arg_i64(&args, seconds);
	bool ok = db_query(db, SQL_SESSION_OPEN, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	session->id = (uint64_t)row_i64(&rows, 0, 0);
	session->expires_us = row_time(&rows, 0, 1);
	rows_free(&rows);
	return true;
}

bool session_refresh(
	struct db *db, const struct jwt_claims *token, struct session *session, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	char next[JWT_ID_CHARS + 1];

	token_random(next, JWT_ID_CHARS);
	arg_i64(&args, (int64_t)token->session_id);
	arg_i64(&args, (int64_t)token->user_id);
	arg_i64(&args, (int64_t)token->version);
	arg_text(&args, str_of(token->id));
	arg_text(&args, str_of(next));
	bool ok = db_query(db, SQL_SESSION_REFRESH, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 && row_copy(&rows, 0, 1, session->refresh_id, sizeof(session->refresh_id));
	if (ok) {
		session->id = token->session_id;
		session->expires_us = row_time(&rows, 0, 0);
	}
	rows_free(&rows);
	return ok || session_over(err);
}

bool session_end(struct db *db, uint64_t session_id, uint64_t client_id, bool *was_open,
	uint64_t *control_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)session_id);
	arg_i64(&args, (int64_t)client_id);
	bool ok = db_query_as(db, client_id, SQL_SESSION_END, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*was_open = rows.n == 1;
	*control_id = *was_open ? (uint64_t)row_i64(&rows, 0, 0) : 0;
	rows_free(&rows);
	return true;
}

bool password_change(struct db *db, struct user *user, uint64_t client_id, const char *new_hash,
	int64_t seconds, struct session *session, uint64_t *control_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	token_random(session->refresh_id, JWT_ID_CHARS);
	arg_i64(&args, (int64_t)user->id);
	arg_text(&args, str_of(new_hash));
	arg_i64(&args, (int64_t)user->version);
	arg_text(&args, str_of(session->refresh_id));
	arg_i64(&args, seconds);
	bool ok = db_query_as(db, client_id, SQL_PASSWORD_CHANGE, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1;
	if (ok) {
		session->id = (uint64_t)row_i64(&rows, 0, 0);
		session->expires_us = row_time(&rows, 0, 1);
		user->version = (uint64_t)row_i64(&rows, 0, 2);
		*control_id = (uint64_t)row_i64(&rows, 0, 3);
	}
	rows_free(&rows);
	return ok ||
	       fail(err, ERR_CONFLICT, "the password was changed at the same time; sign in again");
}
