/* The dispatcher's segment: one owner per node, adopted after a death, replaced when it does not
 * fit. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "shm/calls.h"
#include "shm/object.h"
#include "shm/row.h"
#include "shm/segment.h"
#include "shm/submit.h"

enum own_result { OWN_DONE, OWN_AGAIN, OWN_FAILED };

/* The lock is the kernel's: it belongs to the open file, passes to the child with it, and is gone
 * with the last process that holds it. Readers cannot take it: a write lock needs a writable fd. */
static bool lock_node(const struct segment *seg, const struct segment_map *map, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	if (fcntl(map->fd, F_OFD_SETLK, &lock) == 0)
		return true;
	return fail(err, ERR_CONFLICT, "another dispatcher serves node %s (%s)", seg->node,
		strerror(errno));
}

/* Takes over a mapping and keeps its descriptor. */
static void hold(struct segment *seg, enum shm_object which, struct segment_map *fresh)
{
	fresh->attached = seg->map[which].attached + 1;
	fresh->wanted = true;
	object_unmap(&seg->map[which]);
	seg->map[which] = *fresh;
	object_tables(seg, which);
}

/* The lock may be on an object whose name has just been given to another. */
static bool has_name(
	const struct segment *seg, enum shm_object which, const struct segment_map *map)
{
	dev_t dev;
	ino_t ino;
	return object_named(seg->node, which, &dev, &ino) && dev == map->dev && ino == map->ino;
}

static bool has_live_calls(const struct segment_map *map)
{
	struct segment probe = {.map[SHM_STATE] = *map};
	object_tables(&probe, SHM_STATE);
	uint32_t n;
	(void)seg_call_heads(&probe, &n);
	for (uint32_t i = 0; i < n; i++)
		if (call_state(&probe, i) != CALL_FREE)
			return true;
	return false;
}

/* An object of other sizes is replaced, but live calls are worth more than a changed option. */
static bool worth_keeping(
	enum shm_object which, const struct segment_map *map, const uint64_t rows[SHM_TABLE__N])
{
	uint32_t at = 0;
	bool same = true;
	for (int t = 0; t < SHM_TABLE__N; t++)
		if (object_of_table((enum shm_table)t) == which)
			same &= map->counts[at++] == rows[t];
	return same || (which == SHM_STATE && has_live_calls(map));
}

static enum own_result make(struct segment *seg, enum shm_object which,
	const uint64_t rows[SHM_TABLE__N], struct err *err)
{
	struct segment_map fresh = {.fd = -1};
	if (!object_make(which, rows, &fresh, err))
		return OWN_FAILED;
	enum object_result result = OBJECT_FAILED;
	if (which != SHM_STATE || lock_node(seg, &fresh, err))
		result = object_link(seg->node, which, &fresh, err);
	if (result == OBJECT_OK) {
		hold(seg, which, &fresh);
		return OWN_DONE;
	}
	object_unmap(&fresh);
	return result == OBJECT_TAKEN ? OWN_AGAIN : OWN_FAILED;
}

/* One look at one object: adopts it, or makes it, or clears its place and asks for another look. */
static enum own_result take(struct segment *seg, enum shm_object which,
	const uint64_t rows[SHM_TABLE__N], bool *adopted, struct err *err)
{
	struct segment_map found = {.fd = -1};
	struct err why = {.text = "other sizes are configured"};
	enum object_result result = object_open(seg->node, which, true, &found, &why);
	if (result == OBJECT_ABSENT)
		return make(seg, which, rows, err);
	if (result == OBJECT_FAILED) {
		if (err)
			*err = why;
		return OWN_FAILED;
	}
	if (which == SHM_STATE && !lock_node(seg, &found, err)) {
		object_unmap(&found);
		return OWN_FAILED;
	}
	bool named = has_name(seg, which, &found), removed = true;
	if (named && result == OBJECT_OK && worth_keeping(which, &found, rows)) {
		hold(seg, which, &found);
		*adopted = true;
		return OWN_DONE;
	}
	if (named) {
		log_info("segment.retired", "node=%s object=%d why=%s", seg->node, (int)which,
			log_q(why.text));
		removed = object_retire(seg->node, which, err);
	}
	object_unmap(&found);
	return removed ? OWN_AGAIN : OWN_FAILED;
}

static bool take_until_done(struct segment *seg, enum shm_object which,
	const uint64_t rows[SHM_TABLE__N], bool *adopted, struct err *err)
{
	for (int attempt = 0; attempt < 10; attempt++) {
		enum own_result result = take(seg, which, rows, adopted, err);
		if (result != OWN_AGAIN)
			return result == OWN_DONE;
	}
	return fail(
		err, ERR_BUSY, "the segment of node %s comes and goes: who removes it?", seg->node);
}

