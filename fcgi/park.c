/* Requests that wait for the end of a call: see park.h. */
#include <utlist.h>

#include "common/clock.h"
#include "fcgi/park.h"
#include "registry/call_id.h"

#include "common/base.h"

enum { LOOK_US = 50000 };

int64_t park_round_us(unsigned round, int64_t left_us)
{
	/* The first is short: what ended just before it is found after it. */
	static const int64_t most_us[PARK_ROUNDS] = {
		300 * US_PER_MS, 3 * US_PER_S, 10 * US_PER_S, PARK_WAIT_MAX_S * US_PER_S};
	return MIN(left_us, most_us[MIN(MAX(round, 1U), (unsigned)PARK_ROUNDS) - 1]);
}

static unsigned of_client(const struct park *park, uint64_t client_id)
{
	const struct parked *p;
	unsigned n = 0;
	DL_FOREACH (park->list, p)
		n += p->client_id == client_id;
	return n;
}

bool park_add(struct park *park, const struct segment *seg, struct parked *parked, int64_t mono_us)
{
	if (park->n >= PARK_MOST || of_client(park, parked->client_id) >= PARK_MOST_OF_CLIENT)
		return false;
	if (park->n == 0) {
		event_cursor_newest(seg, &park->cursor);
		park->next_mono_us = mono_us + LOOK_US;
	}
	parked->over = false;
	DL_APPEND(park->list, parked);
	park->n++;
	return true;
}

void park_remove(struct park *park, struct parked *parked)
{
	DL_DELETE(park->list, parked);
	park->n--;
}

int64_t park_pause_us(const struct park *park, int64_t mono_us)
{
	return park->n ? MAX(park->next_mono_us - mono_us, INT64_C(0)) : -1;
}

/* The attempt of an event; an entry that ends without one has attempt 0. */
static void note_end(struct park *park, const struct event_copy *event)
{
	static const char member[] = "\"call_id\":\"";
	struct parked *p;
	uint64_t entry_id, attempt;
	const char *at = strstr(event->payload, member);

	if (!at || !call_id_read((struct str){at + sizeof(member) - 1, CALL_ID_CHARS}, &entry_id,
			   &attempt))
		return;
	DL_FOREACH (park->list, p)
		if (p->entry_id == entry_id && (attempt == 0 || attempt == p->attempt))
			p->over = true;
}

static void all_over(struct park *park)
{
	struct parked *p;
	DL_FOREACH (park->list, p)
		p->over = true;
}

static void read_ring(struct park *park, const struct segment *seg)
{
	struct event_copy event;
	uint64_t missed;

	for (;;)
		switch (event_next(seg, &park->cursor, &event, &missed)) {
		case EVENT_OK:
			if (event.head.type == EVENT_call_ended ||
				event.head.type == EVENT_call_failed)
				note_end(park, &event);
			break;
		case EVENT_NONE:
			return;
		case EVENT_OVERRUN:
		case EVENT_RESET:
			all_over(park);
			return;
		}
}

bool park_look(struct park *park, const struct segment *seg, int64_t mono_us)
{
	struct parked *p;

	if (park->n == 0 || mono_us < park->next_mono_us)
		return false;
	park->next_mono_us = mono_us + LOOK_US;
	read_ring(park, seg);
	DL_FOREACH (park->list, p)
		p->over = p->over || p->until_mono_us <= mono_us;
	return true;
}
