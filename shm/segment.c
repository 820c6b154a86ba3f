/* The segment of readers and workers: attach, and move along when an object is replaced. */
#include "shm/segment.h"

#include <ctype.h>
#include <string.h>

#include "common/clock.h"
#include "common/str.h"
#include "shm/object.h"

#define CHECK_PAUSE_US US_PER_S

static bool node_is_fine(const char *node)
{
	size_t n = strlen(node);
	if (n == 0 || n > 32 || !isalnum((unsigned char)node[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)node[i]) && !strchr("-_.", node[i]))
			return false;
	return true;
}

bool segment_init(struct segment *seg, const char *node, struct err *err)
{
	*seg = (struct segment){0};
	for (int i = 0; i < SHM_OBJECT__N; i++)
		seg->map[i].fd = -1;
	if (!node_is_fine(node) || !str_copy(seg->node, sizeof(seg->node), str_of(node)))
		return fail(err, ERR_INPUT,
			"common.node \"%s\" must be 1 to 32 letters, digits, '-', '_' or '.', the "
			"first a "
			"letter or digit",
			node);
	return true;
}

static void detach(struct segment *seg, enum shm_object which)
{
	object_unmap(&seg->map[which]);
	object_tables(seg, which);
}

void segment_close(struct segment *seg)
{
	for (int i = 0; i < SHM_OBJECT__N; i++) {
		detach(seg, (enum shm_object)i);
		seg->map[i].wanted = false;
	}
}

/* Takes over a mapping in place of the one we had. Only the dispatcher keeps the descriptor. */
static void install(struct segment *seg, enum shm_object which, struct segment_map *fresh)
{
	struct segment_map *map = &seg->map[which];
	uint8_t *base = fresh->base;
	fresh->base = NULL;
	object_unmap(fresh);
	fresh->base = base;
	fresh->attached = map->attached + 1;
	fresh->wanted = true;
	object_unmap(map);
	*map = *fresh;
	object_tables(seg, which);
}

static bool attach(struct segment *seg, enum shm_object which, bool writable, struct err *err)
{
	struct segment_map fresh = {.fd = -1};
	seg->map[which].wanted = true;
	seg->map[which].writable = writable;
	if (object_open(seg->node, which, writable, &fresh, err) != OBJECT_OK) {
		object_unmap(&fresh);
		return false;
	}
	install(seg, which, &fresh);
	return true;
}

/* One look: attaches .in, or makes it, or clears its place and asks for another look. */
static bool try_in(
	struct segment *seg, const uint64_t rows[SHM_TABLE__N], bool *again, struct err *err)
{
	struct segment_map fresh = {.fd = -1};
	enum object_result result = object_open(seg->node, SHM_IN, true, &fresh, err);
	if (result == OBJECT_ABSENT && object_make(SHM_IN, rows, &fresh, err)) {
		result = object_link(seg->node, SHM_IN, &fresh, err);
		*again = result == OBJECT_TAKEN;
	} else if (result == OBJECT_OVER) {
		*again = object_retire(seg->node, SHM_IN, err);
	}
	if (result != OBJECT_OK) {
		object_unmap(&fresh);
		return false;
	}
	install(seg, SHM_IN, &fresh);
	return true;
}

/* Whoever links it first wins; the others find the winner's. */
static bool attach_or_make_in(struct segment *seg, struct err *err)
{
	uint64_t rows[SHM_TABLE__N];
	object_rows(seg->conf, rows);
	seg->map[SHM_IN].wanted = true;
	seg->map[SHM_IN].writable = true;
	bool again = true;
	for (int attempt = 0; attempt < 10 && again; attempt++) {
		again = false;
		if (try_in(seg, rows, &again, err))
			return true;
	}
	return false;
}

bool segment_open_in(struct segment *seg, const struct conf *conf, struct err *err)
{
	seg->conf = conf;
	return attach_or_make_in(seg, err);
}

bool segment_attach_in(struct segment *seg, struct err *err)
{
	return attach(seg, SHM_IN, false, err);
}

bool segment_attach_state(struct segment *seg, struct err *err)
{
	return attach(seg, SHM_STATE, false, err);
}

bool segment_attach_events(struct segment *seg, struct err *err)
{
	return attach(seg, SHM_EV, false, err);
}

static bool is_retired(const struct segment_map *map)
{
	return map->base && atomic_load_explicit(&object_header(map)->state,
				    memory_order_acquire) == SHM_RETIRED;
}

/* A retired object is let go even when nothing has taken its place. One whose name was merely
 * removed stays: its dispatcher lives, notices (segment_still_named) and makes another. */
static void refresh(struct segment *seg, enum shm_object which)
{
	struct segment_map *map = &seg->map[which];
	dev_t dev;
	ino_t ino;
	bool named = object_named(seg->node, which, &dev, &ino);
	if (is_retired(map))
		detach(seg, which);
	else if (map->base && (!named || (dev == map->dev && ino == map->ino)))
		return;
	if (which == SHM_IN && seg->conf)
		(void)attach_or_make_in(seg, NULL);
	else if (named)
		(void)!attach(seg, which, map->writable, NULL);
}

bool segment_check(struct segment *seg)
{
	bool retired = false, all = true;
	for (int i = 0; i < SHM_OBJECT__N; i++)
		retired |= seg->map[i].wanted && is_retired(&seg->map[i]);
	int64_t now = clock_mono_us();
	if (retired || now - seg->checked_mono_us >= CHECK_PAUSE_US) {
		seg->checked_mono_us = now;
		for (int i = 0; i < SHM_OBJECT__N; i++)
			if (seg->map[i].wanted)
				refresh(seg, (enum shm_object)i);
	}
	for (int i = 0; i < SHM_OBJECT__N; i++)
		all &= !seg->map[i].wanted || seg->map[i].base;
	return all;
}

bool segment_fresh(const struct segment *seg, int64_t now_mono_us)
{
	const struct shm_status *status = seg_status(seg, NULL);
	if (!status || !atomic_load_explicit(&status->ready, memory_order_acquire))
		return false;
	int64_t beat = atomic_load_explicit(&status->heartbeat_mono_us, memory_order_acquire);
	return now_mono_us - beat < SEGMENT_STALE_MS * US_PER_MS;
}

uint64_t segment_epoch(const struct segment *seg)
{
	const struct segment_map *map = &seg->map[SHM_STATE];
	return map->base ? atomic_load_explicit(&object_header(map)->epoch, memory_order_acquire)
			 : 0;
}
