/* Drives sql/db.c and sql/stream.c against a real PostgreSQL: one scenario a run, named by the first argument.
 *
 * The environment says how to connect: OWNER_DSN, API_DSN, ENEMY_DSN (a superuser, who ends our
 * sessions), CLIENT and OTHER (ids of two clients with a batch each). */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/poll.h"
#include "common/token.h"
#include "sql/db.h"
#include "sql/stream.h"

#include "common/base.h"

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			die("probe.failed", "line=%d expected=%s kind=%s text=%s", __LINE__,       \
				log_q(#condition), err_kind_name(err.kind), log_q(err.text));      \
	} while (0)

static struct err err;
static struct db *db;
static PGconn *enemy;

static uint64_t id_of(const char *name)
{
	uint64_t id = 0;
	if (!str_to_u64(str_of(getenv(name)), 1, UINT64_MAX, &id))
		die("probe.no_id", "name=%s", name);
	return id;
}

static void connect_as(const char *dsn_name, int64_t timeout_ms)
{
	db_free(db);
	db = db_new(getenv(dsn_name), "db_probe", timeout_ms);
	EXPECT(db_ready(db, &err));
}

/* What only an outsider can do: end sessions, hold locks. */
static void enemy_runs(const char *text)
{
	if (!enemy)
		enemy = PQconnectdb(getenv("ENEMY_DSN"));
	PGresult *result = PQexec(enemy, text);
	EXPECT(PQresultStatus(result) == PGRES_TUPLES_OK ||
		PQresultStatus(result) == PGRES_COMMAND_OK);
	PQclear(result);
}

/* Returns once the session is gone: its socket is closed, or about to be. */
static void end_our_session(void)
{
	enemy_runs("select pg_terminate_backend(pid, 5000) from pg_stat_activity"
		   " where application_name = 'db_probe'");
}

static int64_t backend(void)
{
	struct rows rows = ROWS_INIT;
	EXPECT(db_query(db, SQL_SCHEMA_NUMBER, NULL, &rows, &err));
	rows_free(&rows);
	enemy_runs("select 1");
	PGresult *result = PQexec(
		enemy, "select pid from pg_stat_activity where application_name = 'db_probe'");
	EXPECT(PQntuples(result) == 1);
	uint64_t pid = 0;
	EXPECT(str_to_u64(str_of(PQgetvalue(result, 0, 0)), 1, INT32_MAX, &pid));
	PQclear(result);
	return (int64_t)pid;
}

static bool insert_key(const char *name, size_t digest_bytes)
{
	static const char digest[64] = "a digest, which nothing else has";
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)id_of("CLIENT"));
	arg_bytes(&args, digest, digest_bytes);
	arg_text(&args, STR("shown"));
	arg_text(&args, str_of(name));
	arg_i64(&args, 0);
	arg_text(&args, STR("read"));
	arg_text(&args, STR(""));
	arg_i64(&args, 50);
	arg_i64(&args, 0);
	bool ok = db_query(db, SQL_KEY_INSERT, &args, NULL, &err);
	args_free(&args);
	return ok;
}

/* ---- what errors mean ---- */

static void violations(void)
{
	connect_as("OWNER_DSN", 5000);
	EXPECT(db_begin(db, &err) && insert_key("one", DIGEST_BYTES));
	EXPECT(!insert_key("two", DIGEST_BYTES) && err.kind == ERR_CONFLICT);
	EXPECT(str_eq(str_of(db_constraint(db)), STR("api_key_digest_key")));
	/* The transaction has failed: what comes after says so, and COMMIT is no success. */
	EXPECT(!insert_key("three", DIGEST_BYTES) && err.kind == ERR_INTERNAL);
	EXPECT(!db_commit(db, &err) && err.kind == ERR_INTERNAL);
	EXPECT(db_ready(db, &err) && !insert_key("short", 31) && err.kind == ERR_INPUT);
	EXPECT(str_eq(str_of(db_constraint(db)), STR("api_key_digest_check")));
	EXPECT(!insert_key("", DIGEST_BYTES) && err.kind == ERR_INPUT);
	EXPECT(!insert_key("\xff", DIGEST_BYTES) && err.kind == ERR_INPUT);
	EXPECT(str_eq(str_of(db_constraint(db)), STR("")));
	EXPECT(db_begin(db, &err) && insert_key("fine", DIGEST_BYTES));
	db_rollback(db);
	db_rollback(db);
}

