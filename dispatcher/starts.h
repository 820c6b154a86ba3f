/* How many calls were started in the last hour, by minute: what a limit per hour is shown beside. What
 * holds the limit is the rate's own word (shm/rate.h), which knows only when the next may start; when a limit changes, that word
 * is made anew from here. */
#ifndef CCS_DISPATCHER_STARTS_H
#define CCS_DISPATCHER_STARTS_H

#include "common/base.h"

/* The minute before the last sixty is kept, too: part of it lies within the hour. */
enum { STARTS_MINUTES = 60, STARTS_KEPT };

/* All zero = none. */
struct starts {
	int64_t minute;		  /* the newest that is counted, since the epoch */
	uint32_t sum;		  /* of the last sixty */
	uint32_t of[STARTS_KEPT]; /* each minute in the place of its number modulo 61 */
};

/* Counts n that began at a moment of the last hour; older ones count no more. Forgets nothing. */
void starts_add(struct starts *starts, int64_t at_us, uint32_t n);

/* How many began in a minute (since the epoch) that is kept, as of the last look. */
uint32_t starts_in(const struct starts *starts, int64_t minute);

/* How many there are now: forgets what is older than an hour, to the minute. */
uint32_t starts_now(struct starts *starts, int64_t now_us);

#endif
