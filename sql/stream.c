/* libpq in pipeline mode inside an epoll loop: see stream.h. */
#include <stdio.h>
#include <stdlib.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "sql/session.h"
#include "sql/stream.h"

#include "common/base.h"

enum {
	FIRST_PAUSE_MS = 100,
	LONGEST_PAUSE_MS = 5000,
	CONNECT_TIMEOUT_S = 5,
};

/* A statement is planned once, perhaps while its tables are empty, and the plan is kept: one that reads a table from end to
 * end was cheap then. What an index cannot answer is read so all the same, at a price that must not call for the compiler. */
static const char PLANS[] =
	"select set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false)";

enum stream_state { STREAM_IDLE, STREAM_CONNECTING, STREAM_PREPARING, STREAM_UP };

enum step_kind { STEP_SILENT, STEP_ROWS, STEP_END };

/* One answer that PostgreSQL owes us, in order. */
struct step {
	enum step_kind kind;
	stream_rows_fn *rows_fn;
	stream_end_fn *end_fn;
	void *arg;
	struct step *prev, *next;
};

struct stream {
	struct poll *poll;
	char *dsn;
	const char *application;
	const char *listen;
	const enum sql_query *queries; /* prepared at every connect; ends with SQL_QUERY__N */
	const struct stream_ops *ops;
	void *arg;

	enum stream_state state;
	PGconn *conn;
	int fd; /* watched, or -1 */
	uint32_t watching;
	int64_t deadline_mono_us;
	int64_t pause_ms;

	struct step *steps;	/* owed answers, oldest first */
	unsigned groups;	/* how many of them are ends */
	struct err first_error; /* of the group being answered */
};

static void on_ready(void *arg, uint32_t events);

static void watch(struct stream *stream, uint32_t events)
{
	int fd = PQsocket(stream->conn);
	if (fd != stream->fd) {
		struct err err;
		if (stream->fd >= 0)
			poll_remove(stream->poll, stream->fd);
		if (!poll_add(stream->poll, fd, events, on_ready, stream, &err))
			die("database.watch", "why=%s", log_q(err.text));
		stream->fd = fd;
	} else if (events != stream->watching) {
		poll_change(stream->poll, fd, events);
	}
	stream->watching = events;
}

/* The pause doubles up to its cap; between half of it and all of it, so that many nodes do not
 * return as one. */
static void schedule_reconnect(struct stream *stream)
{
	uint32_t noise;
	random_bytes(&noise, sizeof(noise));
	stream->pause_ms = MIN(stream->pause_ms ? stream->pause_ms * 2 : FIRST_PAUSE_MS,
		(int64_t)LONGEST_PAUSE_MS);
	int64_t pause_us = stream->pause_ms * US_PER_MS;
	stream->deadline_mono_us = clock_mono_us() + pause_us / 2 + noise % (pause_us / 2 + 1);
}

/* libpq explains itself over several lines; the first says what happened. */
static int first_line(const char *text)
{
	return (int)strcspn(text, "\n");
}

static void answer_all_lost(struct stream *stream, const struct err *err)
{
	struct step *steps = stream->steps;
	stream->steps = NULL;
	stream->groups = 0;
	for (struct step *s = steps, *next; s; s = next) {
		next = s->next;
		if (s->kind == STEP_END && s->end_fn)
			s->end_fn(s->arg, false, err);
		free(s);
	}
}

static void lose(struct stream *stream, const char *what)
{
	struct err err;
	bool was_up = stream->state == STREAM_UP;
	const char *why = PQerrorMessage(stream->conn);
	if (!why || !*why)
		why = "connection lost";
	fail(&err, ERR_BUSY, "PostgreSQL: %s: %.*s", what, first_line(why), why);

	if (stream->fd >= 0)
		poll_remove(stream->poll, stream->fd);
	PQfinish(stream->conn);
	stream->conn = NULL;
	stream->fd = -1;
	stream->state = STREAM_IDLE;
	schedule_reconnect(stream);
	log_warn("database.lost", "conn=%s why=%s next_try_ms=%lld", stream->application,
		log_q(err.text),
		(long long)((stream->deadline_mono_us - clock_mono_us()) / US_PER_MS));
	answer_all_lost(stream, &err);
	if (was_up)
		stream->ops->down(stream->arg, err.text);
}

static bool flush(struct stream *stream)
{
	int left = PQflush(stream->conn);
	if (left < 0) {
		lose(stream, "write");
		return false;
	}
	watch(stream, EPOLLIN | (left ? EPOLLOUT : 0));
	return true;
}

