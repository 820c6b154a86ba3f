/* Contexts of batches: see context_allowed.h. */
#include "registry/context_allowed.h"

#include "common/base.h"

bool context_allowed(
	struct db *db, uint64_t client_id, const struct batch_settings *settings, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	if (settings->context.n == 0)
		return true;
	arg_i64(&args, (int64_t)client_id);
	arg_text(&args, settings->context);
	bool ok = db_query_as(db, client_id, SQL_CONTEXT_ALLOWED, &args, &rows, err);
	if (ok && (rows.n == 0 || !row_bool(&rows, 0, 0)))
		ok = fail_code(err, ERR_INPUT, "context_denied",
			"context is not one of the allowed_contexts of this account, which an "
			"administrator can change; leave it out, and answered calls go where their "
			"server says");
	rows_free(&rows);
	args_free(&args);
	return ok;
}
