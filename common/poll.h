/* The wait at the top of every loop: epoll, a signalfd and nothing hidden.
 *
 * A watch names a file descriptor and the function to call when it is ready. poll_wait waits once
 * and calls them; what is done with time (deadlines, sweeps) stands visibly in the caller's loop.
 */
#ifndef CCS_COMMON_POLL_H
#define CCS_COMMON_POLL_H

#include <sys/epoll.h>

#include "common/err.h"

struct poll;

/* events is a set of EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR. */
typedef void poll_fn(void *arg, uint32_t events);

struct poll *poll_new(void); /* ends the process when the kernel refuses */
void poll_free(struct poll *poll);

/* Calls fn(arg) whenever fd has one of events (EPOLLEXCLUSIVE allowed). One watch per fd. */
MUST_USE bool poll_add(
	struct poll *poll, int fd, uint32_t events, poll_fn *fn, void *arg, struct err *err);

/* Other events for a watched fd. */
void poll_change(struct poll *poll, int fd, uint32_t events);

/* Forgets fd, before it is closed. Safe inside a callback, also for a fd that is ready in the same
 * turn. */
void poll_remove(struct poll *poll, int fd);

/* Waits at most timeout_us (negative = for ever), then calls what is ready. Rounds up to a
 * millisecond only when the kernel lacks epoll_pwait2. */
void poll_wait(struct poll *poll, int64_t timeout_us);

/* Calls fn(arg) after each wait, before any callback: where a loop reads its clock once. */
void poll_on_wake(struct poll *poll, void (*fn)(void *arg), void *arg);

/* Blocks the listed signals (end with 0) for the process and returns a signalfd that delivers them.
 */
int poll_signals(const int *signals);

#endif
