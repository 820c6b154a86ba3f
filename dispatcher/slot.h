/* Slots: the attempts that are not finished, and the capacity that they hold.
 *
 * Capacity is taken in one function and given back in one, by the slot that holds it; the totals are the usage words of
 * client, allocation and server, and audit.h recounts them.
 */
#ifndef CCS_DISPATCHER_SLOT_H
#define CCS_DISPATCHER_SLOT_H

#include "dispatcher/dispatcher.h"
#include "shm/calls.h"

/* Once: binds the private array to the segment's tables. */
void slots_bind(struct dispatcher *d);

/* A slot in state PLANNED for an attempt; NULL when all are taken or the entry has one. */
struct slot *slot_open(
	struct dispatcher *d, const struct call_identity *id, const struct shm_call *facts);

/* Takes over slot i as an earlier life left it. Client, server and chunk are bound by the caller. */
struct slot *slot_adopt(struct dispatcher *d, uint32_t i);

/* Gives everything back: hash, grant, live number, chunk. The slot is FREE afterwards. */
void slot_close(struct dispatcher *d, struct slot *slot);

/* Forgets slot i here and leaves it in the segment as it is: recovery begins again. */
void slot_unbind(struct dispatcher *d, struct slot *slot);

struct slot *slot_of_entry(struct dispatcher *d, uint64_t entry_id);

static inline enum shm_call_state slot_state(const struct slot *slot)
{
	return (enum shm_call_state)atomic_load_explicit(&slot->head->state, memory_order_relaxed);
}

/* Its Originate is written, and Asterisk has not said what it thinks of it. */
static inline bool slot_owes_response(const struct slot *slot)
{
	return slot_state(slot) == CALL_SENT && !(slot->call->seen & SEEN_RESPONSE);
}

/* Channels of client, batch, allocation, server and caller id, and the rates' next arrival times. The gates have passed. */
void grant_take(struct dispatcher *d, struct slot *slot);

/* Channels only (a successor counts what it adopts; the rates remember by themselves). */
void grant_retake(struct dispatcher *d, struct slot *slot);

/* A share that has come back: the calls that live under its client and server hold grants of it from now on. */
void grant_rebind(struct dispatcher *d, struct edge *edge);

/* Once the channel is gone; harmless when nothing is held. Wakes who waits for it. */
void grant_give(struct dispatcher *d, struct slot *slot);

/* No other call to this number until slot_close. */
void number_lock(struct dispatcher *d, struct slot *slot);

/* Another call to this slot's number is live. */
bool slot_number_live(struct dispatcher *d, const struct slot *slot);

/* The lock that stands in the way of dialling row's number, or NULL. */
struct live_number *number_live(struct dispatcher *d, const struct shm_window *row);

#endif
