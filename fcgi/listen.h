/* The socket of a pool: <run_dir>/api-<pool>.sock, 0660. Unix only, because whoever may connect to
 * it may stop a worker (libfcgi has no defence); nginx gets in by the run directory's group. */
#ifndef CCS_FCGI_LISTEN_H
#define CCS_FCGI_LISTEN_H

#include <sys/un.h>

#include "common/err.h"
#include "fcgi/app.h"

/* Room for ".new" behind it, in what a socket's address may hold. */
enum { LISTENER_PATH_BYTES = sizeof(((struct sockaddr_un *)0)->sun_path) - 4 };

struct listener {
	int fd;	     /* non-blocking */
	int lock_fd; /* holds the pool's name for this master */
	char path[LISTENER_PATH_BYTES];
};

/* Takes the pool's name and listens. CONFLICT while another master has it. What a dead one left
 * behind is replaced in one step, so that nginx never finds no socket. */
MUST_USE bool listener_open(
	struct listener *listener, const char *run_dir, enum pool pool, struct err *err);

/* Removes the name: connections that wait are still served, new ones are refused. */
void listener_hide(const struct listener *listener);

#endif
