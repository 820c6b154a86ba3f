/* Submit rings: a worker tells the dispatcher about work it has committed.
 *
 * One producer (the worker that owns the slot), one consumer (the dispatcher). A record is a hint:
 * PostgreSQL already holds the work, and the sweep finds what a killed worker could not announce.
 * So a full ring is not an error.
 *
 *   tail   in .in, stored by the worker with release after the record: a kill before that store
 *          leaves no trace
 *   head   in .state, because a worker may not write what the dispatcher trusts
 *   ring   untrusted to the dispatcher: it copies a record out, checks it (submit_valid), then
 *          believes it
 *
 * A slot belongs to a process (pid and start time in one word) from a CAS until it gives it back or
 * is seen dead by the next taker. What a dead worker had pushed is still drained: tail goes on from
 * where it stands.
 */
#ifndef CCS_SHM_SUBMIT_H
#define CCS_SHM_SUBMIT_H

#include "common/err.h"
#include "common/pool.h"
#include "shm/segment.h"

struct bell;

/* Most entries of a chunk: entry_id = chunk_id * 1024 + i. */
enum { SUBMIT_ENTRIES_MAX = 1024 };

/* ---- workers ---- */

/* Takes a slot for this process: after fork, not before. BUSY when all are held by living
 * processes. */
MUST_USE bool worker_slot_take(struct segment *seg, enum pool pool, struct err *err);

/* We hold one, in the .in that is attached now. */
bool worker_slot_held(const struct segment *seg);

/* Says there that this worker takes no new connections. */
void worker_slot_leaving(struct segment *seg);

/* Gives it back. */
void worker_slot_release(struct segment *seg);

/* Announces rec and rings the bell (NULL: without). Takes a slot again when .in has been replaced.
 * False when it could not be announced (ring full, no slot, no .state): nothing is lost, the sweep
 * finds it. */
bool submit_send(struct segment *seg, const struct bell *bell, const struct shm_submit *rec);

/* Counts a request on our slot, for ccsctl. */
void worker_count_request(struct segment *seg);

/* The ring itself: false when it is full. head is the dispatcher's word for this slot. */
bool submit_push(struct shm_worker *worker, const struct shm_submit_head *head,
	const struct shm_submit *rec);

/* ---- the dispatcher ---- */

/* Something waits in any ring. For the look between bell_arm and the wait. */
bool submit_waiting(const struct segment *seg);

/* Copies the next record of any slot to rec, from slot *at on, round robin; false when all are
 * empty. A ring whose tail makes no sense is skipped to its tail. Start with *at = 0 and keep it
 * between calls. */
bool submit_pop(struct segment *seg, uint32_t *at, struct shm_submit *rec);

/* One ring. */
bool submit_pop_from(
	const struct shm_worker *worker, struct shm_submit_head *head, struct shm_submit *rec);

/* What only a broken or hostile worker can have written is refused: kinds, ranges, text without
 * end, digits that are none. */
bool submit_valid(const struct shm_submit *rec);

/* ---- both ---- */

/* What a slot says of the worker that holds it. */
struct worker_facts {
	uint32_t pid;
	uint32_t started_ticks; /* since boot, low 32 bits */
	enum pool pool;
	bool leaving;
	uint64_t requests;
};

/* False when slot i is free, or its owner is dead, or says what cannot be. */
bool worker_at(const struct segment *seg, uint32_t i, struct worker_facts *facts);

/* The process that holds a slot, 0 = free. */
static inline uint32_t worker_pid(uint64_t owner)
{
	return (uint32_t)owner;
}

/* The process of this owner word is still that process. */
bool worker_alive(uint64_t owner);

/* The owner word of the calling process. */
uint64_t worker_self(void);

#endif
