/* Calls started in the last hour: see starts.h. */
#include "dispatcher/starts.h"
#include "common/clock.h"

#include "common/base.h"

static int64_t minute_of(int64_t at_us)
{
	return at_us / (60 * US_PER_S);
}

static uint32_t *place_of(struct starts *starts, int64_t minute)
{
	return &starts->of[minute % STARTS_KEPT];
}

static void move_to(struct starts *starts, int64_t minute)
{
	if (minute - starts->minute >= STARTS_KEPT)
		*starts = (struct starts){.minute = minute};
	while (starts->minute < minute) {
		starts->minute++;
		starts->sum -= *place_of(starts, starts->minute - STARTS_MINUTES);
		*place_of(starts, starts->minute) = 0;
	}
}

void starts_add(struct starts *starts, int64_t at_us, uint32_t n)
{
	int64_t minute = minute_of(at_us);

	move_to(starts, minute);
	if (starts->minute - minute >= STARTS_KEPT)
		return;
	*place_of(starts, minute) += n;
	if (starts->minute - minute < STARTS_MINUTES)
		starts->sum += n;
}

uint32_t starts_in(const struct starts *starts, int64_t minute)
{
	bool is_kept = minute <= starts->minute && starts->minute - minute < STARTS_KEPT;
	return is_kept ? starts->of[minute % STARTS_KEPT] : 0;
}

uint32_t starts_now(struct starts *starts, int64_t now_us)
{
	move_to(starts, minute_of(now_us));
	return starts->sum;
}
