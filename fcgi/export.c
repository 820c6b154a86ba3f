/* Exports: see export.h. */
#include "fcgi/export.h"

#include "common/log.h"
#include "sql/db.h"

#include "common/base.h"

enum { BUSY_RETRY_S = 5 };

void export_end(struct app *app)
{
	struct err err;
	if (!db_query(app->db, SQL_EXPORT_END, NULL, NULL, &err))
		log_warn("export.not_ended", "why=%s", log_q(err.text));
}

static bool busy(const char *why, struct err *err)
{
	(void)fail_code(err, ERR_LIMIT, "too_many_exports", "%s; try again in %d s", why,
		(int)BUSY_RETRY_S);
	err->retry_after_s = BUSY_RETRY_S;
	return false;
}

bool export_begin(struct app *app, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, app->conf->api_exports_at_once);
	bool ok = db_query(app->db, SQL_EXPORT_BEGIN, &args, &rows, err);
	args_free(&args);
	if (!ok)
		return false;
	bool alone = row_bool(&rows, 0, 0), room = row_bool(&rows, 0, 1);
	rows_free(&rows);
	if (alone && room)
		return true;
	export_end(app);
	return busy(alone ? "as many exports as may be are under way"
			  : "another export of yours is under way",
		err);
}
