/* The first minutes of a life: epoch, directory, the calls of the life before. Nothing is dialled until it is done.
 *
 *   both connections up, fence ─► node_start, chunks under the new epoch ─► directory ─► slots ─► servers ─► recovered
 *
 * The segment's slots, when they survived, say of each call how far it had come: see call.def. Without them the journal
 * says what was begun, and the servers say what is alive.
 */
#ifndef CCS_DISPATCHER_RECOVER_H
#define CCS_DISPATCHER_RECOVER_H

#include "dispatcher/dispatcher.h"

/* Connections of the life before, by server; -1 when the holder has none. The caller of recover_give hands one over, the
 * caller of recover_take owns it. */
void recover_give(struct dispatcher *d, uint64_t server_id, int fd);
int recover_take(struct dispatcher *d, uint64_t server_id);

/* Goes on where it is possible: called every turn until d->recovered. */
void recover_step(struct dispatcher *d);

/* The directory has been read for the first time. */
void recover_with_directory(struct dispatcher *d);

#endif
