/* Positions by seq: see trail.h. */
#include "relay/trail.h"

#include <stdlib.h>

#include "common/log.h"

#include "common/base.h"

enum { ROOM_LEAST = 64 };

static uint64_t *place_of(const struct trail *trail, uint64_t seq)
{
	return &trail->positions[seq & (trail->room - 1)];
}

static uint64_t length(const struct trail *trail)
{
	return trail->end - trail->first;
}

static void make_room(struct trail *trail, uint64_t room)
{
	struct trail larger = *trail;
	larger.room = room;
	larger.positions = malloc(room * sizeof(uint64_t));
	if (!larger.positions)
		die("memory.exhausted", "bytes=%llu",
			(unsigned long long)(room * sizeof(uint64_t)));
	for (uint64_t seq = trail->first; seq < trail->end; seq++)
		*place_of(&larger, seq) = *place_of(trail, seq);
	free(trail->positions);
	*trail = larger;
}

/* In front of the first one; the trail is not full. */
static void put_before(struct trail *trail, uint64_t position)
{
	if (length(trail) == trail->room)
		make_room(trail, trail->room * 2);
	*place_of(trail, --trail->first) = position;
}

void trail_lay(
	struct trail *trail, const struct segment *seg, uint64_t client_id, uint64_t position)
{
	static struct event_copy event;
	trail_lift(trail);
	make_room(trail, ROOM_LEAST);
	if (!event_at(seg, position, client_id, &event))
		return;
	trail->first = trail->end = event.head.seq + 1;
	put_before(trail, position);
	while (length(trail) < TRAIL_MOST) {
		position = event.head.previous;
		if (!event_at(seg, position, client_id, &event) ||
			event.head.seq + 1 != trail->first)
			return;
		put_before(trail, position);
	}
}

/* What the writer has come round to since is of no use to anybody. */
static void forget_lost(struct trail *trail, const struct segment *seg, uint64_t position)
{
	uint64_t ring = event_ring_bytes(seg);
	while (length(trail) > 0 && *place_of(trail, trail->first) + ring < position)
		trail->first++;
}

void trail_add(struct trail *trail, const struct segment *seg, uint64_t seq, uint64_t position)
{
	if (!trail->positions)
		return;
	if (seq != trail->end)
		trail->first = trail->end = seq;
	forget_lost(trail, seg, position);
	if (length(trail) == TRAIL_MOST)
		trail->first++;
	else if (length(trail) == trail->room)
		make_room(trail, trail->room * 2);
	*place_of(trail, trail->end++) = position;
}

void trail_forget(struct trail *trail)
{
	trail->first = trail->end = 0;
}

void trail_lift(struct trail *trail)
{
	free(trail->positions);
	*trail = (struct trail){0};
}

bool trail_read(const struct trail *trail, const struct segment *seg, uint64_t client_id,
	uint64_t seq, struct event_copy *copy)
{
	return seq >= trail->first && seq < trail->end &&
	       event_at(seg, *place_of(trail, seq), client_id, copy) && copy->head.seq == seq;
}

uint64_t trail_oldest(struct trail *trail, const struct segment *seg, uint64_t client_id)
{
	static struct event_copy event;
	while (length(trail) > 0 && !trail_read(trail, seg, client_id, trail->first, &event))
		trail->first++;
	return trail->first;
}
