/* A second attempt on another server: where the first failed for a technical reason before anything rang, and only once.
 *
 * The detail of the failed attempt is stored as not final; when it is committed the entry stands in line again, in front,
 * with the number of its next attempt and the server to avoid. After a crash between the two, or where its chunk has left
 * memory, the load of its chunk finds it: an entry without a final detail and without an open attempt.
 */
#ifndef CCS_DISPATCHER_FAILOVER_H
#define CCS_DISPATCHER_FAILOVER_H

#include "dispatcher/dispatcher.h"

/* May the entry of this attempt, which failed before anything rang, be tried on another server? */
bool failover_possible(const struct dispatcher *d, const struct slot *slot);

/* Does another server of its client take calls? */
bool failover_has_other(const struct dispatcher *d, const struct slot *slot);

/* Its detail is committed: if that was not final, the entry waits again. Before slot_close. */
void failover_requeue(struct dispatcher *d, struct slot *slot);

/* The attempt is deleted from the journal, as if it had never been planned: the entry waits again, or is canceled if that was
 * ordered meanwhile. Before slot_close. */
void failover_undo(struct dispatcher *d, struct slot *slot);

/* Its last attempt failed, and for a while it is not dialled where that was. */
bool failover_looks_elsewhere(const struct dispatcher *d, const struct waiting *w);

/* Must w not be dialled on this server now? It avoids the one that failed for a while. */
bool failover_avoids(
	const struct dispatcher *d, const struct waiting *w, const struct server *server);

#endif
