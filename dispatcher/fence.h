/* One session of a node commits at a time.
 *
 * PostgreSQL goes on with what a killed dispatcher, or a lost connection, had sent: an attempt may be committed after the
 * successor has asked about it and was told that there is none. It would be in the journal, belong to nobody, and its entry
 * would stay open for ever. So the commit stream begins, each time it is up, with a lock that lives as long as its session:
 * whoever holds it knows that what is in no table now will never be.
 */
#ifndef CCS_DISPATCHER_FENCE_H
#define CCS_DISPATCHER_FENCE_H

#include "dispatcher/dispatcher.h"

/* The commit stream is up. d->fenced and d->commits_up follow. */
void fence_take(struct dispatcher *d);

/* Once a second: asks again where PostgreSQL has refused, as a limit on waiting for locks makes it do. */
void fence_retry(struct dispatcher *d);

#endif