static void forbidden(void)
{
	connect_as("API_DSN", 5000);
	EXPECT(!insert_key("mine", DIGEST_BYTES) && err.kind == ERR_INTERNAL);
	EXPECT(strstr(err.text, "42501") && strstr(err.text, "key_insert"));
}

/* A share of 100,000 channels: more than the client has, which is checked when it is committed. */
static void add_too_much(struct sql_args *args)
{
	arg_i64(args, (int64_t)id_of("CLIENT"));
	arg_i64(args, (int64_t)id_of("SERVER"));
	arg_i64(args, 100000);
	arg_i64(args, 1);
	arg_null(args, INT8OID);
	arg_null(args, TEXTOID);
	arg_null(args, TEXTARRAYOID);
	arg_null(args, BOOLOID);
}

static void commit_that_fails(void)
{
	struct sql_args args = SQL_ARGS_INIT;

	connect_as("OWNER_DSN", 5000);
	add_too_much(&args);
	EXPECT(db_begin(db, &err));
	EXPECT(db_query(db, SQL_ALLOCATION_UPDATE, &args, NULL, &err));
	EXPECT(!db_commit(db, &err) && err.kind == ERR_INPUT);
	EXPECT(strstr(err.text, "the client has"));
	EXPECT(str_eq(str_of(db_constraint(db)), STR("allocation_fits")));
	EXPECT(db_ready(db, &err));
	args_free(&args);
}

static void too_slow(void)
{
	enemy_runs("begin");
	enemy_runs("select pg_advisory_xact_lock(hashtext('ccs.migrate'))");
	connect_as("OWNER_DSN", 100);
	EXPECT(!db_query(db, SQL_SCHEMA_LOCK, NULL, NULL, &err) && err.kind == ERR_BUSY);
	EXPECT(err.retry_after_s > 0);
	enemy_runs("rollback");
	EXPECT(db_ready(db, &err) && db_query(db, SQL_SCHEMA_LOCK, NULL, NULL, &err));
}

/* ---- connections that go away ---- */

static void lost_while_idle(void)
{
	connect_as("OWNER_DSN", 5000);
	int64_t first = backend();
	end_our_session();
	/* Nobody notices: db_ready sees the end before a statement is sent. */
	EXPECT(db_ready(db, &err));
	EXPECT(backend() != first);
}

static void lost_in_a_transaction(void)
{
	connect_as("OWNER_DSN", 5000);
	EXPECT(db_begin(db, &err) && insert_key("lost", DIGEST_BYTES));
	end_our_session();
	EXPECT(!insert_key("lost too", 31) && err.kind == ERR_BUSY && err.retry_after_s > 0);
	EXPECT(*db_words(db));
	EXPECT(!db_commit(db, &err) && err.kind == ERR_BUSY);
	/* Prepared statements are made again, and nothing of the transaction is left. */
	EXPECT(db_ready(db, &err) && db_begin(db, &err) && insert_key("lost", DIGEST_BYTES));
	db_rollback(db);
}

static void lost_in_a_pipeline(void)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	connect_as("API_DSN", 5000);
	arg_i64(&args, (int64_t)id_of("CLIENT"));
	end_our_session();
	EXPECT(!db_query_as(db, id_of("CLIENT"), SQL_ALLOCATIONS_OF_CLIENT, &args, &rows, &err) &&
		err.kind == ERR_BUSY);
	EXPECT(rows.result == NULL);
	EXPECT(!db_begin_as(db, id_of("CLIENT"), &err) && err.kind == ERR_BUSY);
	EXPECT(db_ready(db, &err));
	EXPECT(db_query_as(db, id_of("CLIENT"), SQL_ALLOCATIONS_OF_CLIENT, &args, &rows, &err));
	rows_free(&rows);
	args_free(&args);
}

