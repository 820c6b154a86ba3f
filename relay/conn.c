/* A connection: see conn.h. */
#include "relay/conn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "relay/ask.h"
#include "relay/neighbours.h"

#include "common/base.h"

enum {
	FRAMES_PER_SECOND = 10,
	OWED_MAX = 16384,
	READ_BYTES = 4096,
	CLOSE_WAIT_S = 2, /* for the client's own close frame */
};

struct conn *conn_new(
	struct relay *relay, struct lws *wsi, const struct identity *identity, struct str address)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	if (!conn)
		die("memory.exhausted", "bytes=%zu", sizeof(*conn));
	conn->relay = relay;
	conn->wsi = wsi;
	conn->identity = *identity;
	conn->place = neighbours_enter(&relay->places, address);
	conn->marked_mono_us = clock_mono_us();
	DL_APPEND(relay->conns, conn);
	relay->conns_n++;
	relay->opened++;
	(void)feed_enter(&relay->feed, identity->client_id);
	return conn;
}

void conn_free(struct conn *conn)
{
	feed_leave(&conn->relay->feed, &conn->listener);
	feed_exit(&conn->relay->feed, conn->identity.client_id);
	neighbours_leave(&conn->relay->places, conn->place);
	DL_DELETE(conn->relay->conns, conn);
	conn->relay->conns_n--;
	input_free(&conn->input);
	strbuf_free(&conn->owed);
	free(conn);
}

struct conn *conn_of(struct listener *listener)
{
	return CONTAINER(listener, struct conn, listener);
}

void conn_wake(struct listener *listener)
{
	lws_callback_on_writable(conn_of(listener)->wsi);
}

/* At once, without goodbye. Not from here: libwebsockets frees the connection when it comes to its timers. */
static void cut_off(struct conn *conn)
{
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
}

/* Nothing can have come before: nginx sends nothing before it has seen the answer to the handshake. */
bool conn_open(struct conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
	conn->state = CONN_OPEN;
	if (lws_rx_flow_control(conn->wsi, 0) < 0 ||
		epoll_ctl(conn->relay->inputs_fd, EPOLL_CTL_ADD, lws_get_socket_fd(conn->wsi),
			&event) < 0) {
		log_error("relay.not_opened", "why=%s", log_q(strerror(errno)));
		return false;
	}
	struct feed_reach reach = feed_reach(&conn->relay->feed, conn->identity.client_id);
	say_connected(&conn->owed, clock_wall_us(), reach.newest, reach.window);
	lws_callback_on_writable(conn->wsi);
	return true;
}

/* ---- out ---- */

static void owe(struct conn *conn)
{
	if (conn->owed.n > OWED_MAX)
		cut_off(conn);
	else
		lws_callback_on_writable(conn->wsi);
}

void conn_close(struct conn *conn, enum close_code code, const char *reason)
{
	if (conn->state != CONN_OPEN)
		return;
	conn->state = CONN_CLOSING;
	feed_leave(&conn->relay->feed, &conn->listener);
	log_debug("relay.close", "client_id=%" PRIu64 " code=%d why=%s", conn->identity.client_id,
		(int)code, log_q(reason));
	say_close(&conn->owed, code, reason);
	lws_set_timeout(conn->wsi, PENDING_TIMEOUT_CLOSE_ACK, CLOSE_WAIT_S);
	owe(conn);
}

/* A message for programs, and the same in words in the close frame. */
void conn_dismiss(struct conn *conn, int64_t after_ms)
{
	char reason[INPUT_CONTROL_MAX];
	if (conn->state == CONN_OPEN)
		say_closing(&conn->owed, "the server restarts", after_ms);
	(void)snprintf(reason, sizeof(reason),
		"the server restarts; connect again in %" PRId64 " ms", after_ms);
	conn_close(conn, CLOSE_GOING_AWAY, reason);
}

static void closed_by_client(struct conn *conn, const struct input_frame *frame)
{
	conn_close(conn, frame->code, "");
	conn->state = CONN_CLOSED;
	lws_callback_on_writable(conn->wsi);
}

bool conn_write(struct conn *conn)
{
	struct strbuf *out = &conn->relay->out;
	bool more = false;

	strbuf_reset(out);
	(void)strbuf_room(out, LWS_PRE);
	out->n = LWS_PRE;
	strbuf_str(out, strbuf_view(&conn->owed));
	strbuf_free(&conn->owed);
	if (out->n - LWS_PRE < CONN_OUT_MAX)
		more = feed_take(&conn->relay->feed, &conn->listener, out,
			CONN_OUT_MAX - (out->n - LWS_PRE));
	size_t n = out->n - LWS_PRE;
	if (n && lws_write(conn->wsi, (uint8_t *)out->p + LWS_PRE, n, LWS_WRITE_RAW) < 0)
		return false;
	if (more)
		lws_callback_on_writable(conn->wsi);
	/* libwebsockets writes what it kept of the last frame before it hangs up. */
	return conn->state != CONN_CLOSED;
}

