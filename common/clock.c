/* Clocks and their text forms: see clock.h. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "common/clock.h"

#include "common/base.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* Seconds of wall_us, rounded down also before 1970. */
static time_t whole_seconds(int64_t wall_us)
{
	return (time_t)((wall_us - ((wall_us % US_PER_S) + US_PER_S) % US_PER_S) / US_PER_S);
}

const char *clock_utc(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
	time_t s = whole_seconds(wall_us);
	struct tm utc;
	gmtime_r(&s, &utc);
	strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return out;
}

const char *clock_utc_ms(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
	time_t s = whole_seconds(wall_us);
	struct tm utc;
	gmtime_r(&s, &utc);
	size_t n = strftime(out, CLOCK_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
	int64_t ms = (wall_us - s * US_PER_S) / US_PER_MS;
	(void)snprintf(out + n, CLOCK_TEXT_BYTES - n, ".%03" PRId64 "Z", ms);
	return out;
}
