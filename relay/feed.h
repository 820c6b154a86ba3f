/* From the event ring to whoever listens.
 *
 *   event ring (shared, read-only) ──cursor──► feed ──frames──► backlog ──► each listener at its own speed
 *
 * Listeners of one client that want the same types are an audience: an event is framed once for it, and `prev`
 * of its frames is the seq of the frame before. An event of a client nobody listens to is passed over. No listener
 * ever belongs to an audience of another client than its own.
 */
#ifndef CCS_RELAY_FEED_H
#define CCS_RELAY_FEED_H

#include "relay/backlog.h"
#include "relay/say.h"

struct audience;

struct listener {
	struct audience *audience; /* NULL: wants nothing */
	struct reader reader;
	struct listener *prev, *next; /* of the same audience */
};

/* There is something to take. */
typedef void feed_wake_fn(struct listener *listener);

struct feed {
	const struct segment *seg; /* events attached, or about to be */
	feed_wake_fn *wake;
	struct event_cursor cursor;
	struct backlog backlog;
	struct strbuf frame;
	struct tenant *tenants;	  /* audiences by client id */
	struct audience *touched; /* have frames that their listeners have not been woken for */
};

/* Begins behind the newest event. */
void feed_open(
	struct feed *feed, const struct segment *seg, uint64_t backlog_bytes, feed_wake_fn *wake);

/* Lets go of all listeners. */
void feed_close(struct feed *feed);

/* Listens from now on to these events of this client, and no longer to others. */
void feed_join(struct feed *feed, struct listener *listener, uint64_t client_id, event_set events);

/* Listens to nothing. What it had not taken is gone. */
void feed_leave(struct feed *feed, struct listener *listener);

/* Frames what has happened and wakes listeners. True when it stopped for their sake and there may be more. */
bool feed_pull(struct feed *feed);

/* Appends whole frames of the listener, at most max bytes and a gap. True when there are more. */
bool feed_take(struct feed *feed, struct listener *listener, struct strbuf *out, size_t max);

#endif
