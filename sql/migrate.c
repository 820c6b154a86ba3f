/* Applies migrations: see migrate.h. */
#include "sql/migrate.h"

#include "common/base.h"

static bool refuse_newer(int number, enum err_kind kind, struct err *err)
{
	return fail(err, kind,
		"the database has schema version %d, made by a newer ccs; this one knows versions "
		"up to %d: install that ccs",
		number, sql_migrations_n);
}

/* Applies the next migration; *number is 0 when there was none left. */
static bool migrate_one(struct db *db, int *number, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!db_begin(db, err) || !db_query(db, SQL_SCHEMA_LOCK, NULL, NULL, err) ||
		!db_query(db, SQL_SCHEMA_MAKE, NULL, NULL, err) ||
		!db_query(db, SQL_SCHEMA_NUMBER, NULL, &rows, err))
		return false;
	int have = (int)row_i64(&rows, 0, 0);
	rows_free(&rows);
	if (have > sql_migrations_n)
		return refuse_newer(have, ERR_CONFLICT, err);
	*number = 0;
	if (have < sql_migrations_n) {
		const struct sql_migration *next = &sql_migrations[have];
		struct sql_args args = SQL_ARGS_INIT;
		arg_i64(&args, next->number);
		arg_text(&args, str_of(next->name));
		bool ok = db_script(db, next->text, next->name, err) &&
			  db_query(db, SQL_SCHEMA_ADD, &args, NULL, err);
		args_free(&args);
		if (!ok)
			return false;
		*number = next->number;
	}
	return db_commit(db, err);
}

bool migrate(struct db *db, migrate_report_fn *report, void *arg, int *applied, struct err *err)
{
	int count = 0;

	if (!db_ready(db, err))
		return false;
	for (int number;; count++) {
		if (!migrate_one(db, &number, err)) {
			db_rollback(db);
			return false;
		}
		if (number == 0)
			break;
		report(arg, number, sql_migrations[number - 1].name);
	}
	*applied = count;
	return db_query(db, SQL_SCHEMA_PARTITIONS, NULL, NULL, err);
}

bool migrate_version(struct db *db, int *number, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!db_ready(db, err) || !db_query(db, SQL_SCHEMA_EXISTS, NULL, &rows, err))
		return false;
	bool exists = row_bool(&rows, 0, 0);
	if (exists && !db_query(db, SQL_SCHEMA_NUMBER, NULL, &rows, err)) {
		rows_free(&rows);
		return false;
	}
	*number = exists ? (int)row_i64(&rows, 0, 0) : 0;
	rows_free(&rows);
	return true;
}

bool migrate_check(struct db *db, struct err *err)
{
	int number;

	if (!migrate_version(db, &number, err))
		return false;
	if (number > sql_migrations_n)
		return refuse_newer(number, ERR_BUSY, err);
	return number == sql_migrations_n ||
	       fail(err, ERR_BUSY,
		       "the database has schema version %d, ccs needs %d: run `ccsctl db migrate`",
		       number, sql_migrations_n);
}
