/* The pace of a server: how many calls at once its trunk bears, found out from what comes back. Pure.
 *
 * Additive increase, multiplicative decrease, on calls in progress as TCP's congestion window is on bytes in flight. Some
 * numbers are refused for want of capacity somewhere beyond the trunk, whatever its load; so a refusal counts only when no
 * call got through lately with so many in progress, and the second of these in a row makes a cut. A cut takes a twentieth
 * off what is in progress, once for all calls that were under way when it was made. Calls that get through while the limit
 * holds back the next one raise it again, slowly at first and then faster, so that it comes back to where it was after 400
 * of them and as many more as it has room for: in steady state one call in a hundred or less finds the edge. After a pause,
 * after the very first cut, and when it has met no edge for a quarter longer than that, it doubles until it meets the ceiling
 * or another.
 */
#ifndef CCS_DISPATCHER_PACE_H
#define CCS_DISPATCHER_PACE_H

#include "common/base.h"

/* All zero: only the ceiling holds. */
struct pace {
	uint64_t limit;	 /* calls at once, in 1/PACE_UNIT (shm/health.h); 0 = no limit of its own */
	int64_t cut_us;	 /* it was lowered last */
	uint32_t calls;	 /* that got through since, while it held back others */
	bool is_rising;	 /* each call that gets through makes room for one more */
	uint64_t proven; /* the level, in 1/PACE_UNIT, at which calls got through lately */
	uint32_t suspects; /* refused above it, none getting through there since */
	uint32_t trouble;  /* refusals lately, less what got through */
};

/* A call whose fate on the trunk is known. */
struct pace_call {
	int64_t sent_us;
	uint32_t level; /* calls in progress when it was written, itself included */
	uint32_t live;	/* now, itself included */
};

/* Calls at once that may be in progress now: never more than the ceiling. */
uint32_t pace_limit(const struct pace *pace, uint32_t ceiling);

/* The trunk had no room for it. True when this is a cut. */
bool pace_refused(
	struct pace *pace, const struct pace_call *call, uint32_t ceiling, int64_t now_us);

/* The trunk took it. True when there is room for one more, or the limit is gone. */
bool pace_through(
	struct pace *pace, const struct pace_call *call, uint32_t ceiling, int64_t now_us);

/* The server works again after a pause: one call more than it has. */
void pace_restart(struct pace *pace, uint32_t live);

#endif
