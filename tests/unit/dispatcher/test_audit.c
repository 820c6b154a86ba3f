/* The auditor: words that say more or less than the slots hold are found wherever they are, within a round. On a real segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "sched_rig.h"

#include "dispatcher/audit.h"
#include "dispatcher/caller_id.h"
#include "shm/counters.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { CLIENTS = 50, CALLS = 120 };

static void make_call(struct rig *w, uint32_t i)
{
	struct client *c = &w->clients[i % CLIENTS];
	struct call_identity id = {i + 1, c->id, 1, 1};
	struct shm_call facts = {.armed_us = 1};
	struct slot *slot = slot_open(&w->d, &id, &facts);
	assert_non_null(slot);
	slot->client = c;
	slot->edge = c->edges;
	slot->server = &w->servers[0];
	slot->caller_id = caller_id_hold(&w->d, "911140000000");
	grant_retake(&w->d, slot);
}

static int set_up(void **state)
{
	static const struct rig_size size = {
		.clients = CLIENTS, .servers = 1, .shares = 1, .calls = 256, .waiting = 2048};
	struct rig *w = rig_new(&size);
	for (uint32_t i = 0; i < CALLS; i++)
		make_call(w, i);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

/* All that a second of turns finds, a millisecond each. */
static unsigned second(struct rig *w)
{
	unsigned found = 0;
	for (int ms = 0; ms < 1050; ms++) {
		w->d.now_mono_us += US_PER_MS;
		found += audit_step(&w->d);
	}
	return found;
}

static void test_what_is_right_stays(void **state)
{
	struct rig *w = *state;
	assert_int_equal(audit_all(&w->d), 0);
	assert_int_equal(second(w), 0);
	assert_int_equal(counter_read(&w->seg, COUNTER_drift), 0);
	assert_true(counter_read(&w->seg, COUNTER_audits) >= 1);
	assert_int_equal(w->servers[0].usage->channels, CALLS);
}

/* In every word, one after the other, one too many and one too few, within a second of turns. */
static void found_in(struct rig *w, struct shm_usage *usage)
{
	uint32_t right = usage->channels;
	uint64_t before = counter_read(&w->seg, COUNTER_drift);
	usage->channels = right + 1;
	assert_int_equal(second(w), 1);
	assert_int_equal(usage->channels, right);
	usage->channels = right - 1;
	assert_int_equal(second(w), 1);
	assert_int_equal(usage->channels, right);
	usage->channels = 0;
	assert_int_equal(second(w), 1);
	assert_int_equal(usage->channels, right);
	assert_int_equal(counter_read(&w->seg, COUNTER_drift), before + 3);
}

static void test_drift_is_found_in_every_word(void **state)
{
	struct rig *w = *state;
	found_in(w, w->servers[0].usage);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		found_in(w, w->clients[i].usage);
		found_in(w, w->edges[i].usage);
	}
	assert_int_equal(audit_all(&w->d), 0);
}

static void test_many_at_once(void **state)
{
	struct rig *w = *state;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		w->clients[i].usage->channels += i % 3;
		w->edges[i].usage->channels = 0;
	}
	assert_int_equal(audit_all(&w->d), CLIENTS + CLIENTS - (CLIENTS + 2) / 3);
	assert_int_equal(audit_all(&w->d), 0);
}

static void test_of_a_caller_id(void **state)
{
	struct rig *w = *state;
	struct caller_id *id = w->d.caller_ids;
	assert_int_equal(id->channels, CALLS);
	id->channels++;
	assert_int_equal(second(w), 1);
	assert_int_equal(id->channels, CALLS);
	id->channels = 0;
	assert_int_equal(audit_all(&w->d), 1);
	assert_int_equal(id->channels, CALLS);
}

static void test_a_long_pause_is_one_round(void **state)
{
	struct rig *w = *state;
	w->clients[7].usage->channels++;
	w->d.now_mono_us += 400 * US_PER_MS;
	unsigned found = audit_step(&w->d);
	w->d.now_mono_us += 400 * US_PER_MS;
	found += audit_step(&w->d);
	w->d.now_mono_us += 400 * US_PER_MS;
	found += audit_step(&w->d);
	assert_int_equal(found, 1);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_what_is_right_stays),
		WORLD_TEST(test_drift_is_found_in_every_word),
		WORLD_TEST(test_many_at_once),
		WORLD_TEST(test_of_a_caller_id),
		WORLD_TEST(test_a_long_pause_is_one_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
