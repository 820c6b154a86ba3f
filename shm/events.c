/* The event ring: see events.h for the protocol. */
#include "shm/events.h"

#include <string.h>

#include "shm/row.h"

enum { WORD = sizeof(uint64_t), TRIES = 100, HEAD_BYTES = sizeof(struct shm_event) };

static const char *const type_names[EVENT_TYPE__N] = {
#define EVENT(name, help) #name,
#include "shm/events.def"
#undef EVENT
};

const char *event_type_name(enum event_type type)
{
	return type < EVENT_TYPE__N ? type_names[type] : "?";
}

int event_type_find(struct str name)
{
	for (int type = 0; type < EVENT_TYPE__N; type++)
		if (str_eq(name, str_of(type_names[type])))
			return type;
	return -1;
}

/* The ring as it is attached now. */
struct ring {
	struct shm_ring_head *head;
	uint64_t *words;
	uint64_t size; /* bytes */
	uint64_t id;
};

static struct ring ring_of(const struct segment *seg)
{
	uint32_t n;
	uint64_t *words = seg_ring(seg, &n);
	return (struct ring){
		seg_ring_head(seg, NULL), words, (uint64_t)n * WORD, seg->map[SHM_EV].created_us};
}

static uint64_t *words_at(const struct ring *ring, uint64_t position)
{
	return &ring->words[position % ring->size / WORD];
}

/* Bytes from here to the ring's end. Where no record head fits, none begins. */
static uint64_t room_at(const struct ring *ring, uint64_t position)
{
	return ring->size - position % ring->size;
}

static uint64_t newest_of(const struct ring *ring)
{
	return atomic_load_explicit(&ring->head->newest, memory_order_acquire);
}

/* The writer has not come within one ring of what lies at position. Signed: position may be ahead.
 * */
static bool is_whole(const struct ring *ring, uint64_t position)
{
	uint64_t writing = atomic_load_explicit(&ring->head->writing, memory_order_acquire);
	return (int64_t)(writing - position) <= (int64_t)ring->size;
}

/* ---- owner ---- */

/* From here on readers know that what lies one ring before end is no longer theirs. Relaxed is
 * enough: the words that follow are stored with release, and so after it. Never lowered: a
 * predecessor may have been killed while it overwrote further than we are about to. */
static void claim(const struct ring *ring, uint64_t end)
{
	if (atomic_load_explicit(&ring->head->writing, memory_order_relaxed) < end)
		atomic_store_explicit(&ring->head->writing, end, memory_order_relaxed);
}

static void store_payload(uint64_t *to, const char *payload, size_t n)
{
	for (; n > 0; to++) {
		uint64_t word = 0;
		size_t part = MIN(n, WORD);
		memcpy(&word, payload, part);
		row_store(to, &word, WORD);
		payload += part;
		n -= part;
	}
}

static void store_record(const struct ring *ring, const struct shm_event *head, const char *payload)
{
	uint64_t *at = words_at(ring, head->position);
	claim(ring, head->position + head->bytes);
	row_store(at, head, HEAD_BYTES);
	store_payload(at + HEAD_BYTES / WORD, payload, head->payload);
}

/* Where a record of this size goes, and its index; what it leaves free at the ring's end is filled.
 * */
static void find_place(const struct ring *ring, uint32_t bytes, uint64_t *position, uint64_t *index)
{
	uint64_t newest = newest_of(ring);
	struct shm_event last = {.position = ring->size};
	if (newest != 0)
		row_load(&last, words_at(ring, newest), HEAD_BYTES);
	*position = last.position + last.bytes;
	*index = newest != 0 ? last.index + 1 : 0;
	uint64_t room = room_at(ring, *position);
	if (room >= bytes)
		return;
	if (room >= HEAD_BYTES)
		store_record(ring,
			&(struct shm_event){
				.position = *position, .index = *index, .bytes = (uint32_t)room},
			"");
	*position += room;
}

bool event_publish(struct segment *seg, const struct event *event, uint64_t *last)
{
	struct ring ring = ring_of(seg);
	if (event->payload_bytes > EVENT_PAYLOAD_MAX)
		return false;
	struct shm_event head = {
		.previous = *last,
		.client_id = event->client_id,
		.seq = event->seq,
		.occurred_us = event->occurred_us,
		.bytes = (HEAD_BYTES + event->payload_bytes + WORD - 1) / WORD * WORD,
		.type = (uint16_t)event->type,
		.payload = (uint16_t)event->payload_bytes,
	};
	find_place(&ring, head.bytes, &head.position, &head.index);
	store_record(&ring, &head, event->payload);
	uint64_t part = head.position % ring.size / (ring.size / SHM_EVENT_MARKS);
	atomic_store_explicit(&ring.head->marks[part], head.position, memory_order_release);
	atomic_store_explicit(&ring.head->newest, head.position, memory_order_release);
	*last = head.position;
	return true;
}

/* ---- readers ---- */

uint64_t event_ring_bytes(const struct segment *seg)
{
	struct ring ring = ring_of(seg);
	return ring.head ? ring.size : 0;
}

enum look { LOOK_OK, LOOK_OVERRUN, LOOK_STRANGE };

