/* What a server's answers say about it: they move its breaker and its pace, and both are shown in its row of the segment,
 * where a successor finds them. */
#ifndef CCS_DISPATCHER_HEALTH_H
#define CCS_DISPATCHER_HEALTH_H

#include "dispatcher/dispatcher.h"

/* Goes on from the server's row. Once, when its row is known. */
void health_adopt(struct server *server);

/* It has refused an Originate, made no channel of one, or does not answer. why is for people. */
void health_fault(struct server *server, enum shm_fault fault, struct str why);

/* One of its calls has come so far. */
void health_prove(struct server *server, enum breaker_proof proof);

/* Its trunk took the call in slot, which holds its grant; told once. */
void health_through(struct server *server, const struct slot *slot);

/* Its trunk had no room for it. */
void health_congested(struct server *server, const struct slot *slot, struct str why);

/* An Originate was written. */
void health_sent(struct server *server);

/* A new connection: the earlier one's faults are over, but for those of the trunk. */
void health_reset(struct server *server);

/* Does it owe a Response for too long? */
void health_tick(struct server *server);

/* The next moment (mono us) at which it may; INT64_MAX: it owes none. */
int64_t health_deadline(const struct server *server);

/* Calls at once that it may have now. */
uint32_t health_room(const struct server *server);

#endif