/* ---- in ---- */

/* Where a subscription that names no position begins: now, or where the one before had come to. */
static uint64_t position(struct conn *conn, const struct ask *ask)
{
	struct feed *feed = &conn->relay->feed;
	const struct listener *listener = &conn->listener;
	/* Events of the subscription until now come before the answer. */
	bool more = feed_take(feed, &conn->listener, &conn->owed, CONN_OUT_MAX);
	if (ask->resume)
		return ask->resume_from;
	return more && listener->reader.mark ? listener->reader.mark : FEED_NOW;
}

static void subscribe(struct conn *conn, const struct ask *ask)
{
	uint64_t from = position(conn, ask);
	uint64_t begin = feed_join(
		&conn->relay->feed, &conn->listener, conn->identity.client_id, &ask->wish, from);
	bool known = begin != 0 || ask->resume;
	say_subscribed(&conn->owed, &ask->wish, known ? begin : SAY_SEQ_UNKNOWN);
}

static void unsubscribe(struct conn *conn, const struct ask *ask)
{
	const struct wish *now = feed_wish(&conn->listener);
	struct ask rest = {.wish = now ? *now : (struct wish){0}};
	rest.wish.events &= ~ask->wish.events;
	subscribe(conn, &rest);
}

static void on_text(struct conn *conn, struct str message)
{
	struct ask ask;
	if (ask_read(message, &ask, &conn->owed))
		(ask.subscribe ? subscribe : unsubscribe)(conn, &ask);
	owe(conn);
}

static void on_frame(struct conn *conn, const struct input_frame *frame)
{
	switch (frame->kind) {
	case INPUT_TEXT:
		on_text(conn, frame->data);
		break;
	case INPUT_PING:
		say_pong(&conn->owed, frame->data);
		owe(conn);
		break;
	case INPUT_PONG:
		lws_validity_confirmed(conn->wsi);
		break;
	case INPUT_CLOSE:
		closed_by_client(conn, frame);
		break;
	case INPUT_BROKEN:
		conn->input_broken = true;
		conn_close(conn, frame->code, frame->why);
		break;
	case INPUT_PARTIAL:
	case INPUT_FRAGMENT:
		break;
	}
}

/* A browser's tab sends a frame every now and then. */
static bool is_too_fast(struct conn *conn)
{
	int64_t now = clock_mono_us();
	if (now - conn->second_mono_us >= US_PER_S) {
		conn->second_mono_us = now;
		conn->frames = 0;
	}
	return ++conn->frames > FRAMES_PER_SECOND;
}

static void take_bytes(struct conn *conn, struct str bytes)
{
	struct input_frame frame;
	while (bytes.n && !conn->input_broken && conn->state < CONN_CLOSED) {
		size_t used = input_take(&conn->input, bytes, &frame);
		bytes = (struct str){bytes.p + used, bytes.n - used};
		bool open = conn->state == CONN_OPEN;
		if (open && frame.kind != INPUT_PARTIAL && is_too_fast(conn))
			conn_close(conn, CLOSE_POLICY, "at most 10 frames a second");
		else if (open || frame.kind == INPUT_CLOSE)
			on_frame(conn, &frame);
	}
}

/* One read: who sends much does not keep the others waiting. What comes after goodbye is taken and thrown away, so
 * that the client gets to read why. Its end is libwebsockets' to notice: it sees the hang-up of the same socket. */
void conn_read(struct conn *conn)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(lws_get_socket_fd(conn->wsi), bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n > 0)
		take_bytes(conn, (struct str){bytes, (size_t)n});
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		cut_off(conn);
}

/* So that who wants little can say where to go on, too. */
static void mark(struct conn *conn)
{
	int64_t now = clock_mono_us();
	if (now - conn->marked_mono_us < conn->relay->conf->relay_mark_seconds * US_PER_S)
		return;
	uint64_t seq = feed_mark(&conn->listener);
	if (!seq)
		return;
	conn->marked_mono_us = now;
	say_mark(&conn->owed, seq);
	owe(conn);
}

/* Programs read the code, people the rest. */
void conn_check(struct conn *conn, int64_t now_us)
{
	struct relay *relay = conn->relay;
	struct strbuf reason = STRBUF_INIT;
	struct err err;
	if (conn->state != CONN_OPEN)
		return;
	if (auth_still(&relay->seg, &relay->ring, now_us, &conn->identity, &err) != STANDING_LOST) {
		feed_second(&relay->feed, &conn->listener);
		mark(conn);
		return;
	}
	strbuf_printf(&reason, "%s: %s", err.code ? err.code : err_kind_name(err.kind), err.text);
	conn_close(conn, CLOSE_POLICY, reason.p);
	strbuf_free(&reason);
}