static void away(void)
{
	db_free(db);
	db = db_new("host=/nowhere/at/all dbname=x", "db_probe", 5000);
	EXPECT(!db_ready(db, &err) && err.kind == ERR_BUSY && err.retry_after_s > 0);
	EXPECT(strstr(db_words(db), "/nowhere/at/all"));
	EXPECT(!strstr(err.text, "nowhere")); /* that may be shown to a client */
	int64_t before = clock_mono_us();
	for (int i = 0; i < 1000; i++)
		EXPECT(!db_ready(db, &err) && err.kind == ERR_BUSY);
	EXPECT(clock_mono_us() - before < US_PER_S); /* a thousand attempts would be in the log */
}

static void left_open(void)
{
	connect_as("OWNER_DSN", 5000);
	EXPECT(db_begin(db, &err) && insert_key("forgotten", DIGEST_BYTES));
	EXPECT(db_ready(db, &err)); /* rolls back */
	EXPECT(db_begin(db, &err) && insert_key("forgotten", DIGEST_BYTES));
	db_rollback(db);
}

/* ---- tenants ---- */

static void one_tenant_at_a_time(void)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	const uint64_t ours = id_of("CLIENT"), theirs = id_of("OTHER");

	connect_as("API_DSN", 5000);
	arg_i64(&args, (int64_t)theirs);
	arg_i64(&args, 1);
	EXPECT(db_query_as(db, theirs, SQL_BATCH_FIND, &args, &rows, &err) && rows.n == 1);
	EXPECT(db_query_as(db, ours, SQL_BATCH_FIND, &args, &rows, &err) && rows.n == 0);
	/* And afterwards nobody: what was set ended with the transaction. */
	EXPECT(db_query(db, SQL_BATCH_FIND, &args, &rows, &err) && rows.n == 0);
	EXPECT(db_begin_as(db, theirs, &err));
	EXPECT(db_query(db, SQL_BATCH_FIND, &args, &rows, &err) && rows.n == 1);
	EXPECT(db_commit(db, &err));
	EXPECT(db_query(db, SQL_BATCH_FIND, &args, &rows, &err) && rows.n == 0);
	rows_free(&rows);
	args_free(&args);
}

static void a_failed_pipeline_leaves_the_connection_usable(void)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	const uint64_t ours = id_of("CLIENT");

	connect_as("API_DSN", 5000);
	arg_i64(&args, (int64_t)id_of("OTHER"));
	for (int i = 0; i < 3; i++) {
		EXPECT(!db_query_as(db, ours, SQL_CHANGE_RELOAD, &args, &rows, &err));
		EXPECT(err.kind == ERR_INTERNAL && strstr(err.text, "row-level security"));
	}
	args_reset(&args);
	arg_i64(&args, (int64_t)ours);
	EXPECT(db_query_as(db, ours, SQL_CHANGE_RELOAD, &args, &rows, &err) && rows.n == 1);
	rows_free(&rows);
	args_free(&args);
}

static void several_tenants_in_one_transaction(void)
{
	struct sql_args args[3] = {SQL_ARGS_INIT, SQL_ARGS_INIT, SQL_ARGS_INIT};
	struct rows rows[3] = {ROWS_INIT, ROWS_INIT, ROWS_INIT};
	const uint64_t ours = id_of("CLIENT"), theirs = id_of("OTHER");
	struct db_act acts[3] = {{ours, SQL_CHANGE_RELOAD, &args[0], &rows[0]},
		{theirs, SQL_CHANGE_RELOAD, &args[1], &rows[1]},
		{theirs, SQL_BATCH_FIND, &args[2], &rows[2]}};

	connect_as("API_DSN", 5000);
	arg_i64(&args[0], (int64_t)ours);
	arg_i64(&args[1], (int64_t)theirs);
	arg_i64(&args[2], (int64_t)theirs);
	arg_i64(&args[2], 1);
	for (int i = 0; i < 2; i++) { /* the second time everything is prepared */
		EXPECT(db_act_all(db, acts, 3, &err));
		EXPECT(rows[0].n == 1 && rows[1].n == 1 && rows[2].n == 1);
	}
	acts[1].client_id = ours; /* the wall: none of the three takes effect */
	EXPECT(!db_act_all(db, acts, 3, &err) && strstr(err.text, "row-level security"));
	for (int i = 0; i < 3; i++) {
		EXPECT(!rows[i].result);
		args_free(&args[i]);
	}
}

