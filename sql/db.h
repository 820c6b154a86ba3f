/* One blocking connection to PostgreSQL, for API workers and ccsctl. (The dispatcher never waits:
 * sql/stream.h.)
 *
 * Statements are known by name (sql/queries/, one enum value each) and prepared at their first use
 * on a connection. A lost connection is opened again by the next db_ready; whether a commit that
 * was under way took effect is then unknown, so every write must be harmless when repeated.
 * PostgreSQL away = ERR_BUSY with retry_after_s.
 */
#ifndef CCS_SQL_DB_H
#define CCS_SQL_DB_H

#include "common/err.h"
#include "sql/args.h"
#include "sql/rows.h"

#include "sql/embedded.h" /* enum sql_query: made from sql/queries at build time */

struct db;

/* Does not connect yet. dsn as libpq takes it; timeout bounds each statement; application names us
 * in pg_stat_activity. */
struct db *db_new(const char *dsn, const char *application, int64_t statement_timeout_ms);
void db_free(struct db *db);

/* From the next connection on every statement is planned once, for whatever parameters, not anew for each: for those who ask
 * the same few things all the time and never search. PostgreSQL would plan a statement that unnests arrays every time, because
 * it then knows how short they are, which takes longer than to run it. */
void db_plan_once(struct db *db);

/* From where the work comes that follows, for the audit; "" = from nowhere that is known. What is no IP address is kept as
 * that. */
void db_set_address(struct db *db, struct str address);

/* Connected, and not in a transaction: connects or reconnects (at most one try a second, ERR_BUSY
 * between). */
MUST_USE bool db_ready(struct db *db, struct err *err);

/* One statement. args and rows may be NULL; rows starts as ROWS_INIT, and what it held before is
 * freed. A violated constraint is ERR_CONFLICT (unique) or ERR_INPUT (check, foreign key, bad
 * value), with the constraint's name in db_constraint(); all else ERR_INTERNAL or ERR_BUSY. */
MUST_USE bool db_query(struct db *db, enum sql_query query, const struct sql_args *args,
	struct rows *rows, struct err *err);

/* The constraint that the last failed statement violated, or "". */
const char *db_constraint(const struct db *db);

/* PostgreSQL's own words about the last failure: for operators, never for clients. */
const char *db_words(const struct db *db);

/* Prepares without running. args give the types; NULL leaves them to PostgreSQL. */
MUST_USE bool db_prepare(
	struct db *db, enum sql_query query, const struct sql_args *args, struct err *err);

/* Commands without parameters, separated by semicolons: for sql/migrate.c. */
MUST_USE bool db_script(struct db *db, const char *text, const char *what, struct err *err);

MUST_USE bool db_begin(struct db *db, struct err *err);

/* BEGIN for the API: row-level security shows this client's rows only, until the transaction ends.
 */
MUST_USE bool db_begin_as(struct db *db, uint64_t client_id, struct err *err);
/* The same within a transaction that db_begin has begun, for what asks whose it is. */
MUST_USE bool db_as(struct db *db, uint64_t client_id, struct err *err);

MUST_USE bool db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db); /* harmless outside a transaction */

/* One statement of several. rows as for db_query. */
struct db_act {
	uint64_t client_id; /* whose rows row-level security shows it */
	enum sql_query query;
	const struct sql_args *args;
	struct rows *rows;
};

enum { DB_ACTS_MAX = 32 };

/* At most DB_ACTS_MAX statements, all of them or none: one transaction, one round trip (pipeline). */
MUST_USE bool db_act_all(struct db *db, const struct db_act *acts, size_t n, struct err *err);

/* The same, but the transaction goes on: until db_commit or db_rollback. Its statements are planned once, as after
 * db_plan_once. */
MUST_USE bool db_begin_acts(struct db *db, const struct db_act *acts, size_t n, struct err *err);

/* All of it for one statement. */
MUST_USE bool db_query_as(struct db *db, uint64_t client_id, enum sql_query query,
	const struct sql_args *args, struct rows *rows, struct err *err);

/* From here to db_release everything is one transaction of this client, whatever its parts say: begins
 * and commits in between do nothing. db_rollback ends it and undoes all. */
MUST_USE bool db_hold(struct db *db, uint64_t client_id, struct err *err);
MUST_USE bool db_release(struct db *db, struct err *err);

/* Binary COPY into a leaf partition: `entry_copy` and its like have "%lld" where the partition's
 * number goes. commits: its end is that of the transaction, as by db_commit, without another round
 * trip. */
MUST_USE bool db_copy_begin(
	struct db *db, enum sql_query query, int64_t partition, bool commits, struct err *err);
MUST_USE bool db_copy_data(struct db *db, struct str data, struct err *err);
MUST_USE bool db_copy_end(struct db *db, struct err *err);

#endif
