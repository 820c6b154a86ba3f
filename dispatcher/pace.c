/* The pace: see pace.h. */
#include "dispatcher/pace.h"

#include "common/clock.h"
#include "shm/health.h"

#include "common/base.h"

enum {
	CUT = 20,    /* takes one call in so many off, at least one */
	CYCLE = 400, /* so many calls, and the limit itself, bring it back */
	BOLD = 4, /* after a cycle and a part of one without a cut, the trunk bears more than it did */
	FORGET =
		8, /* a call that gets through at a lower level takes off a part of the difference */
	SUSPECTS = 2, /* make a cut */
	REFUSED = 4,  /* weighs as much as so many calls that get through */
	TROUBLE = 16, /* so much more was refused lately: what was proven holds no more */
};

static uint64_t units(uint32_t calls)
{
	return (uint64_t)calls * PACE_UNIT;
}

uint32_t pace_limit(const struct pace *pace, uint32_t ceiling)
{
	if (!pace->limit)
		return ceiling;
	return (uint32_t)MIN(MAX(pace->limit / PACE_UNIT, UINT64_C(1)), (uint64_t)ceiling);
}

static uint64_t cut_of(uint64_t limit)
{
	return MAX(limit / CUT, units(1));
}

/* Whether a refusal says that the trunk was full. */
static bool is_evidence(struct pace *pace, uint32_t level)
{
	pace->trouble = MIN(pace->trouble + REFUSED, (uint32_t)TROUBLE);
	if (pace->trouble == TROUBLE)
		pace->proven = 0;
	return units(level) > pace->proven;
}

bool pace_refused(struct pace *pace, const struct pace_call *call, uint32_t ceiling, int64_t now_us)
{
	uint64_t others = MAX(units(MIN(call->live, ceiling + 1)), units(2)) - units(1);
	bool first = !pace->limit, own = call->sent_us > pace->cut_us;

	if (!is_evidence(pace, call->level))
		return false;
	if (!own) { /* known by its cut, but fewer are in progress than it knew of */
		pace->limit = first ? 0 : MIN(pace->limit, others);
		return false;
	}
	if (++pace->suspects < SUSPECTS && pace->trouble < TROUBLE)
		return false;
	pace->limit = first ? others : MIN(pace->limit, others);
	pace->limit -= MIN(cut_of(pace->limit), pace->limit - units(1));
	pace->is_rising = first;
	pace->cut_us = now_us;
	pace->calls = pace->suspects = 0;
	pace->trouble -= MIN(pace->trouble, (uint32_t)REFUSED);
	return true;
}

/* Linear in the calls since the cut, so that their sum is what was cut after one cycle. Where calls are rare, a second
 * counts as one, too. */
static uint64_t gain(const struct pace *pace, int64_t now_us)
{
	uint64_t cycle = CYCLE + pace->limit / PACE_UNIT;
	uint64_t seconds = (uint64_t)(MAX(now_us - pace->cut_us, INT64_C(0)) / US_PER_S);
	uint64_t since = pace->calls + seconds;

	if (pace->is_rising || since > cycle + cycle / BOLD)
		return units(1);
	return 2 * cut_of(pace->limit) * since / (cycle * cycle);
}

static void prove(struct pace *pace, uint32_t level)
{
	pace->trouble -= pace->trouble > 0;
	if (units(level) < pace->proven) {
		pace->proven -= (pace->proven - units(level)) / FORGET;
		return;
	}
	pace->proven = units(level);
	pace->suspects = 0;
}

bool pace_through(struct pace *pace, const struct pace_call *call, uint32_t ceiling, int64_t now_us)
{
	uint32_t before = pace_limit(pace, ceiling);

	prove(pace, MIN(call->level, call->live));
	if (!pace->limit || pace->suspects ||
		call->live + 1 < before) /* or something else holds back */
		return false;
	pace->calls += pace->calls < UINT32_MAX;
	pace->limit += gain(pace, now_us);
	if (pace->limit < units(ceiling))
		return pace_limit(pace, ceiling) > before;
	*pace = (struct pace){.proven = pace->proven};
	return true;
}

void pace_restart(struct pace *pace, uint32_t live)
{
	*pace = (struct pace){.limit = units(live) + units(1), .is_rising = true};
}
