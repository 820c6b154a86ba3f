/* Circuit and share of a host: see host.h. */
#include "courier/host.h"

#include "common/clock.h"

#include "common/base.h"

enum { FAILURES_IN_A_ROW = 5 };

static const int64_t FIRST_PAUSE_US = US_PER_S, LONGEST_PAUSE_US = 300 * US_PER_S;

bool host_is_open(const struct host *host)
{
	return host->pause_us != 0;
}

bool host_may_send(
	const struct host *host, const struct host_limits *limits, unsigned flying, int64_t mono_us)
{
	if (flying >= limits->total)
		return false;
	if (host_is_open(host)) /* one probe */
		return mono_us >= host->open_until_us && host->flying == 0;
	if (flying >= limits->total / 2 && host->flying > 0)
		return false;
	return host->flying < limits->per_host;
}

int64_t host_next_us(const struct host *host, int64_t mono_us)
{
	return host_is_open(host) && mono_us < host->open_until_us ? host->open_until_us
								   : INT64_MAX;
}

void host_answered(struct host *host)
{
	host->failures = 0;
	host->pause_us = 0;
}

void host_failed(struct host *host, int64_t mono_us, uint32_t noise)
{
	if (++host->failures < FAILURES_IN_A_ROW && !host_is_open(host))
		return;
	/* Those that were under way when it opened tell nothing new. */
	if (host_is_open(host) && mono_us < host->open_until_us)
		return;
	host->pause_us =
		host_is_open(host) ? MIN(host->pause_us * 2, LONGEST_PAUSE_US) : FIRST_PAUSE_US;
	int64_t half = host->pause_us / 2;
	host->open_until_us = mono_us + half + (int64_t)(noise % (uint64_t)(half + 1));
}
