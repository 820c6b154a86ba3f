/* One blocking connection: see db.h. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "sql/db.h"
#include "sql/session.h"

#include "common/base.h"

enum { ADDRESS_BYTES = 48 };
enum { CONSTRAINT_BYTES = 64 }; /* a PostgreSQL name has at most 63 bytes */

struct db {
	PGconn *conn; /* NULL: not connected */
	char *dsn;
	char *application;
	int64_t statement_timeout_ms;
	int64_t next_try_us; /* monotonic: no attempt to connect before */
	bool was_connected;
	bool is_held; /* db_hold */
	bool copy_commits;
	bool plans_once;
	char address[ADDRESS_BYTES];
	char constraint[CONSTRAINT_BYTES];
	char words[256];
	bool prepared[SQL_QUERY__N];
};

static char *copy_of(const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		die("memory.exhausted", "bytes=%zu", strlen(text));
	return copy;
}

struct db *db_new(const char *dsn, const char *application, int64_t statement_timeout_ms)
{
	struct db *db = calloc(1, sizeof(*db));
	if (!db)
		die("memory.exhausted", "bytes=%zu", sizeof(*db));
	db->dsn = copy_of(dsn);
	db->application = copy_of(application);
	db->statement_timeout_ms = statement_timeout_ms;
	return db;
}

void db_plan_once(struct db *db)
{
	db->plans_once = true;
}

void db_set_address(struct db *db, struct str address)
{
	bool is_one =
		address.n < sizeof(db->address) &&
		(address.n == 0 || strspn(address.p, "0123456789abcdefABCDEF:.") >= address.n);
	if (!is_one || !str_copy(db->address, sizeof(db->address), address))
		db->address[0] = '\0';
}

static void disconnect(struct db *db)
{
	PQfinish(db->conn);
	db->conn = NULL;
	db->is_held = false;
	memset(db->prepared, 0, sizeof(db->prepared));
}

void db_free(struct db *db)
{
	if (!db)
		return;
	disconnect(db);
	free(db->dsn);
	free(db->application);
	free(db);
}

const char *db_constraint(const struct db *db)
{
	return db->constraint;
}

const char *db_words(const struct db *db)
{
	return db->words;
}

static void keep_words(struct db *db, const char *words)
{
	(void)snprintf(db->words, sizeof(db->words), "%s", words);
}

/* Fills err from what failed, frees result, returns false. A broken connection is dropped. */
static bool failed(struct db *db, PGresult *result, const char *what, struct err *err)
{
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	/* A plan that outlived a migration (0A000), a statement that vanished (26000): only a new
	 * session helps. */
	bool is_stale = sqlstate && (str_eq(str_of(sqlstate), STR("0A000")) ||
					    str_eq(str_of(sqlstate), STR("26000")));

	(void)snprintf(db->constraint, sizeof(db->constraint), "%s", constraint ? constraint : "");
	keep_words(db, session_words(db->conn, result));
	session_error(db->conn, result, what, err);
	PQclear(result);
	if (PQstatus(db->conn) != CONNECTION_OK || is_stale) {
		log_warn("db.lost", "statement=%s why=%s do=%s", what, log_q(db->words),
			log_q("the next request connects again"));
		disconnect(db);
	}
	return false;
}

static bool busy(struct err *err)
{
	fail(err, ERR_BUSY, "the database is not available");
	if (err)
		err->retry_after_s = 2;
	return false;
}

static bool connect_now(struct db *db, struct err *err)
{
	struct session_parameters with;
	uint16_t jitter;

	if (clock_mono_us() < db->next_try_us)
		return busy(err);
	if (!session_parameters(
		    &with, db->dsn, db->application, db->statement_timeout_ms, db->plans_once, err))
		return false;
	db->conn = PQconnectdbParams(with.keywords, with.values, 1);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		/* Workers that lost PostgreSQL together must not come back together. */
		random_bytes(&jitter, sizeof(jitter));
		db->next_try_us = clock_mono_us() + US_PER_S + jitter * US_PER_MS / 128;
		keep_words(db, session_words(db->conn, NULL));
		log_warn("db.connect_failed", "why=%s", log_q(db->words));
		disconnect(db);
		return busy(err);
	}
	session_take_notices(db->conn);
	if (db->was_connected)
		log_info("db.reconnected", "backend=%d", PQbackendPID(db->conn));
	db->was_connected = true;
	return true;
}

