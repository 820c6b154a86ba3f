/* Pauses that grow: see backoff.h. */
#include "courier/backoff.h"

#include "common/base.h"

int64_t backoff_us(unsigned failures, int64_t base_us, uint32_t noise)
{
	static const int64_t times[] = {1, 6, 30, 180, 720, 2160};
	size_t step = failures ? MIN((size_t)failures, ARRAY_LEN(times)) - 1 : 0;
	int64_t pause_us = times[step] * base_us;
	int64_t spread_us = pause_us / 5;
	return pause_us - spread_us / 2 + (spread_us ? (int64_t)(noise % (uint64_t)spread_us) : 0);
}
