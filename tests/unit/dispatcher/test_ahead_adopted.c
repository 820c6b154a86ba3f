/* What an earlier life has armed ahead, until this one has sorted out what it adopted. One client, one server without a channel to
 * spare, and two attempts ahead that wait for longer than they may: their batch is paused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatcher/ahead.h"
#include "tests/unit/dispatcher/sched_rig.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

static int set_up(void **state)
{
	static const struct rig_size size = {
		.clients = 1, .servers = 1, .shares = 1, .calls = 128, .waiting = 1024};
	struct rig *rig = rig_new(&size);
	struct dispatcher *d = &rig->d;
	rig->servers[0].facts.allowed_active_calls = 1;
	for (uint32_t i = 0; i < 1 + AHEAD_LEAST; i++)
		rig_announce(rig, 0);
	sched_pass(d);
	rig_settle(rig);
	for (struct slot *slot = rig->servers[0].ahead; slot; slot = slot->next) {
		call_state_set(&rig->seg, slot->index, CALL_ARMED);
		slot->chunk->order = CHUNK_PAUSE;
	}
	d->now_us += PLAN_GOOD_US;
	d->recovered = false;
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static uint32_t ahead_in(const struct rig *rig, enum shm_call_state state)
{
	uint32_t n = 0;
	for (const struct slot *slot = rig->d.by_entry; slot; slot = slot->hh.next)
		n += slot_is_ahead(slot) && slot_state(slot) == state;
	return n;
}

/* Recovery begins again when PostgreSQL goes: a withdrawal that was sent before would then free a slot that nobody has. */
static void assert_untouched(const struct rig *rig)
{
	assert_int_equal(ahead_in(rig, CALL_ARMED), AHEAD_LEAST);
	assert_int_equal(rig->servers[0].ahead_n, AHEAD_LEAST);
	assert_true(journal_is_idle(rig->d.journal));
}

static void assert_taken_back(const struct rig *rig)
{
	assert_int_equal(ahead_in(rig, CALL_PLANNED), AHEAD_LEAST);
	assert_int_equal(rig->servers[0].ahead_n, 0);
	assert_false(journal_is_idle(rig->d.journal));
}

static void test_what_is_stale_is_taken_back_after_recovery(void **state)
{
	struct rig *rig = *state;
	ahead_tend(&rig->d);
	assert_untouched(rig);
	rig->d.recovered = true;
	ahead_tend(&rig->d);
	assert_taken_back(rig);
}

static void test_a_stop_takes_back_after_recovery(void **state)
{
	struct rig *rig = *state;
	rig->d.stopping = true;
	ahead_give_back_all(&rig->d);
	assert_untouched(rig);
	rig->d.recovered = true;
	ahead_give_back_all(&rig->d);
	assert_taken_back(rig);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_what_is_stale_is_taken_back_after_recovery),
		RIG_TEST(test_a_stop_takes_back_after_recovery),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