static struct step *owe(struct stream *stream, enum step_kind kind, void *arg)
{
	struct step *s = calloc(1, sizeof(*s));
	if (!s)
		die("memory.exhausted", "bytes=%zu", sizeof(*s));
	s->kind = kind;
	s->arg = arg;
	DL_APPEND(stream->steps, s);
	return s;
}

static void must_send(struct stream *stream, int sent)
{
	if (!sent) /* out of memory or a misuse of libpq; a lost connection shows itself in PQflush
		    */
		log_error("database.send", "conn=%s why=%s", stream->application,
			log_q(PQerrorMessage(stream->conn)));
}

static void send_plain(struct stream *stream, const char *command)
{
	must_send(stream, PQsendQueryParams(stream->conn, command, 0, NULL, NULL, NULL, NULL, 1));
	owe(stream, STEP_SILENT, NULL);
}

void stream_query(struct stream *stream, enum sql_query query, const struct sql_args *args,
	stream_rows_fn *fn, void *arg)
{
	const struct sql_statement *st = &sql_statements[query];
	const char *values[SQL_ARGS_MAX];
	int lengths[SQL_ARGS_MAX], formats[SQL_ARGS_MAX];
	int n = args ? args->n : 0;

	for (int i = 0; i < n; i++) {
		values[i] = args->offset[i] == SIZE_MAX ? NULL : args->bytes.p + args->offset[i];
		lengths[i] = args->length[i];
		formats[i] = 1;
	}
	must_send(stream,
		PQsendQueryPrepared(stream->conn, st->name, n, values, lengths, formats, 1));
	owe(stream, STEP_ROWS, arg)->rows_fn = fn;
}

/* PostgreSQL makes a transaction of all that stands before a Sync, and ends it there. One begun in words would be left open
 * by an error, which skips the words that end it. */
void stream_end(struct stream *stream, stream_end_fn *fn, void *arg)
{
	must_send(stream, PQpipelineSync(stream->conn));
	owe(stream, STEP_END, arg)->end_fn = fn;
	stream->groups++;
	(void)flush(stream);
}

static void note_error(struct stream *stream, const PGresult *result)
{
	enum err_kind kind = session_error_kind(result) == ERR_BUSY ? ERR_BUSY : ERR_INTERNAL;
	if (stream->first_error.kind == ERR_NONE) /* the rest of the group is only skipped */
		fail(&stream->first_error, kind, "%.*s", first_line(PQresultErrorMessage(result)),
			PQresultErrorMessage(result));
}

static void end_group(struct stream *stream, struct step *step)
{
	struct err err = stream->first_error;
	bool ok = err.kind == ERR_NONE;
	stream->first_error = (struct err){.kind = ERR_NONE};
	stream->groups--;
	if (!ok)
		log_error(
			"database.failed", "conn=%s why=%s", stream->application, log_q(err.text));
	if (step->end_fn)
		step->end_fn(step->arg, ok, &err);
}

/* Takes one result; false when the next has not arrived. In pipeline mode a NULL stands behind each
 * statement's result. */
static bool take_result(struct stream *stream)
{
	if (!stream->steps || PQisBusy(stream->conn))
		return false;
	PGresult *result = PQgetResult(stream->conn);
	if (!result)
		return true;
	struct step *step = stream->steps;
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_PIPELINE_SYNC) {
		PQclear(result);
		while (step->kind !=
			STEP_END) { /* a statement that libpq refused to send has no answer */
			DL_DELETE(stream->steps, step);
			free(step);
			step = stream->steps;
		}
		DL_DELETE(stream->steps, step);
		end_group(stream, step);
		free(step);
		return stream->conn != NULL;
	}
	if (step->kind == STEP_END) { /* the commit itself was refused; its sync comes next */
		note_error(stream, result);
		PQclear(result);
		return true;
	}
	DL_DELETE(stream->steps, step);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		struct rows rows = {result, PQntuples(result)};
		if (step->kind == STEP_ROWS && step->rows_fn)
			step->rows_fn(step->arg, &rows);
	} else {
		note_error(stream, result);
	}
	free(step);
	PQclear(result);
	return true;
}

static void deliver_notifications(struct stream *stream)
{
	PGnotify *n;
	while ((n = PQnotifies(stream->conn))) {
		if (stream->ops->notified)
			stream->ops->notified(stream->arg, n->relname, n->extra);
		PQfreemem(n);
	}
}

static void read_results(struct stream *stream)
{
	if (!PQconsumeInput(stream->conn)) {
		lose(stream, "read");
		return;
	}
	while (take_result(stream)) {
	}
	if (!stream->conn)
		return;
	deliver_notifications(stream);
	if (PQstatus(stream->conn) == CONNECTION_BAD) {
		lose(stream, "connection");
		return;
	}
	(void)flush(stream);
}

