/* When API keys were last used: workers say so in their submit rings, at most once a minute for each key (fcgi/used.h), and it is
 * written here, many in one statement, at most once a minute for each key. A hint: what is lost by a kill costs a minute's accuracy. */
#ifndef CCS_DISPATCHER_USED_H
#define CCS_DISPATCHER_USED_H

#include "dispatcher/dispatcher.h"

void used_note(struct dispatcher *d, uint64_t key_id, int64_t at_us);

/* Writes what has been noted, every five seconds. While PostgreSQL is away it waits. */
void used_turn(struct dispatcher *d);

#endif
