/* Who waits for the end of a call, and what ends the waiting. */
#include "common/clock.h"
#include "fcgi/park.h"
#include "registry/call_id.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

enum { ENTRY = 0x2d000000, CLIENT = 7 };

struct world {
	struct rig *rig;
	struct park park;
	struct parked parked;
	uint64_t last, seq;
	int64_t now;
};

static int open_world(void **state)
{
	static struct world w;
	void *rig;
	if (rig_open(&rig) != 0)
		return -1;
	w = (struct world){.rig = rig, .now = US_PER_S};
	w.parked = (struct parked){.entry_id = ENTRY,
		.attempt = 1,
		.client_id = CLIENT,
		.until_mono_us = w.now + 10 * US_PER_S};
	if (!park_add(&w.park, &w.rig->seg, &w.parked, w.now))
		return -1;
	*state = &w;
	return 0;
}

static int close_world(void **state)
{
	void *rig = ((struct world *)*state)->rig;
	return rig_close(&rig);
}

static void publish(struct world *w, enum event_type type, uint64_t entry_id, uint64_t attempt)
{
	char call_id[CALL_ID_BYTES], payload[128];
	int n = snprintf(payload, sizeof(payload), "{\"call_id\":\"%s\",\"batch_id\":null}",
		call_id_text(entry_id, attempt, call_id).p);
	struct event event = {.type = type,
		.client_id = CLIENT,
		.seq = ++w->seq,
		.payload = payload,
		.payload_bytes = (uint32_t)n};
	assert_true(event_publish(&w->rig->seg, &event, &w->last));
}

/* After the next look. */
static bool is_over(struct world *w)
{
	w->now += US_PER_S;
	assert_true(park_look(&w->park, &w->rig->seg, w->now));
	return w->parked.over;
}

static void test_its_own_end_and_no_other(void **state)
{
	struct world *w = *state;
	assert_false(is_over(w));
	publish(w, EVENT_call_started, ENTRY, 1);
	publish(w, EVENT_call_answered, ENTRY, 1);
	publish(w, EVENT_call_ended, ENTRY + 1, 1);
	publish(w, EVENT_call_failed, ENTRY, 2);
	assert_false(is_over(w));
	publish(w, EVENT_call_ended, ENTRY, 1);
	assert_true(is_over(w));
}

static void test_an_end_without_an_attempt(void **state)
{
	struct world *w = *state;
	publish(w, EVENT_call_failed, ENTRY, 0);
	assert_true(is_over(w));
}

static void test_time(void **state)
{
	struct world *w = *state;
	assert_int_equal(park_pause_us(&w->park, w->now), 50000);
	assert_false(park_look(&w->park, &w->rig->seg, w->now));
	for (int i = 1; i < 10; i++)
		assert_false(is_over(w));
	assert_true(is_over(w));
	park_remove(&w->park, &w->parked);
	assert_int_equal(park_pause_us(&w->park, w->now), -1);
	assert_false(park_look(&w->park, &w->rig->seg, w->now + US_PER_S));
}

/* More than the ring holds: nobody knows what was missed, so PostgreSQL is asked. */
static void test_a_lapped_reader_asks(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 500; i++)
		publish(w, EVENT_call_started, ENTRY + 1, 1);
	assert_true(is_over(w));
}

static void test_room(void **state)
{
	static struct parked more[PARK_MOST];
	struct world *w = *state;
	unsigned taken = 1;
	for (int i = 0; i < PARK_MOST; i++) {
		more[i].client_id = i < PARK_MOST_OF_CLIENT ? CLIENT : (uint64_t)i / 60 + 100;
		taken += park_add(&w->park, &w->rig->seg, &more[i], w->now);
	}
	assert_false(park_add(&w->park, &w->rig->seg, &(struct parked){.client_id = 9}, w->now));
	assert_int_equal(taken, PARK_MOST);
	assert_int_equal(w->park.n, PARK_MOST);
}

static void test_rounds(void **state)
{
	const int64_t all = PARK_WAIT_MAX_S * US_PER_S;
	int64_t sum = 0;
	(void)state;
	for (unsigned round = 1; round <= PARK_ROUNDS; round++)
		sum += park_round_us(round, all - sum);
	assert_int_equal(sum, all);
	assert_int_equal(park_round_us(2, 1000), 1000);
	assert_int_equal(park_round_us(0, all), park_round_us(1, all));
	assert_int_equal(park_round_us(99, all), all);
}

static void test_ids(void **state)
{
	static const char *const strange[] = {"", "ccs-", "ccs-00000000000000010",
		"CCS-0000000000000001", "ccs-000000000000000G", "ccs-000000000000000A",
		"ccs-0000000000000 1"};
	uint64_t entry_id = 0, attempt = 0;
	(void)state;
	assert_true(call_id_read(STR("ccs-002d000000040001"), &entry_id, &attempt));
	assert_int_equal(entry_id, 0x2d0000000400);
	assert_int_equal(attempt, 1);
	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		assert_false(call_id_read(str_of(strange[i]), &entry_id, &attempt));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(test_its_own_end_and_no_other),
		WITH_WORLD(test_an_end_without_an_attempt),
		WITH_WORLD(test_time),
		WITH_WORLD(test_a_lapped_reader_asks),
		WITH_WORLD(test_room),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests_name("park", tests, NULL, NULL);
}
