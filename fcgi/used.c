/* Keys that were used: see used.h. */
#include "fcgi/used.h"
#include "common/clock.h"
#include "shm/submit.h"

#include "common/base.h"

/* The ring has room for 256, and is there for work: what is beyond is told with a later request. */
enum { TOLD_EACH_SECOND = 16, KEYS = 1024 };

/* The minute in which each was told last; two that share a place tell a little more often. */
static struct {
	uint64_t key_id;
	int64_t minute;
} told[KEYS];

static bool may_tell(int64_t second)
{
	static int64_t current;
	static int n;

	if (second != current) {
		current = second;
		n = 0;
	}
	return n++ < TOLD_EACH_SECOND;
}

void key_used(struct app *app, uint64_t key_id, int64_t now_us)
{
	int64_t second = now_us / US_PER_S, minute = second / 60;
	size_t at = key_id % KEYS;

	if (!key_id || (told[at].key_id == key_id && told[at].minute == minute))
		return;
	const struct shm_submit used = {
		.kind = SUBMIT_KEY_USED, .id = key_id, .committed_us = (uint64_t)now_us};
	if (!may_tell(second) || !submit_send(app->segment, NULL, &used))
		return;
	told[at].key_id = key_id;
	told[at].minute = minute;
}
