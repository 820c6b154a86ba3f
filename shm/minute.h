/* Requests in a minute of the clock: one word (minute since the epoch << 32 | requests) that all
 * workers share, changed by one CAS, so that a kill leaves it whole.
 *
 * Words of one client and those of everybody are full and empty at the same time, because all minutes
 * begin with the clock's: whoever waits for the end of one has waited for all of them.
 */
#ifndef CCS_SHM_MINUTE_H
#define CCS_SHM_MINUTE_H

#include <stdatomic.h>

#include "common/base.h"

/* How a limit stands. */
struct minute {
	uint32_t limit;
	uint32_t remaining;
	int64_t ends_us; /* wall: when remaining is limit again */
};

/* Counts one request. False when limit is reached; out is filled either way. */
bool minute_take(_Atomic uint64_t *word, uint32_t limit, int64_t now_us, struct minute *out);

/* Takes one request back that minute_take has counted, unless its minute is over. */
void minute_give_back(_Atomic uint64_t *word, const struct minute *taken);

/* How it stands, counting nothing. */
struct minute minute_look(const _Atomic uint64_t *word, uint32_t limit, int64_t now_us);

#endif
