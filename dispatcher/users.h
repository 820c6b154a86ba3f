/* Users of the directory: what tokens are held against (shm/directory.h, dir_session). A part of each load of the directory;
 * the dispatcher itself has no use for them. */
#ifndef CCS_DISPATCHER_USERS_H
#define CCS_DISPATCHER_USERS_H

#include "dispatcher/dispatcher.h"

/* Before a load. */
void users_begin(struct dispatcher *d);

/* The rows of directory_users: stream_rows_fn. */
void users_take(void *arg, const struct rows *rows);

/* After it, and before the clients' rows are published: takes away who was not among them, also of an earlier life. */
void users_end(struct dispatcher *d);

#endif
