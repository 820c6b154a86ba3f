/* A connection that is plaintext on one side and TLS on the other: see tls_pipe.h. */
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ami_sock.h"
#include "dispatcher/tls_pipe.h"

#include "common/base.h"

enum {
	PIECE = 16 * 1024,
	SNDBUF = 1024 * 1024, /* as much as the system allows: see AMI_LOCAL_MESSAGE_MAX */
	TURNS_MAX = 16,	      /* pieces in one go, so that one server cannot starve the others */
	ASK_LIMIT_US = 5000000,
	LEAVE_LIMIT_US = 2000000, /* to pass on what was written last, and to say goodbye */
	EXPIRES_SOON_DAYS = 14,
};

/* Asterisk (seen with 16 and 22) reads at most 1024 bytes of a TLS record into a buffer of lines, then waits for the
 * socket: what is left of the record stays in OpenSSL, and the actions in it are worked off only when something else
 * comes in. A record that ends with a line, and is not longer than that buffer, always fits. */
enum { RECORD_MAX = 1024 };

size_t tls_record_bytes(struct str waiting, bool is_all)
{
	size_t n = MIN(waiting.n, (size_t)RECORD_MAX);
	const char *line_end = n ? memrchr(waiting.p, '\n', n) : NULL;

	if (line_end)
		return (size_t)(line_end + 1 - waiting.p);
	return n == RECORD_MAX || is_all ? n : 0;
}

/* ---- watching ---- */

static void step(struct tls_pipe *pipe);

static void unwatch(struct tls_side *side)
{
	if (side->watched)
		poll_remove(side->pipe->world->poll, side->fd);
	side->watched = false;
}

static void limit(struct tls_pipe *pipe, int64_t deadline_us)
{
	pipe->deadline_us = deadline_us;
	pipe->world->soonest_us = MIN(pipe->world->soonest_us, deadline_us);
}

/* The child has gone: what it has written is still passed on, if the server takes it. */
static void leave(struct tls_pipe *pipe)
{
	if (pipe->deadline_us == INT64_MAX)
		limit(pipe, clock_mono_us() + LEAVE_LIMIT_US);
}

/* Once a side has hung up it is ready for ever; what it has left behind can be read without waiting for it. */
static void on_ready(void *arg, uint32_t events)
{
	struct tls_side *side = arg;

	if (events & (EPOLLHUP | EPOLLERR)) {
		unwatch(side);
		if (side == &side->pipe->child)
			leave(side->pipe);
	}
	step(side->pipe);
}

static void want(struct tls_side *side, uint32_t events)
{
	if (side->watched && side->wanted != events)
		poll_change(side->pipe->world->poll, side->fd, events);
	side->wanted = events;
}

static bool watch(struct tls_side *side, int fd, uint32_t events, struct err *err)
{
	side->fd = fd;
	side->wanted = events;
	side->watched = poll_add(side->pipe->world->poll, fd, events, on_ready, side, err);
	return side->watched;
}

static void close_side(struct tls_side *side)
{
	unwatch(side);
	if (side->fd >= 0)
		close(side->fd);
	side->fd = -1;
}

/* ---- ends ---- */

/* Who the server is, as log lines say it. */
static const char *peer(const struct tls_pipe *pipe)
{
	const struct sockaddr *address = (const void *)&pipe->request.address;
	static char text[sizeof("host= port=") + NI_MAXHOST + NI_MAXSERV];
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	(void)getnameinfo(address, pipe->request.address_bytes, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(text, sizeof(text), "host=%s port=%s", host, port);
	return text;
}

static void end(struct tls_pipe *pipe)
{
	pipe->state = TLS_ENDED;
	limit(pipe, 0); /* the wire frees it in this turn */
	unwatch(&pipe->child);
	unwatch(&pipe->server);
}

/* The room is there: the verdict is the first thing that the child is told. */
static bool tell(struct tls_pipe *pipe, const char *why)
{
	struct tls_verdict verdict = {.why = ""};

	(void)snprintf(verdict.why, sizeof(verdict.why), "%s", why);
	return send(pipe->child.fd, &verdict, sizeof(verdict), MSG_NOSIGNAL) == sizeof(verdict);
}

static void refuse(struct tls_pipe *pipe, const struct err *err)
{
	(void)tell(pipe, err->text);
	end(pipe);
}

/* ---- up to the handshake ---- */

static void enter(struct tls_pipe *pipe, enum tls_state state)
{
	pipe->state = state;
	limit(pipe, clock_mono_us() + pipe->request.timeout_us);
}

static void take_request(struct tls_pipe *pipe)
{
	const struct sockaddr *address = (const void *)&pipe->request.address;
	struct ami_sock sock = AMI_SOCK_NONE;
	ssize_t n = recv(pipe->child.fd, &pipe->request, sizeof(pipe->request), 0);
	struct err err;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(pipe->request)) {
		end(pipe);
		return;
	}
	want(&pipe->child, 0);
	if (!ami_sock_connect(&sock, address, pipe->request.address_bytes, &err) ||
		!watch(&pipe->server, sock.fd, EPOLLOUT, &err))
		refuse(pipe, &err);
	else
		enter(pipe, TLS_CONNECTING);
}

