/* The connection as a state machine: see ami_conn.h. */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "dispatcher/ami_session.h"
#include "dispatcher/tls_link.h"

#include "common/base.h"

enum {
	READ_MAX = 256 * 1024, /* bytes in one go, so that one server cannot starve the others */
	RETRY_SEND_US = 5000,
	BACKOFF_FIRST_US = 250000,
	BACKOFF_DOUBLINGS = 20,
};

/* How a phase shows to others, and what is wrong when its time is up. */
static const struct {
	enum shm_ami_state shown;
	const char *late;
} phases[PHASE__N] = {
	[PHASE_IDLE] = {AMI_DOWN, ""},
	[PHASE_RESOLVING] = {AMI_CONNECTING, "host name: no answer in time"},
	[PHASE_CONNECTING] = {AMI_CONNECTING, "no connection: no answer in time"},
	[PHASE_SECURING] = {AMI_CONNECTING, "TLS: no answer from the process that speaks it"},
	[PHASE_BANNER] = {AMI_LOGIN,
		"connected, but no Asterisk manager greets (or only over TLS)"},
	[PHASE_CHALLENGE] = {AMI_LOGIN, "no answer to Challenge in time"},
	[PHASE_LOGIN] = {AMI_LOGIN, "no answer to Login in time"},
	[PHASE_BOOT] = {AMI_LOGIN, ""},
	[PHASE_RESYNC] = {AMI_RESYNC, "no answer to CoreShowChannels in time"},
	[PHASE_UP] = {AMI_UP, "no answer to Ping in time"},
};

/* Text of the other side ends up here: it is made printable. why may be the old error. */
static void set_error(struct ami_conn *conn, const char *why)
{
	size_t n = strnlen(why, sizeof(conn->error) - 1);

	for (size_t i = 0; i < n; i++)
		conn->error[i] = (char)(why[i] < ' ' || why[i] > '~' ? '?' : why[i]);
	conn->error[n] = '\0';
}

static void on_ready(void *arg, uint32_t events);

static void unwatch(struct ami_conn *conn)
{
	if (conn->watched >= 0)
		poll_remove(conn->poll, conn->watched);
	conn->watched = -1;
}

static bool watch(struct ami_conn *conn, int fd, uint32_t events, struct err *err)
{
	if (!poll_add(conn->poll, fd, events, on_ready, conn, err))
		return false;
	conn->watched = fd;
	return true;
}

static void disconnect(struct ami_conn *conn)
{
	unwatch(conn);
	ami_lookup_cancel(&conn->lookup);
	ami_sock_close(&conn->sock);
	ami_session_forget(conn);
	conn->searched = 0;
	conn->blocked = conn->broken = conn->stopping = conn->awaiting = conn->probing = false;
	conn->phase = PHASE_IDLE;
}

int64_t ami_backoff_us(unsigned failures, int64_t max_us, uint32_t random)
{
	unsigned doublings = MIN(failures ? failures - 1 : 0, (unsigned)BACKOFF_DOUBLINGS);
	int64_t pause = MIN((int64_t)BACKOFF_FIRST_US << doublings, max_us);
	return pause - (int64_t)((uint64_t)(pause / 2) * random / UINT32_MAX);
}

void ami_conn_lose(struct ami_conn *conn, const char *why)
{
	uint32_t random;

	set_error(conn, why);
	disconnect(conn);
	random_bytes(&random, sizeof(random));
	conn->failures++;
	conn->deadline_us =
		conn->now_us + ami_backoff_us(conn->failures, conn->conf.backoff_max_us, random);
	conn->ops->down(conn->arg, conn->error);
}

void ami_conn_enter(struct ami_conn *conn, enum phase phase)
{
	conn->phase = phase;
	conn->deadline_us = conn->now_us + conn->conf.timeout_us;
}

static void tell_deadline(struct ami_conn *conn)
{
	if (conn->ops->timed)
		conn->ops->timed(conn->arg);
}

