/* Call slots and waiting entries. */
#include <pthread.h>

#include "shm/calls.h"
#include "shm/row.h"
#include "shm/view.h"
#include "shm/window.h"
#include "tests/unit/shm/rig.h"

static struct call_table calls;
static struct window_table window;

static int open_tables(void **state)
{
	if (rig_open(state) != 0)
		return -1;
	struct rig *rig = *state;
	call_table_open(&calls, &rig->seg);
	window_table_open(&window, &rig->seg);
	return 0;
}

static int close_tables(void **state)
{
	call_table_close(&calls);
	window_table_close(&window);
	return rig_close(state);
}

#define TABLE_TEST(test) cmocka_unit_test_setup_teardown(test, open_tables, close_tables)

static uint32_t take(uint64_t entry_id, uint64_t client_id, uint64_t server_id)
{
	struct call_identity id = {entry_id, client_id, server_id, 1};
	struct shm_call details = {.batch_id = entry_id * 10, .number = "919800000000"};
	return call_take(&calls, &id, &details);
}

static void test_a_slot_shows_what_was_taken(void **state)
{
	struct rig *rig = *state;
	struct shm_call_view view;
	uint32_t slot = take(4711, 3, 9);
	assert_true(slot != CALL_NO_SLOT);
	assert_true(call_read(&rig->seg, slot, &view));
	assert_int_equal(view.state, CALL_PLANNED);
	assert_int_equal(view.entry_id, 4711);
	assert_int_equal(view.client_id, 3);
	assert_int_equal(view.server_id, 9);
	assert_int_equal(view.n, 1);
	assert_int_equal(view.call.batch_id, 47110);
	assert_string_equal(view.call.number, "919800000000");
	assert_false(call_read(&rig->seg, slot + 1, &view));
	assert_false(call_read(&rig->seg, 999999, &view));
}

static void test_updates_and_steps_are_seen(void **state)
{
	struct rig *rig = *state;
	struct shm_call_view view;
	uint32_t slot = take(4711, 3, 9);
	struct shm_call details = seg_calls(&rig->seg, NULL)[slot];
	details.ringing_us = 55;
	details.seen = SEEN_RESPONSE;
	call_update(&rig->seg, slot, &details);
	call_state_set(&rig->seg, slot, CALL_RINGING);
	assert_true(call_read(&rig->seg, slot, &view));
	assert_int_equal(view.state, CALL_RINGING);
	assert_int_equal(view.call.ringing_us, 55);
	assert_int_equal(view.entry_id, 4711);
	call_release(&calls, slot);
	assert_false(call_read(&rig->seg, slot, &view));
}

static void test_all_slots_can_be_taken_and_taken_again(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		uint64_t taken = 0;
		for (uint32_t i = 0; i < calls.n; i++)
			taken |= 1U << take(i + 1, 3, 9);
		assert_int_equal(taken, (UINT64_C(1) << calls.n) - 1);
		assert_int_equal(take(99, 3, 9), CALL_NO_SLOT);
		for (uint32_t i = 0; i < calls.n; i++)
			call_release(&calls, i);
	}
}

static void test_a_successor_knows_which_slots_are_free(void **state)
{
	struct rig *rig = *state;
	struct call_table later;
	uint32_t a = take(1, 3, 9), b = take(2, 3, 9);
	call_release(&calls, a);
	call_table_open(&later, &rig->seg);
	assert_int_equal(later.free_n, later.n - 1);
	for (uint32_t i = 0; i < later.free_n; i++)
		assert_true(later.free[i] != b);
	call_table_close(&later);
}

static void test_grants_are_counted_by_client_and_server(void **state)
{
	struct rig *rig = *state;
	const enum shm_call_state states[] = {CALL_PLANNED, CALL_ARMED, CALL_SENT, CALL_DIALING,
		CALL_RINGING, CALL_UP, CALL_ENDED};
	for (uint32_t i = 0; i < ARRAY_LEN(states); i++)
		call_state_set(&rig->seg, take(i + 1, 3 + i % 2, 9), states[i]);
	assert_int_equal(call_count(&rig->seg, 0, 0), 6); /* ENDED has given it back */
	assert_int_equal(call_count(&rig->seg, 3, 0), 3);
	assert_int_equal(call_count(&rig->seg, 4, 9), 3);
	assert_int_equal(call_count(&rig->seg, 4, 8), 0);
	assert_int_equal(call_count(&rig->seg, 0, 9), 6);
}

static void test_every_state_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < CALL_STATE__N; i++)
		assert_true(strlen(call_state_name((enum shm_call_state)i)) > 1);
}

static void test_a_view_shows_calls_of_one_client_only(void **state)
{
	struct rig *rig = *state;
	for (uint64_t i = 0; i < 12; i++)
		(void)take(100 + i, 1 + i % 3, 9);
	for (uint64_t client_id = 1; client_id <= 3; client_id++) {
		struct view view = view_of(&rig->seg, client_id);
		struct shm_call_view call;
		uint32_t seen = 0;
		for (uint32_t at = 0; view_next_call(&view, &at, &call); seen++)
			assert_int_equal(call.client_id, client_id);
		assert_int_equal(seen, 4);
	}
}

