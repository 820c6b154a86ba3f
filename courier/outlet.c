/* One client's database: see outlet.h. */
#include "courier/outlet.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "sql/embedded.h"

#include "common/base.h"

enum {
	STEP_MS = 10000,	    /* to resolve, to connect, to store */
	ASK_MS = 20,		    /* between two looks at the resolver */
	IDLE_MS = 60000,	    /* without work, a connection is closed */
	ANSWER_BYTES_MAX = 1 << 20, /* that a server may send us for one connection or statement */
};

static void on_ready(void *arg, uint32_t events);

static void unwatch(struct outlet *outlet)
{
	if (outlet->fd >= 0)
		poll_remove(outlet->poll, outlet->fd);
	outlet->fd = -1;
}

static void watch(struct outlet *outlet, uint32_t events)
{
	struct err err;
	int fd = PQsocket(outlet->conn);
	unwatch(outlet); /* libpq may have another socket by now */
	if (!poll_add(outlet->poll, fd, events, on_ready, outlet, &err))
		die("outlet.watch", "why=%s", log_q(err.text));
	outlet->fd = fd;
}

static void disconnect(struct outlet *outlet)
{
	unwatch(outlet);
	PQfinish(outlet->conn);
	outlet->conn = NULL;
	if (outlet->lookup)
		lookup_drop(outlet->lookup);
	outlet->lookup = NULL;
}

