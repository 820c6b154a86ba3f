/* Announcing and recording changes: see change.h. */
#include "registry/change.h"

#include "common/base.h"

bool change_announce(struct db *db, uint64_t client_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)client_id);
	bool ok = db_query(db, SQL_CHANGE_RELOAD, &args, NULL, err);
	args_free(&args);
	return ok;
}

bool change_record(struct db *db, const char *actor, const char *action, const char *subject,
	const char *detail, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_text(&args, str_of(actor));
	arg_text(&args, str_of(action));
	arg_text(&args, str_of(subject));
	arg_text(&args, str_of(detail));
	bool ok = db_query(db, SQL_AUDIT_INSERT, &args, NULL, err);
	args_free(&args);
	return ok;
}
