/* Words of a client that workers and ccsctl change without asking the dispatcher: the generation,
 * which revokes what the directory says, and how many requests it has made (shm/minute.h). In .in;
 * each word by one CAS or add, so a kill leaves them whole.
 */
#ifndef CCS_SHM_TENANT_H
#define CCS_SHM_TENANT_H

#include "shm/segment.h"

/* The client's words; with create they are made. NULL when .in is not attached (or read-only and
 * absent) or the table is full. */
struct shm_tenant *tenant_find(const struct segment *seg, uint64_t client_id, bool create);

/* The client's generation now, made when absent. False when there are no words: nothing the
 * directory says about the client is certain. The dispatcher reads it *before* it reads the client
 * from SQL, and stores it in the row. Never equal across two lives of .in. */
MUST_USE bool tenant_generation(
	const struct segment *seg, uint64_t client_id, uint64_t *generation);

/* Call after the commit of any change of the client, its keys or its allocations: what the
 * directory says is void until the dispatcher has read it again. False when there are no words
 * (then nobody trusts the directory for this client). */
bool tenant_changed(const struct segment *seg, uint64_t client_id);

#endif
