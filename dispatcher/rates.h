/* What the calls-per-hour limits remember. Their state lies in the segment, one word each, and goes on by itself; after a
 * start, and when a limit has changed, it is made anew from the attempts of the last hour, because a word that was kept
 * under one limit says nothing about another. Nothing is dialled until that is done. */
#ifndef CCS_DISPATCHER_RATES_H
#define CCS_DISPATCHER_RATES_H

#include "dispatcher/dispatcher.h"

/* Asks PostgreSQL and rebuilds all words; clears d->rates_wanted when it has. */
void rates_rebuild(struct dispatcher *d);

/* Shows how many calls the last hour had, of one and of all: the latter each second, because time
 * passes without calls, too. */
void rates_show(struct shm_usage *usage, struct starts *starts, int64_t now_us);
void rates_show_all(struct dispatcher *d);

#endif
