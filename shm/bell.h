/* The bell: wakes the dispatcher. A FIFO in the run directory, so that services start in any order
 * and need no common parent.
 *
 *   worker       publish; if (exchange(armed, 0)) write one byte
 *   dispatcher   exchange(armed, 1); look at everything once more; wait; drain
 *
 * Both exchanges are acquire-release on one word, so they have an order: if the worker's comes
 * first, the dispatcher's reads from it and its second look sees what was published; if it comes
 * second, it finds 1 and rings. A running dispatcher costs a worker no system call. A byte that
 * finds the FIFO full changes nothing: it is already ringing. Losing a byte costs at most the
 * dispatcher's sweep interval.
 */
#ifndef CCS_SHM_BELL_H
#define CCS_SHM_BELL_H

#include "common/err.h"
#include "shm/layout.h"

struct bell {
	int fd; /* readable = rung: watch it with EPOLLIN */
};

/* <run_dir>/bell, made when absent (0660). Anybody may come first. */
MUST_USE bool bell_open(struct bell *bell, const char *run_dir, struct err *err);

/* A bell of another name, for another who waits. The dispatcher rings the relay's after it has published, without
 * asking whether anybody sleeps: the relay may write no word that the dispatcher reads, and a byte a turn is cheap. */
#define BELL_RELAY   "relay.bell"
#define BELL_COURIER "courier.bell" /* the same for the courier */
MUST_USE bool bell_open_named(
	struct bell *bell, const char *run_dir, const char *name, struct err *err);
void bell_close(struct bell *bell);

/* After publishing. shared NULL (no .in): rings without asking. */
void bell_ring(const struct bell *bell, struct shm_shared *shared);

/* Dispatcher: from now on I want to be woken. Look at every source once more after it. */
void bell_arm(struct shm_shared *shared);

/* Dispatcher: awake. */
void bell_disarm(struct shm_shared *shared);

/* Dispatcher: forget what has rung. */
void bell_drain(const struct bell *bell);

#endif
