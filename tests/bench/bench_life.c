/* How fast does PostgreSQL take whole lives of calls? A bare loop around libpq issues the statements of the dispatcher's
 * commit stream, as many calls in a transaction as it is told: with each, the plans of one group of calls, and events, details
 * and rollups of the group before, in the order of no index. Prints a line of JSON.
 *
 * bench_life DSN NODE EPOCH CLIENT SERVERS QUEUE_MASTER FIRST_CHUNK CHUNKS CALLS_A_COMMIT
 *
 * Chunks follow one another, have 1,024 entries each and belong to that queue master; servers are 1 to SERVERS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "sql/args.h"
#include "sql/embedded.h"

#include "common/base.h"

enum { CHUNK_ENTRIES = 1024, TALK_US = 100000 };

struct life {
	PGconn *conn;
	struct str node;
	int64_t epoch, client, servers, queue_master, first_chunk;
	int64_t entries, group;
	int64_t answers; /* owed for this transaction */
};

static void must(const struct life *life, bool ok)
{
	if (!ok)
		die("bench.failed", "why=%s", log_q(PQerrorMessage(life->conn)));
}

static void send(struct life *life, enum sql_query query, const struct sql_args *args)
{
	struct libpq_args p;
	args_to_libpq(args, &p);
	must(life, PQsendQueryPrepared(life->conn, sql_statements[query].name, p.n, p.value,
			   p.length, p.format, 1));
	life->answers++;
}

/* One transaction: answers of its statements, then of its end. */
static void commit(struct life *life)
{
	must(life, PQpipelineSync(life->conn));
	for (life->answers++; life->answers > 0;) {
		PGresult *result = PQgetResult(life->conn);
		ExecStatusType status = PQresultStatus(result);
		must(life, !result || status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
				   status == PGRES_PIPELINE_SYNC);
		life->answers -= result != NULL;
		PQclear(result);
	}
}

static void prepare(struct life *life)
{
	static const enum sql_query used[] = {
		SQL_CHUNK_CLAIM, SQL_ATTEMPT_ARM, SQL_DETAIL_FINISH, SQL_EVENT_APPEND};
	PQclear(PQexec(life->conn,
		"select set_config('plan_cache_mode', 'force_generic_plan', false), "
		"set_config('enable_seqscan', 'off', false), "
		"set_config('jit', 'off', false)"));
	for (size_t i = 0; i < ARRAY_LEN(used); i++) {
		PGresult *result = PQprepare(life->conn, sql_statements[used[i]].name,
			sql_statements[used[i]].text, 0, NULL);
		must(life, PQresultStatus(result) == PGRES_COMMAND_OK);
		PQclear(result);
	}
	must(life, PQenterPipelineMode(life->conn));
}

/* The arrays of a group: entries from .. to. */
#define COLUMN(oid, add, value)                                                                    \
	do {                                                                                       \
		struct sql_array column_ = arg_array(&args, oid);                                  \
		for (int64_t i = from; i < to; i++)                                                \
			add(&column_, value);                                                      \
		array_end(&column_);                                                               \
	} while (0)

static int64_t entry_of(const struct life *life, int64_t i)
{
	return (life->first_chunk << 10) + i;
}

/* Calls begin in order and end in none: the i-th of n that ends. */
static int64_t shuffled(int64_t i, int64_t n)
{
	enum { PRIME = 1000003 };
	return i * PRIME % n;
}

/* Chunks that begin in this group. */
static void claim(struct life *life, int64_t from, int64_t to)
{
	struct sql_args args = SQL_ARGS_INIT;
	int64_t first = (from + CHUNK_ENTRIES - 1) / CHUNK_ENTRIES, last = (to - 1) / CHUNK_ENTRIES;
	arg_text(&args, life->node);
	arg_i64(&args, life->epoch);
	struct sql_array chunks = arg_array(&args, INT8OID);
	for (int64_t c = first; c <= last; c++)
		array_i64(&chunks, life->first_chunk + c);
	array_end(&chunks);
	if (first <= last)
		send(life, SQL_CHUNK_CLAIM, &args);
	args_free(&args);
}

static void arm(struct life *life, int64_t from, int64_t to, int64_t now_us)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_text(&args, life->node);
	arg_i64(&args, life->epoch);
	COLUMN(INT8OID, array_i64, entry_of(life, i));
	COLUMN(INT8OID, array_i64, 1);
	COLUMN(INT8OID, array_i64, life->client);
	COLUMN(INT8OID, array_i64, life->queue_master);
	COLUMN(INT8OID, array_i64, 1 + i % life->servers);
	COLUMN(TEXTOID, array_text, STR("911140000001"));
	COLUMN(TIMESTAMPTZOID, array_time, now_us);
	COLUMN(TEXTOID, array_text, STR("IN"));
	send(life, SQL_ATTEMPT_ARM, &args);
	args_free(&args);
}