static void connected(struct tls_pipe *pipe)
{
	struct ami_sock sock = {.fd = pipe->server.fd};
	struct err err;

	if (ami_sock_connected(&sock, &err))
		pipe->ssl = tls_session_new(
			pipe->world->context, sock.fd, &pipe->request.trust, &pipe->seen, &err);
	if (pipe->ssl)
		enter(pipe, TLS_SHAKING);
	else
		refuse(pipe, &err);
}

static void opened(struct tls_pipe *pipe)
{
	char day[TLS_DAY_BYTES];
	int left;

	tls_session_settle(pipe->ssl);
	tls_session_expiry(pipe->ssl, day, &left);
	log_info("tls.open", "%s name=%s version=%s cipher=%s verified=%d expires=%s", peer(pipe),
		log_q(pipe->request.trust.name), SSL_get_version(pipe->ssl),
		SSL_get_cipher_name(pipe->ssl), pipe->request.trust.verify, day);
	if (left < EXPIRES_SOON_DAYS)
		log_warn("tls.expires_soon",
			"%s name=%s days=%d do=\"renew the certificate there\"", peer(pipe),
			log_q(pipe->request.trust.name), left);
	pipe->state = TLS_OPEN;
	pipe->deadline_us = INT64_MAX;
	if (!tell(pipe, ""))
		end(pipe);
}