/* ---- COPY ---- */

static const char copy_head[19] = "PGCOPY\n\377\r\n";
static const char copy_end[2] = "\377\377";

static int64_t partition_of_today(void)
{
	PGresult *result = PQexec(enemy, "select nextval('chunk_id_seq') >> 30");
	uint64_t week = 0;
	EXPECT(str_to_u64(str_of(PQgetvalue(result, 0, 0)), 0, INT32_MAX, &week));
	PQclear(result);
	return (int64_t)week;
}

static bool copy_rows(const char *bytes, size_t n, bool commits)
{
	return db_copy_begin(db, SQL_ENTRY_COPY, partition_of_today(), commits, &err) &&
	       db_copy_data(db, (struct str){copy_head, sizeof(copy_head)}, &err) &&
	       db_copy_data(db, (struct str){bytes, n}, &err) &&
	       db_copy_data(db, (struct str){copy_end, sizeof(copy_end)}, &err) &&
	       db_copy_end(db, &err);
}

static bool copy(const char *bytes, size_t n)
{
	return copy_rows(bytes, n, false);
}

static void copies(void)
{
	enemy_runs("select 1");
	connect_as("API_DSN", 5000);
	EXPECT(db_begin_as(db, id_of("CLIENT"), &err) && copy("", 0) && db_commit(db, &err));
	EXPECT(db_begin_as(db, id_of("CLIENT"), &err));
	EXPECT(!copy("\0\1\0\0\0\1x", 7) && err.kind != ERR_BUSY && err.kind != ERR_NONE);
	/* With the commit behind it: its end is that of the transaction, or nothing is committed. */
	EXPECT(db_ready(db, &err) && db_begin_as(db, id_of("CLIENT"), &err) &&
		copy_rows("", 0, true));
	EXPECT(db_begin_as(db, id_of("CLIENT"), &err) && !copy_rows("\0\1\0\0\0\1x", 7, true));
	EXPECT(db_commit(db, &err) == false && err.kind == ERR_INTERNAL);
	/* Given up in the middle, by a request that met its own error. */
	EXPECT(db_ready(db, &err) && db_begin_as(db, id_of("CLIENT"), &err));
	EXPECT(db_copy_begin(db, SQL_ENTRY_COPY, partition_of_today(), false, &err));
	EXPECT(db_copy_data(db, (struct str){copy_head, sizeof(copy_head)}, &err));
	EXPECT(db_ready(db, &err));
	EXPECT(db_begin_as(db, id_of("CLIENT"), &err) && copy("", 0) && db_commit(db, &err));
	/* The connection ends in the middle. */
	EXPECT(db_copy_begin(db, SQL_ENTRY_COPY, partition_of_today(), false, &err));
	end_our_session();
	bool sent = db_copy_data(db, (struct str){copy_head, sizeof(copy_head)}, &err);
	EXPECT(!sent || !db_copy_end(db, &err));
	EXPECT(err.kind == ERR_BUSY && db_ready(db, &err));
}

/* ---- the stream ---- */

static void nothing_more(void *arg)
{
	(void)arg;
}

static void no_stream(void *arg, const char *why)
{
	(void)arg;
	die("probe.stream_lost", "why=%s", log_q(why));
}

struct group_end {
	bool over, ok;
};

static void note_end(void *arg, bool ok, const struct err *why)
{
	(void)why;
	*(struct group_end *)arg = (struct group_end){true, ok};
}

