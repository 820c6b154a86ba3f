/* GCRA: see rate.h for the arithmetic. */
#include "shm/rate.h"

#include "common/clock.h"

static struct rate rate_of(uint32_t n, int64_t period_us, uint32_t divisor)
{
	int64_t burst = MAX(1, n / divisor);
	int64_t steady = n == 1 ? 1 : n - burst;
	int64_t interval = (period_us + steady - 1) / steady;
	return (struct rate){interval, (burst - 1) * interval, period_us};
}

static struct rate rate_or_never(uint32_t n, int64_t period_us, uint32_t divisor)
{
	if (n == 0)
		return (struct rate){.interval_us = RATE_NEVER, .period_us = period_us};
	return rate_of(n, period_us, divisor);
}

struct rate rate_per_hour(uint32_t n)
{
	return rate_or_never(n, 3600 * US_PER_S, 20);
}

struct rate rate_per_minute(uint32_t n)
{
	return rate_or_never(n, 60 * US_PER_S, 2);
}

struct rate rate_per_second(uint32_t n)
{
	if (n == 0)
		return (struct rate){.interval_us = 0, .period_us = US_PER_S};
	return rate_of(n, US_PER_S, 10);
}

int64_t rate_next_us(const struct rate *rate, int64_t tat_us)
{
	if (rate->interval_us == RATE_NEVER)
		return RATE_NEVER;
	return rate->interval_us == 0 ? INT64_MIN : tat_us - rate->tolerance_us;
}

bool rate_check(const struct rate *rate, int64_t tat_us, int64_t now_us)
{
	return rate->interval_us != RATE_NEVER && rate_next_us(rate, tat_us) <= now_us;
}

uint64_t rate_room(const struct rate *rate, int64_t tat_us, int64_t now_us)
{
	if (rate->interval_us == 0)
		return UINT64_MAX;
	if (!rate_check(rate, tat_us, now_us))
		return 0;
	return (uint64_t)((now_us + rate->tolerance_us - MAX(tat_us, now_us)) / rate->interval_us) +
	       1;
}

int64_t rate_take_many(const struct rate *rate, int64_t tat_us, int64_t now_us, uint32_t n)
{
	/* One period after the last start nothing counts any more, whatever was owed. */
	int64_t forgiven = now_us + rate->period_us + rate->tolerance_us;
	if (n == 0)
		return tat_us;
	if (rate->interval_us == RATE_NEVER)
		return forgiven;
	return MIN(MAX(tat_us, now_us) + n * rate->interval_us, forgiven);
}

int64_t rate_take(const struct rate *rate, int64_t tat_us, int64_t now_us)
{
	return rate_take_many(rate, tat_us, now_us, 1);
}

int64_t rate_rebuild(const struct rate *rate, const int64_t *starts_us, size_t n)
{
	int64_t tat_us = 0;
	for (size_t i = 0; i < n; i++)
		tat_us = rate_take(rate, tat_us, starts_us[i]);
	return tat_us;
}
