/* What the limits on calls per hour and per second remember. Their state lies in the segment, a word each, and goes on by
 * itself. After a start it is made anew from the attempts of the last hour, and nothing is dialled until that is done. When a
 * limit changes, the word that was kept under the old one is turned into one of the new. */
#ifndef CCS_DISPATCHER_RATES_H
#define CCS_DISPATCHER_RATES_H

#include "dispatcher/dispatcher.h"

/* Asks PostgreSQL and rebuilds all words; clears d->rates_wanted when it has. */
void rates_rebuild(struct dispatcher *d);

/* The same for a share that a client is given, perhaps again: it remembers what was begun on that server in the last hour.
 * Until that is known (edge->counting) nothing begins on it. */
void rates_of_share(struct dispatcher *d, struct edge *edge);

struct rate_limits {
	uint32_t per_hour;
	uint32_t per_second; /* 0: none */
};

/* From now on these limits hold, with what was begun under the old ones counted. Per hour, by minutes: a start counts until
 * the end of its minute an hour later. Per second: a lower limit waits for a second, a higher one goes on. */
void rates_changed(struct dispatcher *d, struct shm_usage *usage, const struct starts *starts,
	struct rate_limits before, struct rate_limits now);

/* Shows how many calls the last hour had, of one and of all: the latter each second, because time
 * passes without calls, too. */
void rates_show(struct shm_usage *usage, struct starts *starts, int64_t now_us);
void rates_show_all(struct dispatcher *d);

#endif
