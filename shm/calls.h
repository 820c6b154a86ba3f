/* Call slots: every call in progress, from the grant to the committed detail.
 *
 * The state word is the commit: all that a step writes is written before it, so that a successor
 * finds each slot as the last finished step left it, and can adopt it. Identity (entry, attempt,
 * client, server) is written under the row's sequence while the slot is FREE and never changes
 * until it is FREE again.
 *
 *   FREE ─take─► PLANNED ► ARMED ► SENT ► DIALING ► RINGING ► UP ► ENDED ─release─► FREE
 *                └──────────────── holds its grant ──────────────┘     (unless armed ahead)
 *
 * Steps may be skipped; the only one undone is SENT, by a successor that can prove that no byte was
 * written.
 */
#ifndef CCS_SHM_CALLS_H
#define CCS_SHM_CALLS_H

#include "shm/segment.h"

/* ---- owner: the dispatcher ---- */

/* The free slots: private, made from the states at every start. */
struct call_table {
	struct segment *seg;
	uint32_t n;	 /* all slots */
	uint32_t free_n; /* of these, free */
	uint32_t *free;	 /* a stack of them */
};

enum { CALL_NO_SLOT = UINT32_MAX };

void call_table_open(struct call_table *table, struct segment *seg);
void call_table_close(struct call_table *table);

struct call_identity {
	uint64_t entry_id;
	uint64_t client_id;
	uint64_t server_id;
	uint32_t n;
};

/* A slot in state PLANNED, or CALL_NO_SLOT when none is free. details->row is ignored. */
uint32_t call_take(
	struct call_table *table, const struct call_identity *id, const struct shm_call *details);

/* ENDED and committed (or PLANNED and never journalled): the slot is free again. */
void call_release(struct call_table *table, uint32_t slot);

/* Replaces the details; row is ignored. Before call_state_set, so that the state commits it. */
void call_update(struct segment *seg, uint32_t slot, const struct shm_call *details);

/* The step is done. */
void call_state_set(struct segment *seg, uint32_t slot, enum shm_call_state state);

/* Slots in use are walked by index: for (slot = 0; slot < table.n; slot++) if (call_state(seg,
 * slot) != CALL_FREE) ... The owner may read seg_call_heads(seg)[slot] and seg_calls(seg)[slot]
 * directly. */
static inline enum shm_call_state call_state(const struct segment *seg, uint32_t slot)
{
	return (enum shm_call_state)atomic_load_explicit(
		&seg_call_heads(seg, NULL)[slot].state, memory_order_acquire);
}

/* Counts against channels of client, allocation and server. What was armed ahead takes its grant before it is
 * written. */
static inline bool call_holds_grant(enum shm_call_state state, uint32_t seen)
{
	return state >= CALL_PLANNED && state <= CALL_UP && !(seen & SEEN_AHEAD);
}

/* "planned", "ringing"... */
const char *call_state_name(enum shm_call_state state);

/* ---- readers (ccsctl and the auditor; tenants go through view.h) ---- */

/* A consistent copy: identity, details and a state that belongs to them. False when the slot is
 * free or stayed busy. */
MUST_USE bool call_read(const struct segment *seg, uint32_t slot, struct shm_call_view *out);

/* Calls that hold a grant, by walking the slots. client_id or server_id 0 = any. */
uint32_t call_count(const struct segment *seg, uint64_t client_id, uint64_t server_id);

#endif
