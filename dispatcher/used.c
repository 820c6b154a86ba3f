/* When keys were used: see used.h. */
#include <stdlib.h>

#include "dispatcher/lookups.h"
#include "dispatcher/used.h"

#include "common/base.h"

enum { WRITE_S = 5 };

/* More than are used in that time. What is beyond waits for a later use: workers are not believed without bounds. */
enum { NOTED_MOST = 4096 };

struct used_key {
	uint64_t id;
	int64_t at_us;
	UT_hash_handle hh;
};

void used_note(struct dispatcher *d, uint64_t key_id, int64_t at_us)
{
	struct used_key *used;

	/* A clock that is ahead must not hide the uses of a year. */
	at_us = MIN(at_us, d->now_us);
	HASH_FIND(hh, d->used_keys, &key_id, sizeof(key_id), used);
	if (used) {
		used->at_us = MAX(used->at_us, at_us);
		return;
	}
	if (HASH_COUNT(d->used_keys) == NOTED_MOST || !(used = calloc(1, sizeof(*used))))
		return;
	used->id = key_id;
	used->at_us = at_us;
	HASH_ADD(hh, d->used_keys, id, sizeof(used->id), used);
}

static void add_ids(struct sql_args *args, const struct used_key *first)
{
	struct sql_array ids = arg_array(args, INT8OID);
	for (const struct used_key *used = first; used; used = used->hh.next)
		array_i64(&ids, (int64_t)used->id);
	array_end(&ids);
}

static void add_times(struct sql_args *args, const struct used_key *first)
{
	struct sql_array times = arg_array(args, TIMESTAMPTZOID);
	for (const struct used_key *used = first; used; used = used->hh.next)
		array_time(&times, used->at_us);
	array_end(&times);
}

static void forget(struct dispatcher *d)
{
	struct used_key *used, *next;
	HASH_ITER (hh, d->used_keys, used, next) {
		HASH_DEL(d->used_keys, used);
		free(used);
	}
}

void used_turn(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;

	if (!d->used_keys || d->now_us < d->next_used_us || !lookups_may(d))
		return;
	d->next_used_us = d->now_us + WRITE_S * US_PER_S;
	add_ids(&args, d->used_keys);
	add_times(&args, d->used_keys);
	stream_query(d->lookups, SQL_KEYS_USED, &args, NULL, NULL);
	stream_end(d->lookups, NULL, NULL);
	args_free(&args);
	forget(d);
}
