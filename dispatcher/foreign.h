/* Channels of others on a server that is shared: counted where the server is set to count_foreign_calls, so that they take
 * their part of its allowed_active_calls; never touched. The server is asked for its channels every few seconds, because its
 * manager may keep other people's events from us. */
#ifndef CCS_DISPATCHER_FOREIGN_H
#define CCS_DISPATCHER_FOREIGN_H

#include "dispatcher/dispatcher.h"

/* Once a second: asks again when it is time. */
void foreign_tick(struct server *server);

/* True when msg belongs to the answer. */
bool foreign_take(struct server *server, const struct ami_message *msg);

#endif
