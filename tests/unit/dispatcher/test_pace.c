/* The pace, on a simulated trunk whose capacity changes: how soon it is found, how few calls are refused on the way, and
 * that no ceiling is passed. Virtual time, fixed seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "dispatcher/pace.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { PHASES = 3, PHASE_S = 300, FOUND_WITHIN_S = 30, CALLS_MAX = 4096, TURN_US = 5000 };

enum fate { FREE, REFUSED, RINGING, UP };

struct call {
	enum fate fate;
	uint32_t level;
	int64_t sent_us, next_us;
};

struct trunk {
	const uint32_t *capacity; /* of each phase */
	uint32_t ceiling, talk_s;
	uint32_t elsewhere; /* percent of the calls that are refused beyond the trunk */
	uint64_t seed;
	int64_t now_us;
	struct pace pace;
	struct call calls[CALLS_MAX];
	uint32_t live, inside;	/* in progress for us; of these, inside the trunk */
	uint32_t sent, refused; /* so far */
	int64_t inside_us;	/* summed over time */
};

static uint32_t chance(struct trunk *t, uint32_t below)
{
	t->seed = t->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(t->seed >> 33) % below;
}

static uint32_t capacity(const struct trunk *t)
{
	return t->capacity[MIN(t->now_us / (PHASE_S * US_PER_S), (int64_t)PHASES - 1)];
}

static void dial(struct trunk *t, struct call *call)
{
	bool fits = t->inside < capacity(t), taken = fits && chance(t, 100) >= t->elsewhere;
	int64_t ms = taken ? 100 + chance(t, 900) : 20 + chance(t, 130);
	t->live++;
	t->sent++;
	t->refused += !fits;
	t->inside += taken;
	*call = (struct call){
		taken ? RINGING : REFUSED, t->live, t->now_us, t->now_us + ms * US_PER_MS};
}

static void move(struct trunk *t, struct call *call)
{
	struct pace_call told = {call->sent_us, call->level, t->live};
	if (call->fate == REFUSED) {
		(void)pace_refused(&t->pace, &told, t->ceiling, t->now_us);
		t->live--;
		call->fate = FREE;
	} else if (call->fate == RINGING) {
		(void)pace_through(&t->pace, &told, t->ceiling, t->now_us);
		call->fate = UP;
		call->next_us =
			t->now_us + (1 + (int64_t)chance(t, 2 * t->talk_s * 1000)) * US_PER_MS;
	} else {
		t->live--;
		t->inside--;
		call->fate = FREE;
	}
}

/* There is always a call to make. */
static void turn(struct trunk *t)
{
	for (size_t i = 0; i < CALLS_MAX; i++)
		if (t->calls[i].fate != FREE && t->calls[i].next_us <= t->now_us)
			move(t, &t->calls[i]);
	for (size_t i = 0; i < CALLS_MAX && t->live < pace_limit(&t->pace, t->ceiling); i++)
		if (t->calls[i].fate == FREE)
			dial(t, &t->calls[i]);
	assert_true(t->live <= t->ceiling);
	t->inside_us += (int64_t)t->inside * TURN_US;
	t->now_us += TURN_US;
}

/* One phase: the capacity is found in time when the trunk is well used and hardly refuses a call any more. */
static void phase(struct trunk *t, uint32_t found_within_s, double used_at_least)
{
	uint32_t holds = MIN(capacity(t), t->ceiling);
	int64_t from_us = t->now_us, found_us = from_us + (int64_t)found_within_s * US_PER_S;
	while (t->now_us < found_us)
		turn(t);
	uint32_t sent = t->sent, refused = t->refused;
	t->inside_us = 0;
	while (t->now_us < from_us + PHASE_S * US_PER_S)
		turn(t);
	sent = t->sent - sent;
	refused = t->refused - refused;
	double used = (double)t->inside_us /
		      ((double)holds * (double)(from_us + PHASE_S * US_PER_S - found_us));
	print_message("capacity %u of %u, talk %u s, %u %% refused elsewhere: after %u s %u calls, "
		      "%.2f %% refused, %.0f %% used\n",
		holds, t->ceiling, t->talk_s, t->elsewhere, found_within_s, sent,
		100.0 * refused / sent, 100 * used);
	assert_true(refused * 100 < sent);
	assert_true(used > used_at_least);
}