static void prepared(void *arg, bool ok, const struct err *err)
{
	struct stream *stream = arg;
	(void)err; /* logged; the schema is older than this program, or the role lacks a right: try
		      again later */
	if (stream->state != STREAM_PREPARING)
		return;
	if (!ok) {
		lose(stream, "prepare");
		return;
	}
	stream->state = STREAM_UP;
	stream->pause_ms = 0;
	stream->deadline_mono_us = INT64_MAX;
	log_info("database.up", "conn=%s", stream->application);
	stream->ops->up(stream->arg);
}

static void connected(struct stream *stream)
{
	if (PQsetnonblocking(stream->conn, 1) != 0 || !PQenterPipelineMode(stream->conn)) {
		lose(stream, "pipeline mode");
		return;
	}
	stream->state = STREAM_PREPARING;
	stream->first_error = (struct err){.kind = ERR_NONE};
	for (const enum sql_query *q = stream->queries; *q != SQL_QUERY__N; q++) {
		must_send(stream, PQsendPrepare(stream->conn, sql_statements[*q].name,
					  sql_statements[*q].text, 0, NULL));
		owe(stream, STEP_SILENT, NULL);
	}
	send_plain(stream, PLANS);
	if (stream->listen) {
		char command[80];
		(void)snprintf(command, sizeof(command), "listen %s", stream->listen);
		send_plain(stream, command);
	}
	stream_end(stream, prepared, stream);
}

static void go_on_connecting(struct stream *stream)
{
	switch (PQconnectPoll(stream->conn)) {
	case PGRES_POLLING_READING:
		watch(stream, EPOLLIN);
		break;
	case PGRES_POLLING_WRITING:
		watch(stream, EPOLLOUT);
		break;
	case PGRES_POLLING_OK:
		watch(stream, EPOLLIN);
		connected(stream);
		break;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
		lose(stream, "connect");
		break;
	}
}

static void on_ready(void *arg, uint32_t events)
{
	struct stream *stream = arg;
	(void)events;
	if (stream->state == STREAM_CONNECTING) {
		/* The socket may change between two steps under the same number: watch it anew. */
		poll_remove(stream->poll, stream->fd);
		stream->fd = -1;
		go_on_connecting(stream);
	} else {
		read_results(stream);
	}
}

static void start_connecting(struct stream *stream)
{
	const char *keys[] = {"dbname", "application_name", "tcp_user_timeout", "keepalives_idle",
		"client_encoding", NULL};
	const char *values[] = {stream->dsn, stream->application, "10000", "10", "UTF8", NULL};

	stream->conn = PQconnectStartParams(keys, values, 1);
	if (!stream->conn)
		die("memory.exhausted", "what=PGconn");
	stream->state = STREAM_CONNECTING;
	stream->deadline_mono_us = clock_mono_us() + CONNECT_TIMEOUT_S * US_PER_S;
	if (PQstatus(stream->conn) == CONNECTION_BAD)
		lose(stream, "connect");
	else
		watch(stream, EPOLLOUT);
}

struct stream *stream_new(struct poll *poll, const char *dsn, const char *application,
	const char *listen, const enum sql_query *queries, const struct stream_ops *ops, void *arg)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	if (!stream || !(stream->dsn = strdup(dsn)))
		die("memory.exhausted", "bytes=%zu", sizeof(*stream));
	stream->poll = poll;
	stream->application = application;
	stream->listen = listen;
	stream->queries = queries;
	stream->ops = ops;
	stream->arg = arg;
	stream->fd = -1;
	start_connecting(stream);
	return stream;
}

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	for (struct step *s = stream->steps, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	if (stream->fd >= 0)
		poll_remove(stream->poll, stream->fd);
	PQfinish(stream->conn);
	free(stream->dsn);
	free(stream);
}

bool stream_is_up(const struct stream *stream)
{
	return stream->state == STREAM_UP;
}

unsigned stream_pending(const struct stream *stream)
{
	return stream->groups;
}

int64_t stream_deadline(const struct stream *stream)
{
	return stream->deadline_mono_us;
}

void stream_tick(struct stream *stream, int64_t mono_us)
{
	if (mono_us < stream->deadline_mono_us)
		return;
	if (stream->state == STREAM_CONNECTING || stream->state == STREAM_PREPARING)
		lose(stream, "no answer to connect");
	else if (stream->state == STREAM_IDLE)
		start_connecting(stream);
}