static void end(struct outlet *outlet, bool ok, const char *why)
{
	char text[256] = "";
	size_t n = 0;

	/* One line, and not libpq's buffer, which goes with the connection. */
	for (const char *p = why; p && *p && n + 1 < sizeof(text); p++)
		text[n++] = (unsigned char)*p < ' ' ? ' ' : *p;
	while (n && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	free(outlet->calls);
	outlet->calls = NULL;
	outlet->state = OUTLET_IDLE;
	outlet->idle_since_us = clock_mono_us();
	if (!ok)
		disconnect(outlet);
	outlet->done(outlet->arg, ok, text);
}

/* How much a server has sent us. The kernel counts it, so it does not matter what it is or whether libpq shows it. */
static uint64_t bytes_received(const struct outlet *outlet)
{
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t n = sizeof(info);
	if (getsockopt(PQsocket(outlet->conn), IPPROTO_TCP, TCP_INFO, &info, &n) != 0)
		return 0;
	return info.tcpi_bytes_received;
}

static bool talks_too_much(const struct outlet *outlet)
{
	return bytes_received(outlet) - outlet->bytes_before > ANSWER_BYTES_MAX;
}

static void take_no_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

/* ---- storing ---- */

static bool flush(struct outlet *outlet)
{
	int left = PQflush(outlet->conn);
	if (left >= 0)
		watch(outlet, EPOLLIN | (left ? EPOLLOUT : 0U));
	return left >= 0;
}

static void store(struct outlet *outlet, int64_t mono_us)
{
	const char *values[] = {outlet->calls};

	outlet->state = OUTLET_RUNNING;
	outlet->deadline_us = mono_us + STEP_MS * US_PER_MS;
	outlet->bytes_before = bytes_received(outlet);
	if (!PQsendQueryParams(outlet->conn, sql_client_insert, 1, NULL, values, NULL, NULL, 0) ||
		!flush(outlet))
		outlet->deadline_us = mono_us; /* the next tick ends it */
}

static void read_results(struct outlet *outlet)
{
	if (!PQconsumeInput(outlet->conn)) {
		end(outlet, false, PQerrorMessage(outlet->conn));
		return;
	}
	if (talks_too_much(outlet)) {
		end(outlet, false, "the server sends more than it was asked for");
		return;
	}
	while (!PQisBusy(outlet->conn)) {
		PGresult *result = PQgetResult(outlet->conn);
		if (!result) {
			end(outlet, true, NULL);
			return;
		}
		ExecStatusType status = PQresultStatus(result);
		if (status != PGRES_COMMAND_OK) {
			end(outlet, false,
				status == PGRES_FATAL_ERROR ? PQresultErrorMessage(result)
							    : "the server answers strangely");
			PQclear(result);
			return;
		}
		PQclear(result);
	}
	if (!flush(outlet))
		end(outlet, false, PQerrorMessage(outlet->conn));
}

/* ---- connecting ---- */

static void go_on_connecting(struct outlet *outlet)
{
	if (talks_too_much(outlet)) {
		end(outlet, false, "the server sends more than it was asked for");
		return;
	}
	switch (PQconnectPoll(outlet->conn)) {
	case PGRES_POLLING_READING:
		watch(outlet, EPOLLIN);
		break;
	case PGRES_POLLING_WRITING:
		watch(outlet, EPOLLOUT);
		break;
	case PGRES_POLLING_OK:
		(void)PQsetnonblocking(outlet->conn, 1);
		store(outlet, clock_mono_us());
		break;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
		end(outlet, false, PQerrorMessage(outlet->conn));
		break;
	}
}

static void on_ready(void *arg, uint32_t events)
{
	struct outlet *outlet = arg;
	(void)events;
	if (outlet->state == OUTLET_CONNECTING)
		go_on_connecting(outlet);
	else if (outlet->state == OUTLET_RUNNING)
		read_results(outlet);
	else /* nobody asked it anything: it hangs up, or had better */
		disconnect(outlet);
}

static void connect_to(struct outlet *outlet, const char *address, int64_t mono_us)
{
	struct client_url_parameters parameters;

	client_url_parameters(&parameters, &outlet->url, address, outlet->ca_file);
	outlet->conn = PQconnectStartParams(parameters.keywords, parameters.values, 0);
	if (!outlet->conn)
		die("memory.exhausted", "what=PGconn");
	outlet->state = OUTLET_CONNECTING;
	outlet->deadline_us = mono_us + STEP_MS * US_PER_MS;
	outlet->bytes_before = 0;
	if (PQstatus(outlet->conn) == CONNECTION_BAD) {
		end(outlet, false, PQerrorMessage(outlet->conn));
		return;
	}
	(void)PQsetNoticeReceiver(outlet->conn, take_no_notice, NULL);
	watch(outlet, EPOLLOUT);
}

static void ask_resolver(struct outlet *outlet, int64_t mono_us)
{
	char address[LOOKUP_TEXT_BYTES];
	bool is_private;
	struct err err;

	switch (lookup_ask(outlet->lookup, outlet->wall, address, &is_private, &err)) {
	case LOOKUP_PENDING:
		break;
	case LOOKUP_FAILED:
		end(outlet, false, err.text);
		break;
	case LOOKUP_FOUND:
		if (!is_private && !client_url_is_verified(&outlet->url)) {
			end(outlet, false, "over the internet its sslmode must be verify-full");
			break;
		}
		lookup_drop(outlet->lookup);
		outlet->lookup = NULL;
		connect_to(outlet, address, mono_us);
		break;
	}
}

/* ---- for the caller ---- */

void outlet_open(struct outlet *outlet)
{
	outlet->state = OUTLET_IDLE;
	outlet->fd = -1;
}

void outlet_close(struct outlet *outlet)
{
	disconnect(outlet);
	free(outlet->calls);
	outlet->calls = NULL;
}

void outlet_send(struct outlet *outlet, char *calls, int64_t mono_us)
{
	outlet->calls = calls;
	if (outlet->conn) {
		store(outlet, mono_us);
		return;
	}
	outlet->lookup = lookup_start(outlet->url.host);
	outlet->state = OUTLET_RESOLVING;
	outlet->deadline_us = mono_us + STEP_MS * US_PER_MS;
}

int64_t outlet_deadline(const struct outlet *outlet, int64_t mono_us)
{
	switch (outlet->state) {
	case OUTLET_IDLE:
		return outlet->conn ? outlet->idle_since_us + IDLE_MS * US_PER_MS : INT64_MAX;
	case OUTLET_RESOLVING:
		return MIN(outlet->deadline_us, mono_us + ASK_MS * US_PER_MS);
	case OUTLET_CONNECTING:
	case OUTLET_RUNNING:
		return outlet->deadline_us;
	}
	return INT64_MAX;
}

void outlet_tick(struct outlet *outlet, int64_t mono_us)
{
	if (outlet->state == OUTLET_IDLE) {
		if (outlet->conn && mono_us >= outlet->idle_since_us + IDLE_MS * US_PER_MS)
			disconnect(outlet);
		return;
	}
	if (mono_us >= outlet->deadline_us)
		end(outlet, false, "it does not answer in time");
	else if (outlet->state == OUTLET_RESOLVING)
		ask_resolver(outlet, mono_us);
}