void ami_conn_flush(struct ami_conn *conn)
{
	struct err err;

	if (conn->sock.out.n == 0 || conn->broken)
		return;
	bool was_blocked = conn->blocked;
	enum ami_sent sent = ami_sock_send(&conn->sock, &err);
	conn->blocked = sent == AMI_SENT_NOTHING;
	conn->retry_us = conn->now_us + RETRY_SEND_US;
	if (sent == AMI_SENT_BROKEN) {
		conn->broken = true;
		set_error(conn, err.text);
	}
	tell_deadline(conn);
	if (was_blocked && sent == AMI_SENT_ALL && conn->ops->drained)
		conn->ops->drained(conn->arg);
}

static void closed(struct ami_conn *conn)
{
	if (conn->stopping)
		ami_conn_lose(conn, "Asterisk has shut down");
	else if (conn->sock.is_local)
		ami_conn_lose(
			conn, "closed by the server, or TLS has failed: the log says tls.lost");
	else
		ami_conn_lose(conn, "closed by the server");
}

/* One look at the socket. Returns true when another is worth it: there may be more. */
static bool read_once(struct ami_conn *conn, bool hung_up, size_t *budget)
{
	static const char endless[] = "a message without an end";
	struct err err;
	struct str in = STR("");
	bool bad = false;
	enum ami_peek peek = ami_sock_peek(&conn->sock, &in, &err);

	/* An Asterisk that has said goodbye may not have read our last Ping: then the kernel resets. */
	if (peek == AMI_PEEK_END || (peek == AMI_PEEK_FAILED && conn->stopping))
		closed(conn);
	else if (peek == AMI_PEEK_FAILED)
		ami_conn_lose(conn, err.text);
	if (peek != AMI_PEEK_SOME && peek != AMI_PEEK_FULL)
		return false;

	size_t taken = ami_session_take(conn, in, &bad);
	if (conn->phase == PHASE_IDLE)
		return false;
	*budget -= MIN(taken, *budget);
	if (!ami_sock_discard(&conn->sock, taken, &err))
		ami_conn_lose(conn, err.text);
	else if (bad)
		ami_conn_lose(conn,
			conn->phase == PHASE_BANNER ? "no Asterisk manager on this port" : endless);
	else if (peek == AMI_PEEK_FULL && taken == 0 && !ami_sock_widen(&conn->sock))
		ami_conn_lose(conn, endless);
	else if (peek == AMI_PEEK_SOME && hung_up)
		closed(conn);
	else if (peek == AMI_PEEK_SOME)
		ami_sock_expect_more(&conn->sock, in.n - taken);
	return conn->phase != PHASE_IDLE && peek == AMI_PEEK_FULL;
}

/* Returns true when the budget ended before the bytes did. */
static bool read_messages(struct ami_conn *conn, bool hung_up)
{
	size_t budget = READ_MAX;

	while (read_once(conn, hung_up, &budget))
		if (budget == 0) {
			ami_sock_expect_more(&conn->sock, 0); /* what is there is enough */
			poll_change(conn->poll, conn->sock.fd, ami_sock_events(&conn->sock));
			return true;
		}
	return false;
}

static bool ask_wire(struct ami_conn *conn, const struct sockaddr_storage *address, socklen_t bytes,
	struct err *err)
{
	struct tls_request request = {.address = *address,
		.address_bytes = bytes,
		.timeout_us = conn->conf.timeout_us,
		.trust = conn->conf.tls};
	int fd;

	if (!tls_ask(conn->conf.tls_run_dir, &request, &fd, err))
		return false;
	ami_sock_adopt(&conn->sock, fd);
	return watch(conn, fd, ami_sock_events(&conn->sock), err);
}

