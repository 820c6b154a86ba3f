/* Users: see person.h. */
#include "registry/person.h"
#include "registry/change.h"
#include "registry/explain.h"
#include "registry/password.h"

#include "common/base.h"

const struct field person_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct person_input, member, need, __VA_ARGS__)
#define SECRET(member, need, ...) FIELD_ROW_SECRET(struct person_input, member, need, __VA_ARGS__)
#include "registry/person.def"
#undef TEXT
#undef SECRET
};
const size_t person_fields_n = ARRAY_LEN(person_fields);

/* Tells the dispatcher, who knows clients' users and no administrators. */
static bool announce(struct db *db, uint64_t client_id, struct err *err)
{
	return client_id == 0 || change_announce(db, client_id, err);
}

static bool insert(struct db *db, const struct person_input *input, const char *hash, uint64_t *id,
	uint64_t *client_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text_or_null(&args, input->accountcode.n ? input->accountcode : (struct str){NULL, 0});
	arg_text(&args, input->username);
	arg_text(&args, str_of(hash));
	bool ok = db_query(db, SQL_PERSON_INSERT, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	ok = rows.n == 1 || fail(err, ERR_MISSING, "no client has accountcode %.*s",
				    (int)input->accountcode.n, input->accountcode.p);
	if (ok) {
		*id = (uint64_t)row_i64(&rows, 0, 0);
		*client_id = (uint64_t)row_i64(&rows, 0, 1);
	}
	rows_free(&rows);
	return ok;
}

static bool record(struct db *db, const char *actor, const struct person_input *input, uint64_t id,
	struct err *err)
{
	struct strbuf subject = STRBUF_INIT, detail = STRBUF_INIT;

	strbuf_str(&subject, input->username);
	strbuf_printf(&detail, "{\"id\":%llu,\"accountcode\":", (unsigned long long)id);
	if (input->accountcode.n)
		strbuf_json(&detail, input->accountcode);
	else
		strbuf_puts(&detail, "null");
	strbuf_putc(&detail, '}');
	bool ok = change_record(db, actor, "user.create", subject.p, detail.p, err);
	strbuf_free(&subject);
	strbuf_free(&detail);
	return ok;
}

bool person_create(struct db *db, const char *actor, const struct person_input *input, uint64_t *id,
	uint64_t *client_id, struct err *err)
{
	char hash[PASSWORD_HASH_BYTES];
	uint64_t made = 0, client = 0;

	if (input->new_name.p)
		return fail_code(err, ERR_INPUT, "invalid_field",
			"new_name is for a user that there is; username names a new one");
	if (!fields_check(person_fields, person_fields_n, input, err) || !db_ready(db, err) ||
		!password_hash(input->password, hash, err))
		return false;
	if (!db_begin(db, err) || !insert(db, input, hash, &made, &client, err) ||
		!announce(db, client, err) || !record(db, actor, input, made, err) ||
		!db_commit(db, err)) {
		db_rollback(db);
		return explain_constraint(db, err);
	}
	*id = made;
	*client_id = client;
	return true;
}

/* One of the two statements that change a user. */
static bool set_text(
	struct db *db, enum sql_query query, uint64_t id, struct str text, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	if (!text.p)
		return true;
	arg_i64(&args, (int64_t)id);
	arg_text(&args, text);
	bool ok = db_query(db, query, &args, NULL, err);
	args_free(&args);
	return ok;
}

static bool is_change(const struct person_input *input, struct err *err)
{
	if (input->accountcode.p)
		return fail_code(err, ERR_INPUT, "invalid_field",
			"accountcode: a user stays whose he is; make another one");
	return input->new_name.p || input->password.p ||
	       fail(err, ERR_INPUT, "nothing to change is given");
}

/* A name that is given says who it is, and no more. */
static bool is_he(const struct edit *edit, struct str username, struct err *err)
{
	const char *name = json_string_value(json_object_get(edit->before, "username"));

	return !username.p || str_eq(username, str_of(name)) ||
	       fail_code(err, ERR_INPUT, "invalid_field",
		       "username: this is %s; new_name gives another name", name);
}

bool person_change(struct db *db, const struct which *which, struct edit *edit,
	const struct person_input *input, struct err *err)
{
	char hash[PASSWORD_HASH_BYTES] = "";

	if (!is_change(input, err) ||
		!fields_check_given(person_fields, person_fields_n, input, err) ||
		(input->password.p && !password_hash(input->password, hash, err)) ||
		!edit_begin(db, NOUN_USER, which, edit, err))
		return false;
	if (!is_he(edit, input->username, err) ||
		!set_text(db, SQL_PERSON_RENAME, edit->id, input->new_name, err) ||
		!set_text(db, SQL_PERSON_PASSWORD, edit->id, str_of(*hash ? hash : NULL), err) ||
		!announce(db, edit->id2, err)) {
		edit_undo(db, edit);
		return explain_constraint(db, err);
	}
	return edit_commit(
		       db, NOUN_USER, edit, person_fields + 1, person_fields_n - 1, input, err) ||
	       explain_constraint(db, err);
}

/* Of an administrator: is there another? */
static bool may_go(struct db *db, const struct edit *edit, uint64_t self, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	if (edit->id == self)
		return fail_code(err, ERR_CONFLICT, "own_user",
			"nobody deletes himself; another administrator can");
	if (edit->id2)
		return true;
	arg_i64(&args, (int64_t)edit->id);
	bool ok = db_query(db, SQL_ADMINS_LEFT, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	int64_t left = row_i64(&rows, 0, 0);
	rows_free(&rows);
	return left > 0 || fail_code(err, ERR_CONFLICT, "last_administrator",
				   "this is the last administrator; make another one first");
}

static bool delete_held(struct db *db, uint64_t id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)id);
	bool ok = db_query(db, SQL_PERSON_SIGN_OUT, &args, NULL, err) &&
		  db_query(db, SQL_PERSON_DELETE, &args, NULL, err);
	args_free(&args);
	return ok;
}

bool person_delete(
	struct db *db, const struct which *which, uint64_t self, struct edit *edit, struct err *err)
{
	if (!edit_begin(db, NOUN_USER, which, edit, err))
		return false;
	if (!may_go(db, edit, self, err) || !delete_held(db, edit->id, err) ||
		!announce(db, edit->id2, err))
		return edit_undo(db, edit);
	return edit_commit_delete(db, NOUN_USER, edit, err);
}