static void shake_hands(struct tls_pipe *pipe)
{
	struct err err;

	ERR_clear_error();
	errno = 0;
	int rc = SSL_connect(pipe->ssl);
	if (rc == 1) {
		opened(pipe);
		return;
	}
	switch (SSL_get_error(pipe->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		want(&pipe->server, EPOLLIN);
		break;
	case SSL_ERROR_WANT_WRITE:
		want(&pipe->server, EPOLLOUT);
		break;
	default:
		(void)tls_session_failed(pipe->ssl, rc, &pipe->request.trust, &pipe->seen, &err);
		refuse(pipe, &err);
	}
}

/* ---- open ---- */

/* After SSL_read or SSL_write has not moved a byte: is that the server's end? */
static void pause_or_end(struct tls_pipe *pipe, int rc)
{
	const char *reason = tls_session_reason(pipe->ssl, rc);
	int kind = SSL_get_error(pipe->ssl, rc);

	if (kind == SSL_ERROR_WANT_WRITE)
		pipe->wants_write = true;
	if ((kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) && pipe->server.watched)
		return;
	pipe->server_ended = true;
	strbuf_reset(&pipe->up);
	if (kind != SSL_ERROR_ZERO_RETURN && !pipe->child_ended)
		log_warn("tls.lost", "%s why=%s", peer(pipe), log_q(reason));
}

static bool from_child(struct tls_pipe *pipe)
{
	if (pipe->child_ended || pipe->up.n >= PIECE)
		return false;
	ssize_t n = recv(pipe->child.fd, strbuf_room(&pipe->up, PIECE), PIECE, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0) {
		pipe->up.n += (size_t)n;
		return true;
	}
	pipe->child_ended = true;
	leave(pipe);
	strbuf_reset(&pipe->down);
	return true;
}

/* Leaves nothing that fits into a record, unless the server's side is full. */
static bool to_server(struct tls_pipe *pipe)
{
	bool moved = false;

	while (!pipe->server_ended && !pipe->wants_write) {
		size_t record = tls_record_bytes(strbuf_view(&pipe->up), pipe->child_ended);
		if (record == 0)
			break;
		ERR_clear_error();
		errno = 0;
		int n = SSL_write(pipe->ssl, pipe->up.p, (int)record);
		if (n > 0)
			strbuf_consume(&pipe->up, (size_t)n);
		else
			pause_or_end(pipe, n);
		moved |= n > 0;
	}
	return moved;
}

/* A piece is as long as the longest record: OpenSSL keeps back nothing that only a further read would find. */
static bool from_server(struct tls_pipe *pipe)
{
	if (pipe->server_ended || pipe->down.n)
		return false;
	ERR_clear_error();
	errno = 0;
	int n = SSL_read(pipe->ssl, strbuf_room(&pipe->down, PIECE), PIECE);
	if (n <= 0)
		pause_or_end(pipe, n);
	else if (!pipe->child_ended)
		pipe->down.n = (size_t)n;
	return n > 0;
}

static bool to_child(struct tls_pipe *pipe)
{
	if (pipe->down.n == 0)
		return false;
	ssize_t n = send(pipe->child.fd, pipe->down.p, pipe->down.n, MSG_NOSIGNAL);
	if (n > 0)
		strbuf_consume(&pipe->down, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR) /* from_child sees its end */
		strbuf_reset(&pipe->down);
	return n > 0;
}

/* The child has gone, and what it wrote has been passed on: a TLS goodbye, without which Asterisk logs an error. Then
 * its own is awaited. */
static void say_goodbye(struct tls_pipe *pipe)
{
	ERR_clear_error();
	if (!(SSL_get_shutdown(pipe->ssl) & SSL_SENT_SHUTDOWN))
		(void)SSL_shutdown(pipe->ssl);
}

/* An idle connection holds on to no memory, and to no login. */
static void release(struct strbuf *piece)
{
	if (piece->n || !piece->p)
		return;
	explicit_bzero(piece->p, piece->cap);
	strbuf_free(piece);
}

/* The server is heard first: a write that fails would leave its last words unread. */
static void shovel(struct tls_pipe *pipe)
{
	bool moved = true;

	pipe->wants_write = false;
	for (int turn = 0; moved && turn < TURNS_MAX; turn++) {
		moved = from_server(pipe);
		moved |= to_child(pipe);
		moved |= from_child(pipe);
		moved |= to_server(pipe);
	}
	if (pipe->child_ended && pipe->up.n == 0 && !pipe->server_ended)
		say_goodbye(pipe);
	if (pipe->server_ended && pipe->down.n == 0) {
		end(pipe);
		return;
	}
	want(&pipe->server, (pipe->down.n || pipe->server_ended ? 0 : EPOLLIN) |
				    (pipe->wants_write ? EPOLLOUT : 0));
	want(&pipe->child, (pipe->up.n >= PIECE || pipe->child_ended ? 0 : EPOLLIN) |
				   (pipe->down.n ? EPOLLOUT : 0));
	release(&pipe->up);
	release(&pipe->down);
}

/* ---- the whole ---- */

/* Nobody waits for the answer any more. */
static bool is_abandoned(const struct tls_pipe *pipe)
{
	return pipe->state != TLS_OPEN && pipe->state != TLS_ASKED && !pipe->child.watched;
}

static void step(struct tls_pipe *pipe)
{
	if (is_abandoned(pipe))
		end(pipe);
	if (pipe->state == TLS_ASKED)
		take_request(pipe);
	else if (pipe->state == TLS_CONNECTING)
		connected(pipe);
	if (pipe->state == TLS_SHAKING)
		shake_hands(pipe);
	if (pipe->state == TLS_OPEN)
		shovel(pipe);
}

struct tls_pipe *tls_pipe_new(struct tls_world *world, int fd)
{
	struct tls_pipe *pipe = calloc(1, sizeof(*pipe));
	int sndbuf = SNDBUF;
	struct err err;

	if (!pipe)
		die("memory.exhausted", "bytes=%zu", sizeof(*pipe));
	pipe->world = world;
	pipe->child = pipe->server = (struct tls_side){.pipe = pipe, .fd = -1};
	limit(pipe, clock_mono_us() + ASK_LIMIT_US);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (!watch(&pipe->child, fd, EPOLLIN, &err))
		end(pipe);
	return pipe;
}

void tls_pipe_late(struct tls_pipe *pipe)
{
	struct err err;

	if (pipe->state == TLS_CONNECTING) {
		(void)fail(&err, ERR_BUSY, "no connection: no answer in time");
		refuse(pipe, &err);
	} else if (pipe->state == TLS_SHAKING) {
		(void)fail(&err, ERR_BUSY,
			"TLS: no answer to the handshake in time: is this tlsbindaddr's port?");
		refuse(pipe, &err);
	}
}

void tls_pipe_free(struct tls_pipe *pipe)
{
	end(pipe);
	SSL_free(pipe->ssl);
	close_side(&pipe->server);
	close_side(&pipe->child);
	strbuf_free(&pipe->up);
	strbuf_free(&pipe->down);
	free(pipe);
}
