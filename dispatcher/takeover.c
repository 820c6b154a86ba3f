/* Waits for the node's lock: see takeover.h. */
#include <signal.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/takeover.h"

#include "common/base.h"

static const struct timespec before_another_try = {.tv_nsec = 10 * 1000000L};

/* By no signal handler: the holder blocks them and reads them when it has its loop. */
static bool asked_to_stop(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

bool takeover(struct segment *seg, const struct conf *conf, int longest_ms, bool *adopted,
	struct err *err)
{
	int64_t began_us = clock_mono_us(), waited_ms = 0;
	while (!segment_create_or_adopt(seg, conf, adopted, err)) {
		if (err->kind != ERR_CONFLICT)
			return false;
		if (!waited_ms)
			log_info("segment.held",
				"node=%s longest_ms=%d do=\"waits for the dispatcher before it to "
				"end\"",
				seg->node, longest_ms);
		if (asked_to_stop())
			return false;
		(void)nanosleep(&before_another_try, NULL);
		waited_ms = MAX((clock_mono_us() - began_us) / 1000, (int64_t)1);
		if (waited_ms >= longest_ms)
			return fail(err, ERR_CONFLICT,
				"another dispatcher serves node %s, still after %lld ms", seg->node,
				(long long)waited_ms);
	}
	if (waited_ms)
		log_info("segment.free", "node=%s waited_ms=%lld", seg->node, (long long)waited_ms);
	return true;
}