/* Reads what has arrived, without waiting: the server's last words, and the end behind them. */
static bool is_alive(PGconn *conn)
{
	struct pollfd socket = {.fd = PQsocket(conn), .events = POLLIN};
	while (PQstatus(conn) == CONNECTION_OK && poll(&socket, 1, 0) > 0)
		if (!PQconsumeInput(conn))
			return false;
	return PQstatus(conn) == CONNECTION_OK;
}

bool db_ready(struct db *db, struct err *err)
{
	if (db->conn && !is_alive(db->conn)) {
		log_warn("db.lost", "statement=none why=%s", log_q(session_words(db->conn, NULL)));
		disconnect(db);
	}
	if (!db->conn)
		return connect_now(db, err);
	if (db->is_held)
		return true;
	if (PQtransactionStatus(db->conn) != PQTRANS_IDLE) {
		log_warn("db.left_open", "do=%s",
			log_q("rolled back what an earlier request did not end"));
		db_rollback(db);
	}
	return db->conn || connect_now(db, err);
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static void give(struct rows *rows, PGresult *result)
{
	if (!rows) {
		PQclear(result);
		return;
	}
	rows_free(rows);
	*rows = (struct rows){result, PQntuples(result)};
}

bool db_prepare(struct db *db, enum sql_query query, const struct sql_args *args, struct err *err)
{
	const struct sql_statement *statement = &sql_statements[query];
	struct libpq_args wire;

	if (!db->conn)
		return busy(err);
	if (db->prepared[query])
		return true;
	args_to_libpq(args, &wire);
	PGresult *result = PQprepare(db->conn, statement->name, statement->text, wire.n, wire.type);
	if (!is_good(result))
		return failed(db, result, statement->name, err);
	PQclear(result);
	db->prepared[query] = true;
	return true;
}

bool db_query(struct db *db, enum sql_query query, const struct sql_args *args, struct rows *rows,
	struct err *err)
{
	struct libpq_args wire;

	db->constraint[0] = '\0';
	if (!db_prepare(db, query, args, err))
		return false;
	args_to_libpq(args, &wire);
	PGresult *result = PQexecPrepared(db->conn, sql_statements[query].name, wire.n, wire.value,
		wire.length, wire.format, 1);
	if (!is_good(result))
		return failed(db, result, sql_statements[query].name, err);
	give(rows, result);
	return true;
}

bool db_script(struct db *db, const char *text, const char *what, struct err *err)
{
	db->constraint[0] = '\0';
	if (!db->conn)
		return busy(err);
	PGresult *result = PQexec(db->conn, text);
	if (!is_good(result))
		return failed(db, result, what, err);
	PQclear(result);
	return true;
}

bool db_begin(struct db *db, struct err *err)
{
	char text[128];

	if (db->is_held)
		return true;
	(void)snprintf(text, sizeof(text), "begin%s%s%s",
		db->address[0] ? "; select set_config('ccs.address', '" : "", db->address,
		db->address[0] ? "', true)" : "");
	return db_script(db, text, "begin", err);
}

/* COMMIT of a transaction in which a statement failed rolls back and calls that a success. */
static bool take_commit(struct db *db, PGresult *result, struct err *err)
{
	if (!is_good(result))
		return failed(db, result, "commit", err);
	bool is_committed = str_eq(str_of(PQcmdStatus(result)), STR("COMMIT"));
	PQclear(result);
	return is_committed || fail(err, ERR_INTERNAL, "commit: the transaction had failed before");
}

bool db_commit(struct db *db, struct err *err)
{
	if (db->is_held)
		return true;
	db->constraint[0] = '\0';
	if (!db->conn)
		return busy(err);
	return take_commit(db, PQexec(db->conn, "commit"), err);
}

void db_rollback(struct db *db)
{
	db->is_held = false;
	if (!db->conn || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return;
	if (PQtransactionStatus(db->conn) == PQTRANS_ACTIVE) { /* in the middle of a COPY */
		(void)PQputCopyEnd(db->conn, "given up");
		for (PGresult *result; (result = PQgetResult(db->conn));)
			PQclear(result);
	}
	PGresult *result = PQexec(db->conn, "rollback");
	bool is_back = is_good(result);
	PQclear(result);
	if (!is_back)
		disconnect(db);
}

/* ---- several statements in one round trip ---- */

struct step {
	const char *text;     /* a command without parameters, or NULL: */
	enum sql_query query; /* prepare this (only_prepare), or run it */
	const struct sql_args *args;
	bool only_prepare;
	struct rows *rows; /* of a query; NULL: nobody wants to know */
};

struct steps {
	struct step at[3 + 4 * DB_ACTS_MAX];
	int n;
};

static const char *step_name(const struct step *step)
{
	return step->text ? step->text : sql_statements[step->query].name;
}

static bool step_send(struct db *db, const struct step *step)
{
	struct libpq_args wire;

	if (step->text)
		return PQsendQueryParams(db->conn, step->text, 0, NULL, NULL, NULL, NULL, 1);
	args_to_libpq(step->args, &wire);
	const struct sql_statement *statement = &sql_statements[step->query];
	if (step->only_prepare)
		return PQsendPrepare(db->conn, statement->name, statement->text, wire.n, wire.type);
	return PQsendQueryPrepared(
		db->conn, statement->name, wire.n, wire.value, wire.length, wire.format, 1);
}

/* The result of the next step, and the NULL behind it. */
static PGresult *step_result(struct db *db)
{
	PGresult *result = PQgetResult(db->conn);
	while (result) {
		PGresult *more = PQgetResult(db->conn);
		if (!more)
			break;
		PQclear(result);
		result = more;
	}
	return result;
}

/* Reads everything up to the sync, even after an error, so that the connection can be used again.
 */
static void pipeline_end(struct db *db)
{
	while (db->conn && PQstatus(db->conn) == CONNECTION_OK) {
		PGresult *result = PQgetResult(db->conn);
		bool is_end = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
		PQclear(result);
		if (is_end)
			break;
	}
	if (db->conn && !PQexitPipelineMode(db->conn))
		disconnect(db);
}

static bool steps_send(struct db *db, const struct steps *steps)
{
	for (int i = 0; i < steps->n; i++)
		if (!step_send(db, &steps->at[i]))
			return false;
	return PQpipelineSync(db->conn);
}

static bool step_take(struct db *db, const struct step *step, struct err *err)
{
	PGresult *result = step_result(db);
	if (!is_good(result))
		return failed(db, result, step_name(step), err);
	if (step->only_prepare)
		db->prepared[step->query] = true;
	give(step->rows, result);
	return true;
}

static bool pipeline(struct db *db, const struct steps *steps, struct err *err)
{
	db->constraint[0] = '\0';
	if (!db->conn)
		return busy(err);
	if (!PQenterPipelineMode(db->conn) || !steps_send(db, steps)) {
		failed(db, NULL, "pipeline", err);
		disconnect(db);
		return false;
	}
	bool ok = true;
	for (int i = 0; ok && i < steps->n; i++)
		ok = step_take(db, &steps->at[i], err);
	pipeline_end(db);
	if (ok)
		return true;
	for (int i = 0; i < steps->n; i++)
		if (steps->at[i].rows)
			rows_free(steps->at[i].rows);
	db_rollback(db);
	return false;
}

static void add_text(struct steps *steps, const char *text)
{
	steps->at[steps->n++] = (struct step){.text = text};
}

static bool is_prepared(const struct db *db, const struct steps *steps, enum sql_query query)
{
	for (int i = 0; i < steps->n; i++)
		if (steps->at[i].only_prepare && steps->at[i].query == query)
			return true;
	return db->prepared[query];
}

static void add_run(const struct db *db, struct steps *steps, enum sql_query query,
	const struct sql_args *args, struct rows *rows)
{
	struct step run = {.query = query, .args = args, .rows = rows};
	if (!is_prepared(db, steps, query))
		steps->at[steps->n++] =
			(struct step){.query = query, .args = args, .only_prepare = true};
	steps->at[steps->n++] = run;
}

static void as_client(const struct db *db, uint64_t client_id, struct sql_args *args)
{
	arg_i64(args, (int64_t)client_id);
	arg_text(args, str_of(db->address));
}

bool db_begin_as(struct db *db, uint64_t client_id, struct err *err)
{
	struct sql_args as = SQL_ARGS_INIT;
	struct steps steps = {.n = 0};

	if (db->is_held)
		return true;
	as_client(db, client_id, &as);
	add_text(&steps, "begin");
	add_run(db, &steps, SQL_SESSION_CLIENT, &as, NULL);
	bool ok = pipeline(db, &steps, err);
	args_free(&as);
	return ok;
}

bool db_as(struct db *db, uint64_t client_id, struct err *err)
{
	struct sql_args as = SQL_ARGS_INIT;

	as_client(db, client_id, &as);
	bool ok = db_query(db, SQL_SESSION_CLIENT, &as, NULL, err);
	args_free(&as);
	return ok;
}

static bool act(struct db *db, const struct db_act *acts, size_t n, bool commit, struct err *err)
{
	struct sql_args as[DB_ACTS_MAX];
	struct steps steps = {.n = 0};

	if (!db->is_held)
		add_text(&steps, "begin");
	if (!commit && !db->plans_once)
		add_text(&steps, "set local plan_cache_mode = force_generic_plan");
	for (size_t i = 0; i < n; i++) {
		as[i] = SQL_ARGS_INIT;
		if (i == 0 || acts[i].client_id != acts[i - 1].client_id) {
			as_client(db, acts[i].client_id, &as[i]);
			add_run(db, &steps, SQL_SESSION_CLIENT, &as[i], NULL);
		}
		add_run(db, &steps, acts[i].query, acts[i].args, acts[i].rows);
	}
	if (!db->is_held && commit)
		add_text(&steps, "commit");
	bool ok = pipeline(db, &steps, err);
	for (size_t i = 0; i < n; i++)
		args_free(&as[i]);
	return ok;
}

bool db_act_all(struct db *db, const struct db_act *acts, size_t n, struct err *err)
{
	return act(db, acts, n, true, err);
}

bool db_begin_acts(struct db *db, const struct db_act *acts, size_t n, struct err *err)
{
	return act(db, acts, n, false, err);
}

bool db_query_as(struct db *db, uint64_t client_id, enum sql_query query,
	const struct sql_args *args, struct rows *rows, struct err *err)
{
	const struct db_act one = {client_id, query, args, rows};
	return act(db, &one, 1, true, err);
}

bool db_hold(struct db *db, uint64_t client_id, struct err *err)
{
	db->is_held = db_begin_as(db, client_id, err);
	return db->is_held;
}

bool db_release(struct db *db, struct err *err)
{
	if (!db->is_held)
		return fail(err, ERR_INTERNAL, "the transaction was given up before");
	db->is_held = false;
	return db_commit(db, err);
}

/* ---- COPY ---- */

/* The statement with the partition's number in place of %lld. */
static void with_partition(struct strbuf *out, const char *text, int64_t partition)
{
	const char *mark = strstr(text, "%lld");
	if (!mark)
		die("sql.no_partition_mark", "text=%s", log_q(text));
	strbuf_add(out, text, (size_t)(mark - text));
	strbuf_printf(out, "%lld", (long long)partition);
	strbuf_puts(out, mark + strlen("%lld"));
}

bool db_copy_begin(
	struct db *db, enum sql_query query, int64_t partition, bool commits, struct err *err)
{
	struct strbuf text = STRBUF_INIT;

	db->constraint[0] = '\0';
	if (!db->conn)
		return busy(err);
	with_partition(&text, sql_statements[query].text, partition);
	db->copy_commits = commits && !db->is_held;
	if (db->copy_commits)
		strbuf_puts(&text, "; commit");
	PGresult *result = PQexec(db->conn, text.p);
	strbuf_free(&text);
	if (PQresultStatus(result) != PGRES_COPY_IN)
		return failed(db, result, sql_statements[query].name, err);
	PQclear(result);
	return true;
}

bool db_copy_data(struct db *db, struct str data, struct err *err)
{
	enum { PIECE = 1 << 20 };

	if (!db->conn)
		return busy(err);
	while (data.n) {
		size_t n = MIN(data.n, (size_t)PIECE);
		if (PQputCopyData(db->conn, data.p, (int)n) != 1)
			return failed(db, NULL, "copy", err);
		data.p += n;
		data.n -= n;
	}
	return true;
}

bool db_copy_end(struct db *db, struct err *err)
{
	if (!db->conn)
		return busy(err);
	if (PQputCopyEnd(db->conn, NULL) != 1)
		return failed(db, NULL, "copy", err);
	PGresult *result = step_result(db);
	if (db->copy_commits)
		return take_commit(db, result, err);
	if (!is_good(result))
		return failed(db, result, "copy", err);
	PQclear(result);
	return true;
}
