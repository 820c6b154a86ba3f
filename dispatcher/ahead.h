/* Armed ahead: attempts that are journalled before there is a channel for them.
 *
 * A channel that is freed could be refilled in microseconds, if it were not for the commit of the journal. So where nothing
 * but channels is missing, whose turn it is has entries journalled ahead, AHEAD_LEAST on a server, and the end of a call writes
 * the next Originate at once. A server whose calls end faster than commits follow one another gets one more each time that
 * none was there for a freed channel, up to AHEAD_MOST, and one less after AHEAD_REST_S seconds in which that did not happen.
 *
 *   PLANNED ─ commit ─► ARMED ─ a channel is free ─► takes its grant ► SENT
 *      ▲                  │
 *      └── taken back ────┘  by whoever may not be dialled any more, for a graceful stop, when its batch is paused
 *
 * Until then (SEEN_AHEAD) it holds no channel, is no start in any rate and locks no number: it meets the gates of everybody
 * else in the moment in which it is written, so no limit is ever passed. One that is taken back was no attempt: its row in the
 * journal is deleted, and its entry is the first in line again. A successor adopts it as it is, and takes none back before it
 * has recovered: until then it may let go of its slots and begin again, and the withdrawal would free one that it has not.
 *
 * A quick call of the same client goes first: it takes the channel, and the attempt waits for the next.
 */
#ifndef CCS_DISPATCHER_AHEAD_H
#define CCS_DISPATCHER_AHEAD_H

#include "dispatcher/dispatcher.h"

enum { AHEAD_LEAST = 2, AHEAD_MOST = 8, AHEAD_REST_S = 10 };

static inline bool slot_is_ahead(const struct slot *slot)
{
	return slot->call->seen & SEEN_AHEAD;
}

/* Nothing is armed ahead for a batch that has limits of its own (terms.h): false when the client's next entry is of one. */
bool ahead_may(const struct client *client);

/* Where the client may arm one more ahead; NULL: nowhere, or something else than channels is missing, too. */
struct edge *ahead_edge(struct dispatcher *d, struct client *client);

/* How many more the server takes. */
uint32_t ahead_room(struct dispatcher *d, const struct server *server);

/* A slot that was planned, or adopted, with SEEN_AHEAD stands in its server's line; and leaves it, if it does. */
void ahead_join(struct slot *slot);
void ahead_leave(struct slot *slot);

/* The client may dial: one of its own that waits goes first. False when there is none that may. */
bool ahead_use(struct dispatcher *d, struct client *client);

/* A channel of the server was freed: those that may go are written, now. */
void ahead_refill(struct server *server);

/* What has taken a freed channel of the server is not journalled yet. */
void ahead_fell_short(struct server *server);

/* Journalled, but its line is gone, its batch was called off meanwhile, or no call begins any more. */
bool ahead_is_unwanted(const struct dispatcher *d, const struct slot *slot);

/* An earlier life armed it: it goes on waiting, or, where there is nothing to wait for any more, is taken back. */
void ahead_adopt(struct dispatcher *d, struct slot *slot);

/* Its client, server or allocation is about to go. */
void ahead_orphan(struct dispatcher *d, struct slot *slot);

/* All of a chunk are taken back; all there are, when the dispatcher stops. */
void ahead_give_back(struct dispatcher *d, const struct chunk *chunk);
void ahead_give_back_all(struct dispatcher *d);

/* Its client wants it no more: it ends without an attempt. */
void ahead_call_off(struct dispatcher *d, struct slot *slot);

/* Once a second: a server that has had enough of them for long is given less; who could go goes, who cannot for longer than
 * PLAN_GOOD_US is taken back. */
void ahead_tend(struct dispatcher *d);

#endif
