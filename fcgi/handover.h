/* Where a worker that leaves puts its kept connections, and those that stay take them: a queue in the kernel, before all
 * workers of the pool as the listening socket is.
 *
 * To close a kept connection is not an answer to the request that nginx may be writing to it at that moment: a POST that is
 * lost so is a 502, because nginx may not send it twice. FastCGI has no word for "not on this connection any more". So a
 * connection changes hands instead, open, with whatever has been written to it and not read; nginx does not notice.
 */
#ifndef CCS_FCGI_HANDOVER_H
#define CCS_FCGI_HANDOVER_H

#include "common/err.h"

struct handover {
	int put_fd, take_fd; /* take_fd is readable while a connection waits */
};

/* In the master, before the first fork. */
MUST_USE bool handover_open(struct handover *handover, struct err *err);

/* Puts a connection there; the caller closes its own descriptor. Nothing of the connection may have been read that was not
 * answered. False while the queue is full. */
MUST_USE bool handover_put(const struct handover *handover, int fd);

/* The next one, which the caller owns; -1 when none waits. */
int handover_take(const struct handover *handover);

#endif
