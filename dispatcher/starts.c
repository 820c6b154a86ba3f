/* Calls started in the last hour: see starts.h. */
#include "dispatcher/starts.h"
#include "common/clock.h"

#include "common/base.h"

static int64_t minute_of(int64_t at_us)
{
	return at_us / (60 * US_PER_S);
}

static void move_to(struct starts *starts, int64_t minute)
{
	if (minute - starts->minute >= STARTS_MINUTES)
		*starts = (struct starts){.minute = minute};
	while (starts->minute < minute) {
		uint32_t *oldest = &starts->of[++starts->minute % STARTS_MINUTES];
		starts->sum -= *oldest;
		*oldest = 0;
	}
}

void starts_add(struct starts *starts, int64_t at_us, uint32_t n)
{
	int64_t minute = minute_of(at_us);

	move_to(starts, minute);
	if (starts->minute - minute >= STARTS_MINUTES)
		return;
	starts->of[minute % STARTS_MINUTES] += n;
	starts->sum += n;
}

uint32_t starts_now(struct starts *starts, int64_t now_us)
{
	move_to(starts, minute_of(now_us));
	return starts->sum;
}
