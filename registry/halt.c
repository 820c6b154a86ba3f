/* Halts: see halt.h. */
#include "registry/halt.h"
#include "registry/change.h"
#include "registry/field_args.h"

#include "common/base.h"

const struct field halt_fields[] = {
#define FLAG(member, text)	FIELD_ROW_FLAG(struct halt_input, member, text)
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct halt_input, member, need, __VA_ARGS__)
#include "registry/halt.def"
#undef FLAG
#undef TEXT
};
const size_t halt_fields_n = ARRAY_LEN(halt_fields);

static bool write_halt(struct db *db, enum sql_query query, struct sql_args *args,
	struct str accountcode, struct halt_told *told, struct err *err)
{
	struct rows rows = ROWS_INIT;
	bool ok = db_query(db, query, args, &rows, err);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "no client has accountcode %.*s",
			(int)MIN(accountcode.n, (size_t)40), accountcode.p);
	if (ok)
		*told = (struct halt_told){
			(uint64_t)row_i64(&rows, 0, 0), row_i64(&rows, 0, 1) > 0};
	rows_free(&rows);
	return ok;
}

/* With its audit, in one transaction. */
static bool change(struct db *db, enum sql_query query, struct sql_args *args, const char *actor,
	const char *action, struct str accountcode, struct halt_told *told, struct err *err)
{
	char subject[48] = "*";
	if (accountcode.p && !str_copy(subject, sizeof(subject), accountcode))
		return fail(err, ERR_INPUT, "client is longer than an account code");
	if (!db_ready(db, err))
		return false;
	if (db_begin(db, err) && write_halt(db, query, args, accountcode, told, err) &&
		change_record(db, actor, action, subject, "{}", err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

bool halt_set(struct db *db, const char *actor, struct str accountcode, struct str reason,
	struct halt_told *told, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_text_or_null(&args, accountcode);
	arg_text(&args, str_of(actor));
	arg_text(&args, reason.p ? reason : STR(""));
	bool ok = change(db, SQL_HALT_SET, &args, actor, "dialling.halt", accountcode, told, err);
	args_free(&args);
	return ok;
}

bool halt_lift(struct db *db, const char *actor, struct str accountcode, struct halt_told *told,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_text_or_null(&args, accountcode);
	bool ok = change(db, SQL_HALT_LIFT, &args, actor, "dialling.lift", accountcode, told, err);
	args_free(&args);
	return ok;
}

bool halt_is_obeyed(struct db *db, uint64_t control_id, bool *obeyed, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	arg_i64(&args, (int64_t)control_id);
	bool ok = db_query(db, SQL_CONTROL_IS_DONE, &args, &rows, err);
	*obeyed = ok && rows.n == 1 && row_bool(&rows, 0, 0);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

bool halt_list(struct db *db, struct rows *rows, struct err *err)
{
	return db_query(db, SQL_HALT_LIST, NULL, rows, err);
}
