/* How many attempts are armed ahead on a server: as many as it takes, and as few. One client, one server of two channels, and more
 * to be called than fits. Nothing is committed, so what is armed ahead is never there in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "dispatcher/ahead.h"
#include "tests/unit/dispatcher/sched_rig.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { CHANNELS = 2, WAITING = 60 };

static int set_up(void **state)
{
	static const struct rig_size size = {
		.clients = 1, .servers = 1, .shares = 1, .calls = 128, .waiting = 1024};
	struct rig *rig = rig_new(&size);
	rig->servers[0].facts.allowed_active_calls = CHANNELS;
	for (uint32_t i = 0; i < WAITING; i++)
		rig_announce(rig, 0);
	sched_pass(&rig->d);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

/* A call that holds a channel ends, and another takes it. */
static void end_one(struct rig *rig)
{
	struct slot *slot = rig->d.by_entry;
	while (!slot->granted)
		slot = slot->hh.next;
	grant_give(&rig->d, slot);
	sched_pass(&rig->d);
}

static void pass_seconds(struct rig *rig, uint32_t seconds)
{
	for (uint32_t i = 0; i < seconds; i++)
		ahead_tend(&rig->d);
}

static void test_two_are_armed_ahead_of_full_channels(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(rig->clients[0].usage->channels, CHANNELS);
	assert_int_equal(rig->servers[0].ahead_n, AHEAD_LEAST);
}

static void test_one_more_each_time_that_none_was_there(void **state)
{
	struct rig *rig = *state;
	for (uint32_t n = AHEAD_LEAST + 1; n <= AHEAD_MOST; n++) {
		end_one(rig);
		assert_int_equal(rig->clients[0].usage->channels, CHANNELS);
		assert_int_equal(rig->servers[0].ahead_n, n);
	}
	end_one(rig);
	assert_int_equal(rig->servers[0].ahead_n, AHEAD_MOST);
}

static void test_one_less_after_a_rest(void **state)
{
	struct rig *rig = *state;
	end_one(rig);
	end_one(rig);
	assert_int_equal(rig->servers[0].ahead_more, 2);
	pass_seconds(rig, AHEAD_REST_S - 1);
	assert_int_equal(rig->servers[0].ahead_more, 2);
	pass_seconds(rig, 1);
	assert_int_equal(rig->servers[0].ahead_more, 1);
	pass_seconds(rig, 2 * AHEAD_REST_S);
	assert_int_equal(rig->servers[0].ahead_more, 0);
}

static void test_no_rest_while_it_happens(void **state)
{
	struct rig *rig = *state;
	end_one(rig);
	pass_seconds(rig, AHEAD_REST_S - 1);
	end_one(rig);
	pass_seconds(rig, AHEAD_REST_S - 1);
	assert_int_equal(rig->servers[0].ahead_more, 2);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_two_are_armed_ahead_of_full_channels),
		RIG_TEST(test_one_more_each_time_that_none_was_there),
		RIG_TEST(test_one_less_after_a_rest),
		RIG_TEST(test_no_rest_while_it_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
