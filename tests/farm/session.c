/* Bytes in, bytes out: see session.h. What an action does is in action.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/farm/action.h"
#include "tests/farm/server.h"
#include "tests/farm/session.h"

#include "common/base.h"

enum {
	READ_BYTES = 64 * 1024,
	SLOW_RECEIVE_BUFFER = 4096,
	UNREAD_MAX = 64 * 1024 *
		     1024, /* what Asterisk piled up for a peer that does not read, and more */
	LATE_JITTER_US = 2000,
};

static bool mood(const struct session *session, enum mood_kind kind)
{
	return session->server->mood.on[kind];
}

static uint32_t mood_value(const struct session *session, enum mood_kind kind)
{
	return session->server->mood.value[kind];
}

/* ---- out ---- */

static void mark_unsent(struct session *session)
{
	struct farm *farm = session->server->farm;

	if (session->unsent)
		return;
	session->unsent = true;
	session->unsent_next = farm->unsent;
	farm->unsent = session;
}

static void watch(struct session *session)
{
	uint32_t events = (session->blocked ? EPOLLOUT : 0) | (session->resting ? 0 : EPOLLIN);
	poll_change(session->server->farm->poll, session->fd, events);
}

static void append(struct session *session, struct str bytes)
{
	strbuf_str(&session->out, bytes);
	mark_unsent(session);
	if (session->out.n > UNREAD_MAX)
		session_close(session, "does not read");
}

static void release(void *arg)
{
	struct session *session = arg;
	struct farm *farm = session->server->farm;
	size_t due = 0, bytes = 0;

	while (due < session->holds_n && session->holds[due].at_us <= farm->now_us)
		bytes += session->holds[due++].bytes;
	append(session, (struct str){session->held.p, bytes});
	if (session->closed)
		return;
	strbuf_consume(&session->held, bytes);
	session->holds_n -= due;
	memmove(session->holds, session->holds + due, session->holds_n * sizeof(*session->holds));
	if (session->holds_n)
		timer_set(&farm->timers, &session->release, session->holds[0].at_us, release,
			session);
}

/* Late, but in the order in which it was said. */
static void hold(struct session *session, struct str message)
{
	struct farm *farm = session->server->farm;
	int64_t at_us = farm->now_us + mood_value(session, MOOD_LATE) * US_PER_MS +
			dice_roll(&session->dice, LATE_JITTER_US);

	if (session->holds_n == session->holds_cap) {
		size_t cap = MAX(2 * session->holds_cap, (size_t)64);
		struct held *holds = reallocarray(session->holds, cap, sizeof(*holds));
		if (!holds)
			die("memory.exhausted", "bytes=%zu", cap * sizeof(*holds));
		session->holds = holds;
		session->holds_cap = cap;
	}
	if (session->holds_n)
		at_us = MAX(at_us, session->holds[session->holds_n - 1].at_us);
	else
		timer_set(&farm->timers, &session->release, at_us, release, session);
	session->holds[session->holds_n++] = (struct held){at_us, message.n};
	strbuf_str(&session->held, message);
}

void session_say(struct session *session, struct str message)
{
	bool cut = mood(session, MOOD_HALF) && session->user && --session->messages_left == 0;

	if (mood(session, MOOD_SILENT))
		session->missed = true;
	if (session->closed || session->ending || session->missed)
		return;
	if (cut)
		message.n = dice_roll(&session->dice, (uint32_t)message.n);
	if (mood(session, MOOD_LATE) || session->holds_n)
		hold(session, message);
	else
		append(session, message);
	if (cut)
		session_end(session);
}

void session_end(struct session *session)
{
	session->ending = true;
	mark_unsent(session);
}

static void write_out(struct session *session)
{
	while (session->out.n && !session->blocked) {
		ssize_t n = send(session->fd, session->out.p, session->out.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			session->blocked = true;
			watch(session);
		} else if (n < 0 && errno != EINTR) {
			session_close(session, strerror(errno));
			return;
		}
		strbuf_consume(&session->out, (size_t)MAX(n, (ssize_t)0));
	}
	if (session->ending && !session->out.n && !session->holds_n)
		session_close(session, "cut by the server");
}

/* ---- in ---- */

/* What is left of a line that was too long ends at its LF. */
static bool drop_line(struct session *session)
{
	const char *end = session->in.n ? memchr(session->in.p, '\n', session->in.n) : NULL;

	strbuf_consume(&session->in, end ? (size_t)(end + 1 - session->in.p) : session->in.n);
	session->in_line = !end;
	return end != NULL;
}

/* A line may be too long before its end has come. */
static bool unfinished_too_long(const struct session *session)
{
	struct str in = strbuf_view(&session->in);
	const char *last = in.n ? memrchr(in.p, '\n', in.n) : NULL;
	size_t begun = last ? in.n - (size_t)(last + 1 - in.p) : in.n;

	return begun > REQUEST_LINE_BYTES + 1; /* a CR may be among it */
}