static bool try_address(struct ami_conn *conn, size_t i, struct err *err)
{
	const struct sockaddr_storage *address = &conn->addresses.at[i].sa;
	socklen_t bytes = conn->addresses.at[i].bytes;

	if (conn->conf.tls_run_dir)
		return ask_wire(conn, address, bytes, err);
	return ami_sock_connect(&conn->sock, (const void *)address, bytes, err) &&
	       watch(conn, conn->sock.fd, EPOLLOUT, err);
}

/* The wire has a time limit of its own for each of its two steps: ours is for when it hangs. */
static void enter_connecting(struct ami_conn *conn)
{
	bool by_wire = conn->conf.tls_run_dir;

	ami_conn_enter(conn, by_wire ? PHASE_SECURING : PHASE_CONNECTING);
	if (by_wire)
		conn->deadline_us += 2 * conn->conf.timeout_us;
}

/* Goes on to the host's next address; why says what was wrong with the one before. */
static void connect_next(struct ami_conn *conn, const char *why)
{
	struct err err;

	(void)fail(&err, ERR_BUSY, "%s", why);
	while (conn->address_next < conn->addresses.n) {
		unwatch(conn);
		ami_sock_close(&conn->sock);
		if (try_address(conn, conn->address_next++, &err)) {
			enter_connecting(conn);
			return;
		}
	}
	ami_conn_lose(conn, err.text);
}

static void connected(struct ami_conn *conn)
{
	struct err err;

	if (!ami_sock_connected(&conn->sock, &err)) {
		connect_next(conn, err.text);
		return;
	}
	poll_change(conn->poll, conn->sock.fd, ami_sock_events(&conn->sock));
	ami_conn_enter(conn, PHASE_BANNER);
}

/* What follows the verdict may be there already, and would not wake us again. */
static void secured(struct ami_conn *conn, bool hung_up)
{
	struct err err;

	switch (tls_hear(conn->sock.fd, &err)) {
	case TLS_NOTHING_YET:
		break;
	case TLS_REFUSED:
		connect_next(conn, err.text);
		break;
	case TLS_SECURED:
		ami_conn_enter(conn, PHASE_BANNER);
		(void)read_messages(conn, hung_up);
		break;
	}
}

static void resolved(struct ami_conn *conn)
{
	struct err err;

	unwatch(conn);
	if (ami_lookup_finish(&conn->lookup, &conn->addresses, &err))
		connect_next(conn, "");
	else
		ami_conn_lose(conn, err.text);
}

static void begin(struct ami_conn *conn)
{
	struct err err;

	conn->address_next = 0;
	ami_conn_enter(conn, PHASE_RESOLVING);
	if (ami_numeric(conn->host, conn->conf.port, &conn->addresses))
		connect_next(conn, "");
	else if (!ami_lookup_start(&conn->lookup, conn->host, conn->conf.port, &err) ||
		 !watch(conn, conn->lookup.fd, EPOLLIN, &err))
		ami_conn_lose(conn, err.text);
}

static void on_ready(void *arg, uint32_t events)
{
	struct ami_conn *conn = arg;
	bool hung_up = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

	conn->now_us = clock_mono_us();
	if (conn->phase == PHASE_RESOLVING)
		resolved(conn);
	else if (conn->phase == PHASE_CONNECTING)
		connected(conn);
	else if (conn->phase == PHASE_SECURING)
		secured(conn, hung_up);
	else
		(void)read_messages(conn, hung_up);
	tell_deadline(conn);
}

/* The time of a phase is up. What has arrived is read first: perhaps it was us who slept. */
static void late(struct ami_conn *conn)
{
	enum phase phase = conn->phase;
	int64_t deadline_us = conn->deadline_us;
	bool more = phase >= PHASE_BANNER && read_messages(conn, false);

	if (conn->phase != phase || conn->deadline_us != deadline_us)
		return;
	if (more)
		conn->deadline_us = conn->now_us + conn->conf.timeout_us;
	else if (phase == PHASE_CONNECTING || phase == PHASE_SECURING)
		connect_next(conn, phases[phase].late);
	else
		ami_conn_lose(conn, phases[phase].late);
}