/* A slot that is taken again never shows the call it held before, and to a client never another's.
 * */
enum { LOOKS = 5000 };

static _Atomic uint64_t released;
static _Atomic bool enough;

static void *live_many_lives(void *arg)
{
	(void)arg;
	for (uint64_t id = 1; !atomic_load(&enough); id++) {
		call_release(&calls, take(id, 3 + id % 2, 9));
		atomic_store(&released, id);
	}
	return NULL;
}

static void test_threads_see_a_slot_as_one_clients_one_call(void **state)
{
	struct rig *rig = *state;
	pthread_t owner;
	struct view view = view_of(&rig->seg, 3);
	struct shm_call_view call;
	uint64_t seen = 0, former = 0, foreign = 0, torn = 0;
	released = 0;
	enough = false;
	assert_int_equal(pthread_create(&owner, NULL, live_many_lives, NULL), 0);
	while (seen < LOOKS) {
		uint64_t before = atomic_load(&released);
		uint32_t at = 0;
		if (!view_next_call(&view, &at, &call))
			continue;
		seen++;
		former += call.entry_id <= before;
		foreign += call.client_id != 3 || call.entry_id % 2 != 0;
		torn += call.call.batch_id != call.entry_id * 10;
	}
	atomic_store(&enough, true);
	(void)pthread_join(owner, NULL);
	assert_int_equal(former, 0);
	assert_int_equal(foreign, 0);
	assert_int_equal(torn, 0);
}

/* ---- waiting entries ---- */

static uint32_t put(uint64_t entry_id, uint64_t client_id)
{
	struct shm_window entry = {.entry_id = entry_id,
		.client_id = client_id,
		.plan = {.country_digits = 2},
		.number = "123"};
	return window_put(&window, &entry);
}

static void test_waiting_entries_come_and_go(void **state)
{
	struct rig *rig = *state;
	struct shm_window out;
	uint32_t i = put(4711, 3);
	assert_true(window_read(&rig->seg, i, &out));
	assert_int_equal(out.entry_id, 4711);
	assert_string_equal(out.number, "123");
	window_gate(&rig->seg, i, 9);
	window_due(&rig->seg, i, 77);
	assert_true(window_read(&rig->seg, i, &out));
	assert_int_equal(out.gate, 9);
	assert_int_equal(out.due_us, 77);
	assert_int_equal(out.plan.country_digits, 2);
	window_remove(&window, i);
	assert_false(window_read(&rig->seg, i, &out));
}

static void test_the_window_fills_and_empties(void **state)
{
	struct rig *rig = *state;
	struct window_table later;
	struct shm_window out;
	for (uint32_t i = 0; i < window.n; i++)
		assert_true(put(i + 1, 3) != WINDOW_NO_ROW);
	assert_int_equal(put(99, 3), WINDOW_NO_ROW);
	row_write_begin(&seg_window(&rig->seg, NULL)[4].row); /* killed while writing */
	window_table_open(&later, &rig->seg);
	assert_int_equal(later.free_n, later.n);
	for (uint32_t i = 0; i < later.n; i++)
		assert_false(window_read(&rig->seg, i, &out));
	struct shm_window entry = {.entry_id = 5, .client_id = 6};
	for (uint32_t i = 0; i < later.n; i++)
		assert_true(window_read(&rig->seg, window_put(&later, &entry), &out));
	window_table_close(&later);
}

static void test_a_view_shows_waiting_entries_of_one_client_only(void **state)
{
	struct rig *rig = *state;
	for (uint64_t i = 0; i < 12; i++)
		(void)put(100 + i, 1 + i % 3);
	for (uint64_t client_id = 1; client_id <= 3; client_id++) {
		struct view view = view_of(&rig->seg, client_id);
		struct shm_window waiting;
		uint32_t seen = 0;
		for (uint32_t at = 0; view_next_waiting(&view, &at, &waiting); seen++)
			assert_int_equal(waiting.client_id, client_id);
		assert_int_equal(seen, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(test_a_slot_shows_what_was_taken),
		TABLE_TEST(test_updates_and_steps_are_seen),
		TABLE_TEST(test_all_slots_can_be_taken_and_taken_again),
		TABLE_TEST(test_a_successor_knows_which_slots_are_free),
		TABLE_TEST(test_grants_are_counted_by_client_and_server),
		cmocka_unit_test(test_every_state_has_a_name),
		TABLE_TEST(test_a_view_shows_calls_of_one_client_only),
		TABLE_TEST(test_threads_see_a_slot_as_one_clients_one_call),
		TABLE_TEST(test_waiting_entries_come_and_go),
		TABLE_TEST(test_the_window_fills_and_empties),
		TABLE_TEST(test_a_view_shows_waiting_entries_of_one_client_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