/* Is this the head of the record at position, and does it end where it may? */
static bool is_head(const struct ring *ring, const struct shm_event *head, uint64_t position)
{
	if (head->position != position || head->bytes % WORD != 0 || head->bytes < HEAD_BYTES ||
		head->bytes > room_at(ring, position))
		return false;
	return head->client_id == 0 || (head->payload <= EVENT_PAYLOAD_MAX &&
					       HEAD_BYTES + (uint64_t)head->payload <= head->bytes);
}

/* Copies the record at position, then asks whether the writer came near meanwhile. */
static enum look look_at(const struct ring *ring, uint64_t position, struct event_copy *copy)
{
	if (!is_whole(ring, position))
		return LOOK_OVERRUN;
	const uint64_t *at = words_at(ring, position);
	row_load(&copy->head, at, HEAD_BYTES);
	bool fine = is_head(ring, &copy->head, position);
	if (fine) {
		uint64_t words[EVENT_PAYLOAD_MAX / WORD];
		size_t n = copy->head.client_id ? copy->head.payload : 0;
		row_load(words, at + HEAD_BYTES / WORD, (n + WORD - 1) / WORD * WORD);
		memcpy(copy->payload, words, n);
		copy->payload[n] = '\0';
	}
	if (!is_whole(ring, position))
		return LOOK_OVERRUN;
	return fine ? LOOK_OK : LOOK_STRANGE;
}

/* A reader who starts here is not lapped at once: a quarter of the ring lies between the writer and
 * it. */
static bool has_room(const struct ring *ring, uint64_t position)
{
	return is_whole(ring, position - ring->size / 4);
}

/* The lowest marked record with room before the writer; the newest has it. 0 when nothing was ever
 * published. */
static uint64_t safe_mark(const struct ring *ring)
{
	uint64_t newest = newest_of(ring), best = newest;
	for (int i = 0; i < SHM_EVENT_MARKS; i++) {
		uint64_t mark = atomic_load_explicit(&ring->head->marks[i], memory_order_acquire);
		if (mark != 0 && mark < best && has_room(ring, mark))
			best = mark;
	}
	return best;
}

/* Moves the cursor to a record that is still there: its own head says which one it is. False when
 * the writer outran us at every try. */
static bool move_to_mark(const struct ring *ring, struct event_cursor *cursor)
{
	struct event_copy copy;
	for (int i = 0; i < TRIES; i++) {
		uint64_t mark = safe_mark(ring);
		if (mark == 0 || look_at(ring, mark, &copy) != LOOK_OK)
			continue;
		*cursor = (struct event_cursor){ring->id, mark, copy.head.index};
		return true;
	}
	return false;
}

void event_cursor_oldest(const struct segment *seg, struct event_cursor *cursor)
{
	struct ring ring = ring_of(seg);
	*cursor = (struct event_cursor){ring.id, ring.size, 0};
	bool from_the_first = !ring.head || newest_of(&ring) == 0 || has_room(&ring, ring.size);
	if (!from_the_first)
		(void)move_to_mark(&ring, cursor);
}

void event_cursor_newest(const struct segment *seg, struct event_cursor *cursor)
{
	struct ring ring = ring_of(seg);
	struct event_copy copy;
	*cursor = (struct event_cursor){ring.id, ring.size, 0};
	for (int i = 0; i < TRIES && ring.head; i++) {
		uint64_t newest = newest_of(&ring);
		if (newest == 0)
			return;
		if (look_at(&ring, newest, &copy) != LOOK_OK)
			continue;
		cursor->position = newest + copy.head.bytes;
		cursor->index = copy.head.index + 1;
		return;
	}
}

enum event_result event_next(const struct segment *seg, struct event_cursor *cursor,
	struct event_copy *copy, uint64_t *missed)
{
	struct ring ring = ring_of(seg);
	if (!ring.head)
		return EVENT_NONE;
	if (cursor->ring != ring.id) {
		event_cursor_oldest(seg, cursor);
		return EVENT_RESET;
	}
	while (cursor->position <= newest_of(&ring)) {
		uint64_t room = room_at(&ring, cursor->position), index = cursor->index;
		enum look look =
			room < HEAD_BYTES ? LOOK_OK : look_at(&ring, cursor->position, copy);
		if (look == LOOK_OK && room >= HEAD_BYTES && copy->head.client_id != 0) {
			cursor->position += copy->head.bytes;
			cursor->index = copy->head.index + 1;
			return EVENT_OK;
		}
		if (look == LOOK_OK) {
			cursor->position += room; /* padding up to the ring's end */
			continue;
		}
		if (!move_to_mark(&ring, cursor) || cursor->index < index) {
			event_cursor_newest(seg, cursor);
			return EVENT_RESET;
		}
		*missed = cursor->index - index;
		if (*missed > 0)
			return EVENT_OVERRUN;
	}
	return EVENT_NONE;
}

bool event_at(
	const struct segment *seg, uint64_t position, uint64_t client_id, struct event_copy *copy)
{
	struct ring ring = ring_of(seg);
	if (!ring.head || client_id == 0 || position % WORD != 0 || position < ring.size ||
		position > newest_of(&ring) || room_at(&ring, position) < HEAD_BYTES)
		return false;
	return look_at(&ring, position, copy) == LOOK_OK && copy->head.client_id == client_id;
}