void ami_conn_tick(struct ami_conn *conn, int64_t now_us)
{
	conn->now_us = now_us;
	if (conn->blocked && now_us >= conn->retry_us)
		ami_conn_flush(conn);
	if (conn->broken)
		ami_conn_lose(conn, conn->error);
	if (now_us < conn->deadline_us)
		return;
	if (conn->phase == PHASE_IDLE)
		begin(conn);
	else if (conn->phase == PHASE_BOOT)
		ami_session_list(conn);
	else if (conn->phase == PHASE_UP && !conn->awaiting)
		ami_session_ping(conn);
	else
		late(conn);
}

int64_t ami_conn_deadline(const struct ami_conn *conn)
{
	if (conn->broken)
		return 0;
	return conn->blocked ? MIN(conn->retry_us, conn->deadline_us) : conn->deadline_us;
}

bool ami_conn_can_send(const struct ami_conn *conn)
{
	return conn->phase == PHASE_UP && !conn->stopping && !conn->broken && conn->sock.out.n == 0;
}

bool ami_conn_send(struct ami_conn *conn, struct str actions)
{
	if (conn->phase != PHASE_UP || conn->stopping || conn->broken ||
		actions.n > AMI_QUEUE_MAX || conn->sock.out.n > AMI_QUEUE_MAX - actions.n)
		return false;
	strbuf_str(&conn->sock.out, actions);
	return true;
}

void ami_conn_adopt(struct ami_conn *conn, int fd, int64_t now_us)
{
	struct err err;

	conn->now_us = now_us;
	ami_sock_adopt(&conn->sock, fd);
	if (!watch(conn, fd, ami_sock_events(&conn->sock), &err)) {
		ami_conn_lose(conn, err.text);
		return;
	}
	conn->probing = true;
	ami_session_ping(conn);
}

static char *copy(const char *text)
{
	char *p = strdup(text);
	if (!p)
		die("memory.exhausted", "bytes=%zu", strlen(text));
	return p;
}

struct ami_conn *ami_conn_new(struct poll *poll, const struct ami_conn_conf *conf,
	const struct ami_conn_ops *ops, void *arg, struct err *err)
{
	struct ami_conn *conn = calloc(1, sizeof(*conn));
	uint8_t random[8];

	if (!conn)
		die("memory.exhausted", "bytes=%zu", sizeof(*conn));
	conn->poll = poll;
	conn->watched = -1;
	conn->ops = ops;
	conn->arg = arg;
	conn->conf = *conf;
	conn->host = copy(conf->host);
	conn->user = copy(conf->user);
	conn->secret = copy(conf->secret);
	if (!*conn->conf.tls.name &&
		!str_copy(conn->conf.tls.name, TLS_NAME_BYTES, str_of(conn->host)))
		*conn->conf.tls.name = '\0';
	conn->lookup = AMI_LOOKUP_NONE;
	conn->sock = AMI_SOCK_NONE;
	random_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), conn->life);
	if (!ami_session_check(conn, err)) {
		ami_conn_free(conn);
		return NULL;
	}
	return conn;
}

void ami_conn_free(struct ami_conn *conn)
{
	if (!conn)
		return;
	if (conn->phase == PHASE_UP)
		ami_session_logoff(conn);
	disconnect(conn);
	explicit_bzero(conn->secret, strlen(conn->secret));
	free(conn->secret);
	free(conn->user);
	free(conn->host);
	free(conn);
}

enum shm_ami_state ami_conn_state(const struct ami_conn *conn)
{
	return phases[conn->phase].shown;
}

int ami_conn_fd(const struct ami_conn *conn)
{
	return conn->sock.fd;
}

int64_t ami_conn_lag_us(const struct ami_conn *conn)
{
	return conn->lag_us;
}

const char *ami_conn_error(const struct ami_conn *conn)
{
	return conn->error;
}