/* What was announced to a dispatcher whose state is gone, the sweep finds: an old record could
 * speak of an entry that is finished. */
static void skip_announced(struct segment *seg)
{
	uint32_t heads_n, workers_n;
	struct shm_submit_head *heads = seg_heads(seg, &heads_n);
	const struct shm_worker *workers = seg_workers(seg, &workers_n);
	for (uint32_t i = 0; i < MIN(heads_n, workers_n); i++)
		atomic_store_explicit(&heads[i].head,
			atomic_load_explicit(&workers[i].tail, memory_order_acquire),
			memory_order_release);
}

bool segment_create_or_adopt(
	struct segment *seg, const struct conf *conf, bool *adopted, struct err *err)
{
	int64_t bytes = conf->segment_event_bytes;
	if ((bytes & (bytes - 1)) != 0)
		return fail(err, ERR_INPUT,
			"segment.event_bytes is %lld; it must be a power of two", (long long)bytes);
	uint64_t rows[SHM_TABLE__N];
	object_rows(conf, rows);
	segment_close(seg);
	bool state_adopted = false, other_adopted = false;
	if (!take_until_done(seg, SHM_STATE, rows, &state_adopted, err) ||
		!take_until_done(seg, SHM_IN, rows, &other_adopted, err) ||
		!take_until_done(seg, SHM_EV, rows, &other_adopted, err)) {
		segment_close(seg);
		return false;
	}
	if (!state_adopted)
		skip_announced(seg);
	*adopted = state_adopted;
	return true;
}

/* A call row that a killed predecessor was writing holds words of before and after one step. That
 * is its state before the step: the state word was not stored, and the event that caused the step
 * is still unread in the socket, so the step is done again. */
static void repair_calls(struct segment *seg)
{
	uint32_t n;
	struct shm_call *calls = seg_calls(seg, &n);
	for (uint32_t i = 0; i < n; i++)
		(void)row_repair(&calls[i].row);
}

/* Directory rows that are odd stay so, and unreadable, until the load under way puts them again;
 * but nobody puts an error text again. */
static void repair_errors(struct segment *seg)
{
	static const struct shm_server_error none;
	uint32_t n;
	struct shm_server_row *servers = seg_servers(seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t seq;
		if (!row_read_begin(&servers[i].error_row, &seq))
			row_write(&servers[i].error_row, &servers[i].error, &none, sizeof(none));
	}
}

/* Also after .in was replaced, when the tails begin again. */
static void repair_heads(struct segment *seg)
{
	uint32_t heads_n, workers_n;
	struct shm_submit_head *heads = seg_heads(seg, &heads_n);
	const struct shm_worker *workers = seg_workers(seg, &workers_n);
	for (uint32_t i = 0; i < MIN(heads_n, workers_n); i++) {
		uint64_t tail = atomic_load_explicit(&workers[i].tail, memory_order_acquire);
		uint64_t head = atomic_load_explicit(&heads[i].head, memory_order_relaxed);
		if (tail - head > SHM_RING_RECORDS)
			atomic_store_explicit(&heads[i].head, tail, memory_order_release);
	}
}

uint64_t segment_begin_epoch(struct segment *seg)
{
	struct shm_header *state = object_header(&seg->map[SHM_STATE]);
	struct shm_header *events = object_header(&seg->map[SHM_EV]);
	uint64_t epoch = MAX(atomic_load(&state->epoch), atomic_load(&events->epoch)) + 1;
	struct shm_status *status = seg_status(seg, NULL);
	segment_set_ready(seg, false);
	repair_calls(seg);
	repair_errors(seg);
	repair_heads(seg);
	atomic_store(&status->child_pid, (uint32_t)getpid());
	atomic_store(&status->started_us, clock_wall_us());
	atomic_store(&events->epoch, epoch);
	atomic_store(&state->epoch, epoch);
	return epoch;
}

bool segment_still_named(const struct segment *seg)
{
	for (int i = 0; i < SHM_OBJECT__N; i++)
		if (!has_name(seg, (enum shm_object)i, &seg->map[i]))
			return false;
	return true;
}

void segment_remove(struct segment *seg)
{
	for (int i = 0; i < SHM_OBJECT__N; i++)
		(void)!object_retire(seg->node, (enum shm_object)i, NULL);
	segment_close(seg);
}
