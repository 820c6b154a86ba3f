/* The lock before the commits: see fence.h. */
#include "dispatcher/fence.h"
#include "common/clock.h"
#include "common/log.h"

#include "common/base.h"

static void taken(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	int64_t waited_us = clock_mono_us() - d->fence_asked_mono_us;
	(void)err; /* logged by the stream */
	d->fence_asked_mono_us = 0;
	if (!ok)
		return;
	d->fenced = d->commits_up = true;
	if (waited_us > US_PER_S)
		log_warn("fence.waited",
			"node=%s ms=%lld why=\"an earlier session of this node was still "
			"committing\"",
			d->conf->common_node, (long long)(waited_us / US_PER_MS));
}

void fence_take(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	d->fence_asked_mono_us = clock_mono_us();
	arg_text(&args, str_of(d->conf->common_node));
	stream_query(d->commits, SQL_NODE_FENCE, &args, NULL, NULL);
	stream_end(d->commits, taken, d);
	args_free(&args);
}

void fence_retry(struct dispatcher *d)
{
	if (!d->fenced && !d->fence_asked_mono_us && stream_is_up(d->commits))
		fence_take(d);
}
