/* Torture of the segment: processes that do what workers, dispatcher and readers do with it, killed
 * at random moments.
 *
 * PostgreSQL and Asterisk are append-only files of ids: what is there, the world has seen.
 *
 *   committed.<k>  a worker's transaction committed (before the record in the submit ring)
 *   journal        the attempt is journalled (slot PLANNED -> ARMED)
 *   dialled        the Originate was written; the phone rings (after SENT was stored)
 *   done           the detail is committed; event number = place (slot ENDED -> free)
 *
 * Promised, whoever dies when: every committed id is dialled exactly once and done exactly once;
 * events come in the order of `done`, whole, each once or counted as missed; no reader ever
 * believes a half-written row.
 */
#ifndef CCS_TESTS_SHM_TORTURE_H
#define CCS_TESTS_SHM_TORTURE_H

#include <sys/types.h>

#include "shm/segment.h"

enum {
	WORKERS = 3,
	READERS = 2,
	CLIENTS = 4,
	SERVER_ID = 9,
	ID_MAX = 1 << 24,
	IN_FLIGHT_MAX = 400, /* per worker: committed and not done */
};

enum file { COMMITTED, JOURNAL = COMMITTED + WORKERS, DIALLED, DONE, FILE__N };

/* What was seen; one page that all processes share. The last block must stay 0. */
struct score {
	_Atomic uint64_t popped, swept, known_already, adopted, never_written, republished;
	_Atomic uint64_t events, overruns, missed, calls_read, rows_read, rows_busy;
	_Atomic uint64_t torn_records, torn_events, torn_calls, torn_rows, wrong_order, resets,
		orphans;
};

struct torture {
	struct conf conf;
	char folder[64];
	int fd[FILE__N];
	struct score *score;
};

/* The roles: each in its own process, never returns. */
_Noreturn void be_worker(const struct torture *t, int k);
_Noreturn void be_dispatcher(const struct torture *t);
_Noreturn void be_reader(const struct torture *t);

/* torture_world.c: files and what follows from an id */
void append(const struct torture *t, enum file file, uint64_t id);
uint64_t file_count(const struct torture *t, enum file file);
uint64_t file_at(const struct torture *t, enum file file, uint64_t i);
/* What stands there from place `from` on, and how many ids that is; free it. */
uint64_t *file_load(const struct torture *t, enum file file, uint64_t from, uint64_t *n);
void number_of(uint64_t id, char out[20]);
void client_of(uint64_t client_id, uint32_t version, struct shm_client *out);
bool client_is_whole(const struct shm_client *client);
void nap_us(int64_t us);

static inline uint64_t client_id_of(uint64_t id)
{
	return id % CLIENTS + 1;
}

static inline void score_add(_Atomic uint64_t *word)
{
	atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
}

#endif
