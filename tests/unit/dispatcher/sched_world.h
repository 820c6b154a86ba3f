/* Three clients with weights 1, 2 and 4 on one server (sched_rig.h), and quick calls of theirs. */
#ifndef CCS_TESTS_SCHED_WORLD_H
#define CCS_TESTS_SCHED_WORLD_H

#include "sched_rig.h"

#include "common/base.h"

enum { CLIENTS = 3 };

static int set_up(void **state)
{
	static const struct rig_size size = {
		.clients = CLIENTS, .servers = 1, .shares = 1, .calls = 256, .waiting = 2048};
	struct rig *w = rig_new(&size);
	for (uint32_t i = 0; i < CLIENTS; i++)
		w->clients[i].facts.weight = 1u << i;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Quick calls, announced as a worker does it. */
__attribute__((unused)) static void announce(
	struct rig *w, uint32_t client, unsigned n, uint64_t first_number)
{
	for (unsigned i = 0; i < n; i++) {
		struct shm_submit rec = {.kind = SUBMIT_CHUNK,
			.entries = 1,
			.id = w->next_chunk++,
			.client_id = client + 1};
		(void)snprintf(rec.number, sizeof(rec.number), "%llu",
			(unsigned long long)((first_number + i) % UINT64_C(1000000000000)));
		memcpy(rec.phone_number, rec.number, sizeof(rec.number));
		rig_submit(w, &rec);
	}
}

/* One quick call to a number of this region and kind. */
__attribute__((unused)) static void announce_to(
	struct rig *w, uint32_t client, const char *region, enum number_type type)
{
	struct shm_submit rec = {.kind = SUBMIT_CHUNK,
		.entries = 1,
		.id = w->next_chunk++,
		.client_id = client + 1,
		.plan = {.type = (uint8_t)type, .region = region_code(str_of(region))}};
	(void)snprintf(rec.number, sizeof(rec.number), "9%08u", (unsigned)rec.id);
	rig_submit(w, &rec);
}

__attribute__((unused)) static uint32_t live(const struct rig *w, uint32_t client)
{
	return atomic_load(&w->clients[client].usage->channels);
}

/* The oldest call that has a channel. */
__attribute__((unused)) static struct slot *oldest(const struct rig *w)
{
	struct slot *slot = w->d.by_entry;
	while (slot && !slot->granted)
		slot = slot->hh.next;
	if (!slot)
		die("rig", "why=\"nobody has a channel\"");
	return slot;
}

#endif
