/* Clients, keys, servers and allocations: read from PostgreSQL as a whole, kept here and published in the segment. */
#ifndef CCS_DISPATCHER_DIRECTORY_H
#define CCS_DISPATCHER_DIRECTORY_H

#include "dispatcher/dispatcher.h"

/* Reads everything; what changed takes effect when the answer is there. Until the first is, nothing is dialled. */
void directory_load(struct dispatcher *d);

struct client *client_find(struct dispatcher *d, uint64_t id);
struct edge *edge_find(struct client *client, uint64_t server_id);

/* A client's row is older than its generation word, so that workers no longer believe it: who changes a client bumps the
 * word after the commit, and a load may have come in between. */
bool directory_is_behind(const struct dispatcher *d);

#endif
