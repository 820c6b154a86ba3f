/* What the directory says of a client, an allocation, a server: from now on it holds. The next pick goes by it; calls in
 * progress go on, whatever the limits are now; who may do more than before is woken for it. */
#ifndef CCS_DISPATCHER_FACTS_H
#define CCS_DISPATCHER_FACTS_H

#include "dispatcher/dispatcher.h"

void client_set_facts(struct dispatcher *d, struct client *client, const struct shm_client *facts);
void edge_set_facts(struct dispatcher *d, struct edge *edge, const struct shm_allocation *facts);
void server_set_facts(struct dispatcher *d, struct server *server, const struct shm_server *facts);

#endif