static void too_long(struct session *session, size_t used)
{
	session_say(session,
		STR("Response: Error\r\nMessage: Failed to parse message: line too long\r\n\r\n"));
	strbuf_consume(&session->in, used);
}

static void work_off(struct session *session)
{
	struct str in = strbuf_view(&session->in);
	size_t done = 0, used = 0;
	enum request_read read = REQUEST_MORE;

	while (!session->closed && !session->ending) {
		read = request_read(
			&session->request, (struct str){in.p + done, in.n - done}, &used);
		if (read != REQUEST_WHOLE)
			break;
		action_do(session, &session->request);
		done += used;
	}
	if (session->closed)
		return;
	strbuf_consume(&session->in, done);
	if (read == REQUEST_TOO_LONG) {
		too_long(session, used);
		work_off(session);
	} else if (read == REQUEST_MORE && unfinished_too_long(session)) {
		too_long(session, session->in.n);
		session->in_line = true;
	}
}

static void read_on(void *arg)
{
	struct session *session = arg;
	session->resting = false;
	watch(session);
}

/* After n bytes a slow server does not look at the socket until they have had their time. */
static void rest(struct session *session, size_t n)
{
	struct farm *farm = session->server->farm;
	int64_t pause_us = (int64_t)n * US_PER_S / mood_value(session, MOOD_SLOW);

	session->resting = true;
	watch(session);
	timer_set(&farm->timers, &session->rest, farm->now_us + pause_us, read_on, session);
}

static void read_in(struct session *session)
{
	size_t most = mood(session, MOOD_SLOW) ? MAX(mood_value(session, MOOD_SLOW) / 10, 1u)
					       : READ_BYTES;
	ssize_t n = recv(session->fd, strbuf_room(&session->in, most), most, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_close(session, n < 0 ? strerror(errno) : "closed by the client");
		return;
	}
	session->in.n += (size_t)n;
	if (mood(session, MOOD_SLOW))
		rest(session, (size_t)n);
	if (!session->in_line || drop_line(session))
		work_off(session);
}

static void on_ready(void *arg, uint32_t events)
{
	struct session *session = arg;

	if (events & EPOLLOUT) {
		session->blocked = false;
		watch(session);
		mark_unsent(session);
	}
	if (events & EPOLLIN)
		read_in(session);
	else if (events & (EPOLLERR | EPOLLHUP))
		session_close(session, "reset by the client");
}

/* ---- life ---- */

void session_mood_changed(struct session *session)
{
	int bytes = SLOW_RECEIVE_BUFFER;

	if (session->missed && !mood(session, MOOD_SILENT))
		session_close(session, "was silent");
	else if (mood(session, MOOD_SLOW))
		(void)setsockopt(session->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (mood(session, MOOD_HALF))
		session->messages_left =
			1 + dice_roll(&session->dice, 2 * mood_value(session, MOOD_HALF));
}

void session_open(struct server *server, int fd)
{
	struct session *session = calloc(1, sizeof(*session));
	char serial[32], banner[64];
	struct err err;

	if (!session)
		die("memory.exhausted", "bytes=%zu", sizeof(*session));
	(void)snprintf(serial, sizeof(serial), "session-%u", server->sessions_made++);
	session->server = server;
	session->fd = fd;
	session->dice = dice_of(server->farm->seed, str_of(server->name), str_of(serial));
	if (!poll_add(server->farm->poll, fd, EPOLLIN, on_ready, session, &err))
		die("session.unwatched", "why=%s", log_q(err.text));
	DL_APPEND(server->sessions, session);
	session_mood_changed(session);
	(void)snprintf(banner, sizeof(banner), "Asterisk Call Manager/%s\r\n",
		server->asterisk->ami_version);
	session_say(session, str_of(banner));
}

void session_close(struct session *session, const char *why)
{
	struct server *server = session->server;
	struct farm *farm = server->farm;

	if (session->closed)
		return;
	session->closed = true;
	if (session->user)
		record_line(&farm->record, server->name, "cut", "%s", why);
	timer_stop(&farm->timers, &session->release);
	timer_stop(&farm->timers, &session->rest);
	poll_remove(farm->poll, session->fd);
	close(session->fd);
	DL_DELETE(server->sessions, session);
	session->dead_next = farm->dead;
	farm->dead = session;
}

static void free_dead(struct farm *farm)
{
	while (farm->dead) {
		struct session *session = farm->dead;
		farm->dead = session->dead_next;
		strbuf_free(&session->in);
		strbuf_free(&session->out);
		strbuf_free(&session->held);
		free(session->holds);
		free(session);
	}
}

void sessions_flush(struct farm *farm)
{
	while (farm->unsent) {
		struct session *session = farm->unsent;
		farm->unsent = session->unsent_next;
		session->unsent = false;
		if (!session->closed)
			write_out(session);
	}
	free_dead(farm);
}
