/* Look-ups: what the dispatcher asks PostgreSQL beside its commits. One that fails is made again by whoever wanted it, but not at
 * once: a missing right or a damaged index would be asked about ten thousand times a second. */
#ifndef CCS_DISPATCHER_LOOKUPS_H
#define CCS_DISPATCHER_LOOKUPS_H

#include "common/clock.h"
#include "dispatcher/dispatcher.h"
#include "sql/stream.h"

/* One may be begun now. */
static inline bool lookups_may(const struct dispatcher *d)
{
	return stream_is_up(d->lookups) && d->now_mono_us >= d->lookups_after_mono_us;
}

/* One has failed: all others wait, too. The sweep, which comes first then, takes up chunks that could not be loaded. */
static inline void lookups_pause(struct dispatcher *d)
{
	d->sweep_wanted = true;
	d->lookups_after_mono_us = d->now_mono_us + US_PER_S;
}

#endif
