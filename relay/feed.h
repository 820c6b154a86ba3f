/* From the event ring to whoever listens.
 *
 *   event ring (shared, read-only) ──cursor──► feed ──frames──► backlog ──► each listener at its own speed
 *           └──────────────────────── trail ──────────────────────────────► a listener that catches up
 *
 * Listeners of one client that want the same are an audience: an event is framed once for it, and `prev` of its frames
 * is the seq of the frame before. No listener ever belongs to an audience of another client than its own.
 *
 * A listener that begins in the past, or that the backlog has outrun, reads the event ring itself, by its client's
 * trail, until it has caught up. What that does not reach any more is declared: after which seq, before which, how many.
 */
#ifndef CCS_RELAY_FEED_H
#define CCS_RELAY_FEED_H

#include "relay/backlog.h"
#include "relay/say.h"

struct audience;
struct tenant;

struct listener {
	struct audience *audience; /* NULL: wants nothing */
	struct reader
		reader;	  /* its mark: the seq up to which the listener has all; 0 = not known */
	uint64_t next;	  /* while it catches up: the seq to look at next; 0 = it does not */
	uint64_t prev;	  /* while it catches up: of its next frame */
	uint32_t waits_s; /* it is ahead of us: for so many seconds */
	struct listener *before, *after; /* of the same audience */
};

/* There is something to take. */
typedef void feed_wake_fn(struct listener *listener);

struct feed {
	const struct segment *seg; /* events attached, or about to be */
	feed_wake_fn *wake;
	struct event_cursor cursor;
	struct backlog backlog;
	struct strbuf frame;
	struct tenant *tenants;	  /* by client id: all that ever had an event or a visitor */
	struct audience *touched; /* have frames that their listeners have not been woken for */
};

/* Begins behind the newest event. */
void feed_open(
	struct feed *feed, const struct segment *seg, uint64_t backlog_bytes, feed_wake_fn *wake);

/* Lets go of all listeners. */
void feed_close(struct feed *feed);

/* Somebody of this client is there, or gone again: for as long as one is, its trail is kept. How many there are. */
uint32_t feed_enter(struct feed *feed, uint64_t client_id);
void feed_exit(struct feed *feed, uint64_t client_id);
uint32_t feed_visitors(const struct feed *feed, uint64_t client_id);

/* The seq of the client's last event, 0 = not known, and how many events before it can be resumed from. */
struct feed_reach {
	uint64_t newest, window;
};
struct feed_reach feed_reach(struct feed *feed, uint64_t client_id);

#define FEED_NOW UINT64_MAX

/* Listens to this from now on, and no longer to what it did; resume_from is the seq up to which it has all, or
 * FEED_NOW. Where the subscription begins: a seq, 0 = not known. */
uint64_t feed_join(struct feed *feed, struct listener *listener, uint64_t client_id,
	const struct wish *wish, uint64_t resume_from);

/* Listens to nothing. What it had not taken is gone. */
void feed_leave(struct feed *feed, struct listener *listener);

/* NULL: it wants nothing. */
const struct wish *feed_wish(const struct listener *listener);

/* Once a second. A listener may come from GET /events, which knows of an event before we do, so one that is ahead of us
 * waits; but not for ever, because its position may be that of another log. */
void feed_second(struct feed *feed, struct listener *listener);

/* Up to which seq a listener has all that there is, if that is more than it was told by events: its mark from now on.
 * 0: it was told, or has not caught up. */
uint64_t feed_mark(struct listener *listener);

/* Frames what has happened and wakes listeners. True when it stopped for their sake and there may be more. */
bool feed_pull(struct feed *feed);

/* Appends whole frames of the listener, at most max bytes and one that declares a loss. True when there are more. */
bool feed_take(struct feed *feed, struct listener *listener, struct strbuf *out, size_t max);

#endif
