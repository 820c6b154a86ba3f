/* Dialling stopped by an operator, for one client or for all: table halt is the truth, a control row tells of each change at
 * once. A halted client's calls go on; nothing that is only planned or journalled is written any more (failover.h). */
#ifndef CCS_DISPATCHER_HALT_H
#define CCS_DISPATCHER_HALT_H

#include "dispatcher/dispatcher.h"

/* Adds the statement to the load of the directory that is under way, behind the clients. */
void halts_load(struct dispatcher *d);

/* That load has ended well. */
void halts_loaded(struct dispatcher *d);

/* A control row: client_id 0 means all. Nothing of these clients is written from now on, or it is again. */
void halt_ordered(struct dispatcher *d, uint64_t client_id, bool is_halted);

/* What the client's row has to say. */
bool halt_holds(const struct dispatcher *d, const struct client *client);

#endif
