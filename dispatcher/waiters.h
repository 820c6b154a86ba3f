/* Who waits for a server, and who is woken when it has room.
 *
 * Each server is shared by weight among those who wait for it: a call moves the virtual time of its client's edge by
 * 1 / weight, and whoever waits with the least is woken first. Who has not waited for a while saves up one call at most.
 *
 * Nobody passes the line: who has work and finds the server with room, but others waiting with less, waits with them.
 * As many are woken as the server's own gates let begin. What blocks it for a known time (rates, a pause) is the server's
 * timer, not one of each waiter: a freed channel costs the same with one waiter and with ten thousand.
 */
#ifndef CCS_DISPATCHER_WAITERS_H
#define CCS_DISPATCHER_WAITERS_H

#include "dispatcher/dispatcher.h"

/* What a call of weight 1 costs. 2^63 / 2^30 calls on one server are three years at a hundred a second; the heaviest
 * client (10^6) still moves by 1073. */
#define STRIDE (INT64_C(1) << 30)

/* The edge's server is in its way: woken when it has room. */
void waiters_join(struct dispatcher *d, struct edge *edge);

/* Somebody waits for the edge's server whose turn comes before it. */
bool waiters_before(const struct edge *edge);

/* A call is planned on the edge. */
void waiters_served(struct edge *edge);

/* Wakes some of those who wait for servers that loosened. False when nobody was: done for this pass. */
bool waiters_wake(struct dispatcher *d);

/* There are servers that loosened and were not looked at. */
bool waiters_pending(const struct dispatcher *d);

/* The next moment (wall us) at which a server loosens by itself. */
int64_t waiters_next_us(const struct dispatcher *d);

#endif