/* One row of control for each client; a client that does not exist is refused. */
static void send_group(
	struct stream *stream, const uint64_t *clients, size_t n, struct group_end *end)
{
	for (size_t i = 0; i < n; i++) {
		struct sql_args args = SQL_ARGS_INIT;
		arg_i64(&args, (int64_t)clients[i]);
		stream_query(stream, SQL_CHANGE_RELOAD, &args, NULL, NULL);
		args_free(&args);
	}
	*end = (struct group_end){false, false};
	stream_end(stream, note_end, end);
}

static int64_t reloads(void)
{
	enemy_runs("select 1");
	PGresult *result = PQexec(enemy, "select count(*) from control where kind = 'reload'");
	uint64_t n = 0;
	EXPECT(str_to_u64(str_of(PQgetvalue(result, 0, 0)), 0, INT32_MAX, &n));
	PQclear(result);
	return (int64_t)n;
}

/* A group that nothing is wrong with until it is committed. */
static void send_late_failure(struct stream *stream, struct group_end *end)
{
	struct sql_args args = SQL_ARGS_INIT;
	add_too_much(&args);
	stream_query(stream, SQL_ALLOCATION_UPDATE, &args, NULL, NULL);
	args_free(&args);
	*end = (struct group_end){false, false};
	stream_end(stream, note_end, end);
}

/* What one group did wrong is not held against those behind it, sent before or after its refusal is known. */
static void a_refused_group_leaves_the_stream_usable(void)
{
	static const enum sql_query queries[] = {
		SQL_CHANGE_RELOAD, SQL_ALLOCATION_UPDATE, SQL_QUERY__N};
	static const struct stream_ops ops = {.up = nothing_more, .down = no_stream};
	const uint64_t ours = id_of("CLIENT"), refused[] = {ours, 999999999, ours};
	struct poll *poll = poll_new();
	struct stream *stream =
		stream_new(poll, getenv("OWNER_DSN"), "db_probe", NULL, queries, &ops, NULL);
	struct group_end bad, late, good;
	int64_t before = reloads();

	while (!stream_is_up(stream))
		poll_wait(poll, 100);
	for (int i = 1; i <= 3; i++) {
		send_group(stream, refused, ARRAY_LEN(refused), &bad);
		send_late_failure(stream, &late);
		send_group(stream, &ours, 1, &good);
		while (!good.over)
			poll_wait(poll, 100);
		EXPECT(bad.over && !bad.ok && late.over && !late.ok && good.ok);
		EXPECT(reloads() == before + i);
	}
	stream_free(stream);
	poll_free(poll);
}

static const struct {
	const char *name;
	void (*run)(void);
} scenarios[] = {
	{"violations", violations},
	{"forbidden", forbidden},
	{"commit_that_fails", commit_that_fails},
	{"too_slow", too_slow},
	{"lost_while_idle", lost_while_idle},
	{"lost_in_a_transaction", lost_in_a_transaction},
	{"lost_in_a_pipeline", lost_in_a_pipeline},
	{"away", away},
	{"left_open", left_open},
	{"one_tenant_at_a_time", one_tenant_at_a_time},
	{"several_tenants_in_one_transaction", several_tenants_in_one_transaction},
	{"a_failed_pipeline_leaves_the_connection_usable",
		a_failed_pipeline_leaves_the_connection_usable},
	{"copies", copies},
	{"a_refused_group_leaves_the_stream_usable", a_refused_group_leaves_the_stream_usable},
};

/* Without a name: prints all of them. */
int main(int argc, char **argv)
{
	bool found = false;

	log_open("db_probe", LOG_INFO);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		if (argc == 1) {
			(void)puts(scenarios[i].name);
			found = true;
		} else if (str_eq(str_of(argv[1]), str_of(scenarios[i].name))) {
			scenarios[i].run();
			found = true;
		}
	}
	db_free(db);
	PQfinish(enemy);
	return found ? EXIT_SUCCESS : EXIT_FAILURE;
}
