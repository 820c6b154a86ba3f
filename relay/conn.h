/* One client's WebSocket connection, from the handshake to its end.
 *
 * libwebsockets answers the handshake, keeps what a full socket did not take, and pings. The frames in both
 * directions are ours: going out, replies and events that are framed already are joined into one write
 * (LWS_WRITE_RAW); coming in, input.c reads. libwebsockets is therefore told not to read this socket, and an epoll
 * descriptor among its own says when there is input.
 *
 * Memory of a connection is bounded: one message coming in, OWED_MAX bytes of replies, and what libwebsockets kept
 * of one write of OUT_MAX. Who sends faster than it reads is cut off.
 */
#ifndef CCS_RELAY_CONN_H
#define CCS_RELAY_CONN_H

#include "relay/auth.h"
#include "relay/input.h"
#include "relay/relay.h"

enum { CONN_OUT_MAX = 16384 };

enum conn_state {
	CONN_ADMITTED, /* the handshake is under way */
	CONN_OPEN,
	CONN_CLOSING, /* our close frame is said: waiting for the client's */
	CONN_CLOSED,  /* both are: hang up when ours is written */
};

struct conn {
	struct relay *relay;
	struct lws *wsi;
	struct identity identity;
	struct neighbourhood *place; /* NULL: not known */
	enum conn_state state;
	struct listener listener;
	struct input input;
	bool input_broken;
	struct strbuf owed;	/* frames to be written before any event */
	int64_t marked_mono_us; /* when it was told last how far it is */
	int64_t second_mono_us; /* when the count began */
	uint32_t frames;	/* received since */
	struct conn *prev, *next;
};

/* An admitted client, before libwebsockets answers the handshake. */
struct conn *conn_new(
	struct relay *relay, struct lws *wsi, const struct identity *identity, struct str address);

/* At the end, whether it was opened or not. */
void conn_free(struct conn *conn);

/* The handshake is answered. False: hang up. */
MUST_USE bool conn_open(struct conn *conn);

/* There is input. Never frees the connection. */
void conn_read(struct conn *conn);

/* The socket takes output. False: hang up. */
MUST_USE bool conn_write(struct conn *conn);

/* The other side of a listener in the feed. */
struct conn *conn_of(struct listener *listener);
void conn_wake(struct listener *listener);

/* Says goodbye. Does nothing when that has been said. */
void conn_close(struct conn *conn, enum close_code code, const char *reason);

/* We end: says goodbye, and when to come again. */
void conn_dismiss(struct conn *conn, int64_t after_ms);

/* Once a second: closes it when the credential does not hold any more; says how far it is, now and then. */
void conn_check(struct conn *conn, int64_t now_us);

#endif
