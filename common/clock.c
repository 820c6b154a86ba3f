/* Clocks and their text forms: see clock.h. */
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

static char *put_digits(char *to, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + digits;
}

/* Digit by digit: strftime takes a lock and asks for the time zone, four times in every answer about a client. */
static char *put_seconds(char *to, int64_t wall_us)
{
	time_t s = whole_seconds(wall_us);
	struct tm utc = {0};
	gmtime_r(&s, &utc);
	const struct {
		int value, digits;
		char after;
	} parts[] = {{utc.tm_year + 1900, 4, '-'}, {utc.tm_mon + 1, 2, '-'}, {utc.tm_mday, 2, 'T'},
		{utc.tm_hour, 2, ':'}, {utc.tm_min, 2, ':'}, {utc.tm_sec, 2, '\0'}};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		to = put_digits(to, parts[i].value, parts[i].digits);
		*to++ = parts[i].after;
	}
	return to - 1;
}

const char *clock_utc(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
	char *to = put_seconds(out, wall_us);
	*to++ = 'Z';
	*to = '\0';
	return out;
}

const char *clock_utc_ms(int64_t wall_us, char out[CLOCK_TEXT_BYTES])
{
	char *to = put_seconds(out, wall_us);
	int64_t ms = (wall_us - whole_seconds(wall_us) * US_PER_S) / US_PER_MS;
	*to++ = '.';
	to = put_digits(to, (int)ms, 3);
	*to++ = 'Z';
	*to = '\0';
	return out;
}