static void finish(struct life *life, int64_t from, int64_t to, int64_t now_us)
{
	struct sql_args args = SQL_ARGS_INIT;
	COLUMN(INT8OID, array_i64, entry_of(life, from + shuffled(i - from, to - from)));
	COLUMN(INT8OID, array_i64, 1);
	COLUMN(INT8OID, array_i64, life->client);
	COLUMN(INT8OID, array_i64, life->queue_master);
	COLUMN(INT8OID, array_i64, 1 + i % life->servers);
	COLUMN(TEXTOID, array_text, STR("911140000001"));
	COLUMN(TEXTOID, array_text, STR("completed"));
	COLUMN(INT8OID, array_i64, 16);
	COLUMN(TEXTOID, array_text, STR("answered"));
	COLUMN(BOOLOID, array_bool, true);
	COLUMN(BOOLOID, array_bool, false);
	COLUMN(TIMESTAMPTZOID, array_time, now_us - TALK_US);
	COLUMN(TIMESTAMPTZOID, array_time, now_us - TALK_US / 2);
	COLUMN(TIMESTAMPTZOID, array_time, now_us);
	COLUMN(INT8OID, array_i64, TALK_US / 1000);
	COLUMN(INT8OID, array_i64, TALK_US / 2000);
	COLUMN(TEXTOID, array_text, STR("919000100000"));
	send(life, SQL_DETAIL_FINISH, &args);
	args_free(&args);
}

/* As long as those of the dispatcher are. */
static struct str payload(int64_t kind)
{
	static char text[450];
	static const size_t lengths[] = {228, 250, 364};
	if (!*text)
		memset(text, 'x', sizeof(text));
	return (struct str){text, lengths[kind]};
}

/* Three of each call, as they would come: from .. to counts events. */
static void tell(struct life *life, int64_t first, int64_t calls, int64_t now_us)
{
	static const char *const types[] = {"call_started", "call_answered", "call_ended"};
	int64_t from = 0, to = calls * 3;
	struct sql_args args = SQL_ARGS_INIT;
	COLUMN(INT8OID, array_i64, i);
	COLUMN(INT8OID, array_i64, life->client);
	COLUMN(TEXTOID, array_text, str_of(types[i / calls]));
	COLUMN(TIMESTAMPTZOID, array_time, now_us - TALK_US + i / calls * TALK_US / 2);
	COLUMN(INT8OID, array_i64, entry_of(life, first + shuffled(i % calls, calls)));
	COLUMN(INT8OID, array_i64, 1);
	COLUMN(TEXTOID, array_text, payload(i / calls));
	send(life, SQL_EVENT_APPEND, &args);
	args_free(&args);
}

static void live(struct life *life)
{
	int64_t armed = 0, over = 0;
	while (over < life->entries) {
		int64_t next = MIN(armed + life->group, life->entries), now_us = clock_wall_us();
		if (next > armed) {
			claim(life, armed, next);
			arm(life, armed, next, now_us);
		}
		if (armed > over) {
			finish(life, over, armed, now_us);
			tell(life, over, armed - over, now_us);
		}
		over = armed;
		armed = next;
		commit(life);
	}
}

/* Seconds of CPU that our backend has used; it is on this machine. */
static double backend_s(const struct life *life)
{
	char path[40], line[1024] = "";
	unsigned long user = 0, system = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", PQbackendPID(life->conn));
	FILE *file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		die("bench.failed", "why=\"%s cannot be read\"", path);
	(void)fclose(file);
	const char *behind_name = strrchr(line, ')');
	if (!behind_name ||
		sscanf(behind_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			&user, &system) != 2)
		die("bench.failed", "why=\"%s is not as expected\"", path);
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int64_t number(const char *text)
{
	uint64_t value;
	if (!str_to_u64(str_of(text), 0, INT64_MAX, &value))
		die("bench.usage", "why=\"%s is no number\"", text);
	return (int64_t)value;
}

int main(int argc, char **argv)
{
	if (argc != 10)
		die("bench.usage", "why=\"nine arguments: see bench_life.c\"");
	struct life life = {.conn = PQconnectdb(argv[1]),
		.node = str_of(argv[2]),
		.epoch = number(argv[3]),
		.client = number(argv[4]),
		.servers = number(argv[5]),
		.queue_master = number(argv[6]),
		.first_chunk = number(argv[7]),
		.entries = number(argv[8]) * CHUNK_ENTRIES,
		.group = number(argv[9])};
	must(&life, PQstatus(life.conn) == CONNECTION_OK);
	prepare(&life);
	int64_t began_us = clock_mono_us();
	live(&life);
	double seconds = (double)(clock_mono_us() - began_us) / US_PER_S;
	(void)printf("{\"calls\":%lld,\"seconds\":%.3f,\"backend_s\":%.2f}\n",
		(long long)life.entries, seconds, backend_s(&life));
	PQfinish(life.conn);
	return 0;
}
