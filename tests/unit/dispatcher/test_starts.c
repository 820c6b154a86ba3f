/* Calls of the last hour, against a list of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "dispatcher/starts.h"

#include "common/base.h"

#define MINUTE (60 * US_PER_S)

static const int64_t NOON = INT64_C(29000000) * 60 * 1000000;

static void test_an_hour_later_nothing_counts(void **state)
{
	struct starts starts = {.sum = 0};
	(void)state;
	starts_add(&starts, NOON, 3);
	starts_add(&starts, NOON + 59 * MINUTE, 2);
	assert_int_equal(starts_now(&starts, NOON + 59 * MINUTE), 5);
	assert_int_equal(starts_now(&starts, NOON + 60 * MINUTE), 2);
	assert_int_equal(starts_now(&starts, NOON + 119 * MINUTE), 0);
	assert_int_equal(starts_now(&starts, NOON + 500 * MINUTE), 0);
}

static void test_history_may_come_late(void **state)
{
	struct starts starts = {.sum = 0};
	(void)state;
	assert_int_equal(starts_now(&starts, NOON), 0);
	starts_add(&starts, NOON - 59 * MINUTE, 1);
	starts_add(&starts, NOON - 60 * MINUTE, 7);
	starts_add(&starts, NOON - 600 * MINUTE, 7);
	assert_int_equal(starts_now(&starts, NOON), 1);
}

static void test_agrees_with_a_list(void **state)
{
	enum { CALLS = 5000 };
	static int64_t at[CALLS];
	struct starts starts = {.sum = 0};
	int64_t now = NOON;
	(void)state;
	srandom(1);
	for (int i = 0; i < CALLS; i++) {
		now += random() % (random() % 100 == 0 ? 90 * MINUTE : 10 * US_PER_S);
		at[i] = now;
		starts_add(&starts, now, 1);
		uint32_t expected = 0;
		for (int k = 0; k <= i; k++)
			expected += now / MINUTE - at[k] / MINUTE < STARTS_MINUTES;
		assert_int_equal(starts_now(&starts, now), expected);
		expected = 0;
		for (int k = 0; k <= i; k++)
			expected += now / MINUTE - at[k] / MINUTE == STARTS_MINUTES;
		assert_int_equal(starts_in(&starts, now / MINUTE - STARTS_MINUTES), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_hour_later_nothing_counts),
		cmocka_unit_test(test_history_may_come_late),
		cmocka_unit_test(test_agrees_with_a_list),
	};
	return cmocka_run_group_tests_name("starts", tests, NULL, NULL);
}