static void capacity_is_found_again_after_it_was_halved(void **state)
{
	static const struct {
		uint32_t capacity[PHASES], ceiling, talk_s;
		uint32_t
			back_s; /* until it is found to have doubled: few calls find their way up slowly */
		uint32_t elsewhere;
	} trunks[] = {
		{{80, 40, 80}, 100, 5, 75, 0},
		{{80, 40, 80}, 100, 5, 75, 3},
		{{200, 100, 200}, 400, 10, 75, 0},
		{{20, 10, 20}, 100, 5, 150, 0},
		{{500, 250, 500}, 2000, 15, 60, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(trunks); i++) {
		static struct trunk t;
		t = (struct trunk){.capacity = trunks[i].capacity,
			.ceiling = trunks[i].ceiling,
			.talk_s = trunks[i].talk_s,
			.elsewhere = trunks[i].elsewhere,
			.now_us = 1,
			.seed = i};
		phase(&t, FOUND_WITHIN_S, 0.85);
		phase(&t, FOUND_WITHIN_S, 0.85);
		phase(&t, trunks[i].back_s, 0.85);
	}
}

/* Whatever is refused elsewhere, for reasons that have nothing to do with how many calls there are. */
static void a_trunk_with_room_is_not_held_back(void **state)
{
	static const uint32_t room[PHASES] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
	(void)state;
	for (uint32_t elsewhere = 0; elsewhere <= 9; elsewhere += 3) {
		static struct trunk t;
		t = (struct trunk){.capacity = room,
			.ceiling = 100,
			.talk_s = 5,
			.now_us = 1,
			.elsewhere = elsewhere};
		phase(&t, FOUND_WITHIN_S, 0.95);
	}
}

static bool refuse(struct pace *p, int64_t sent_us, uint32_t level, uint32_t live, uint32_t ceiling,
	int64_t now_us)
{
	return pace_refused(p, &(struct pace_call){sent_us, level, live}, ceiling, now_us);
}

static bool take(struct pace *p, uint32_t live, uint32_t ceiling, int64_t now_us)
{
	return pace_through(p, &(struct pace_call){now_us, live, live}, ceiling, now_us);
}

static void one_burst_of_refusals_is_one_cut(void **state)
{
	struct pace p = {0};
	(void)state;
	assert_false(refuse(&p, 10, 51, 51, 200, 100));
	assert_true(refuse(&p, 10, 52, 51, 200, 100));
	uint32_t after = pace_limit(&p, 200);
	assert_in_range(after, 45, 49);
	for (uint32_t live = 51; live > after; live--)
		assert_false(refuse(&p, 10, 60, live, 200, 101));
	assert_int_equal(pace_limit(&p, 200), after);
	assert_true(refuse(&p, 102, after, after, 200, 103));
	assert_true(pace_limit(&p, 200) < after);
}

static void a_refusal_where_others_got_through_is_none_of_the_trunk(void **state)
{
	struct pace p = {0};
	(void)state;
	for (int64_t now = 1; now < 1000; now++)
		if (now % 8)
			(void)take(&p, 50, 200, now);
		else
			assert_false(refuse(&p, now - 1, 50, 50, 200, now));
	assert_int_equal(p.limit, 0);
	assert_false(refuse(&p, 1001, 51, 50, 200, 1002));
	assert_true(refuse(&p, 1001, 52, 50, 200, 1002));
}

static void the_limit_is_never_below_one_nor_above_the_ceiling(void **state)
{
	struct pace p = {0};
	(void)state;
	for (int i = 1; i < 100; i++)
		(void)refuse(&p, 2 * i, 1, 1, 10, 2 * i + 1);
	assert_int_equal(pace_limit(&p, 10), 1);
	assert_int_equal(pace_limit(&p, 0), 0);
	for (int i = 0; i < 100000 && p.limit; i++)
		(void)take(&p, pace_limit(&p, 10), 10, 1000 * US_PER_S);
	assert_int_equal(p.limit, 0);
	assert_int_equal(pace_limit(&p, 10), 10);
}

static void it_rises_from_one_to_full_after_a_pause(void **state)
{
	struct pace p;
	uint32_t rounds = 0;
	(void)state;
	pace_restart(&p, 0);
	for (uint32_t live; (live = pace_limit(&p, 1000)) < 1000; rounds++)
		for (uint32_t i = 0; i < live; i++)
			(void)take(&p, pace_limit(&p, 1000), 1000, 0);
	assert_in_range(rounds, 5, 20); /* doubled each time */
}

static void what_does_not_hold_back_does_not_grow(void **state)
{
	struct pace p = {0};
	(void)state;
	while (!refuse(&p, 1, 100, 100, 200, 2))
		;
	uint64_t before = p.limit;
	for (int i = 0; i < 1000; i++)
		assert_false(take(&p, 10, 200, 3600 * US_PER_S));
	assert_int_equal(p.limit, before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity_is_found_again_after_it_was_halved),
		cmocka_unit_test(a_trunk_with_room_is_not_held_back),
		cmocka_unit_test(one_burst_of_refusals_is_one_cut),
		cmocka_unit_test(a_refusal_where_others_got_through_is_none_of_the_trunk),
		cmocka_unit_test(the_limit_is_never_below_one_nor_above_the_ceiling),
		cmocka_unit_test(it_rises_from_one_to_full_after_a_pause),
		cmocka_unit_test(what_does_not_hold_back_does_not_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
