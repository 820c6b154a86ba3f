/* One worker process: waits for connections of nginx and answers what comes over them.
 *
 * libfcgi speaks the protocol, but does not wait: we accept, and call FCGX_Accept_r only on a
 * connection that has something to read. So a kept connection never holds a process (libfcgi alone
 * starves whoever comes after the last free one), and signals are seen at once.
 *
 *   fast   many kept connections, each with its FCGX_Request; whichever is readable is answered
 *   call   the same, but what is readable in one turn is answered together, after one transaction
 *   sql    one connection, one request, then the next: waiting for PostgreSQL holds up nobody else's
 */
#ifndef CCS_FCGI_WORKER_H
#define CCS_FCGI_WORKER_H

#include "common/conf.h"
#include "fcgi/app.h"
#include "fcgi/handover.h"

/* What the master gives to a worker. */
struct worker_place {
	enum pool pool;
	int listen_fd;
	struct handover handover; /* of a pool that keeps connections */
	int ready_fd;		  /* its pid goes there when it takes connections */
};

/* The life of a worker, after the fork. Returns the exit status; 0 means that it left in order.
 *
 *   SIGUSR1, or its share of requests answered: others go on. It takes no more connections, answers what it has begun
 *            and hands over what it keeps.
 *   SIGTERM  the pool ends: it answers all that has reached the pool. */
int worker_run(const struct conf *conf, const struct worker_place *place);

#endif
