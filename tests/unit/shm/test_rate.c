/* GCRA keeps its promise: in no period, wherever it begins, do more than N start. */
#include "shm/rate.h"
#include "tests/unit/shm/rig.h"

#define HOUR (3600 * US_PER_S)

enum { STARTS_MAX = 400000 };

static int64_t starts[STARTS_MAX];

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

/* Most starts in any half-open window of one period: two pointers over the sorted starts. */
static size_t most_in_a_period(const int64_t *at, size_t n, int64_t period)
{
	size_t most = 0, first = 0;
	for (size_t i = 0; i < n; i++) {
		while (at[i] - at[first] >= period)
			first++;
		most = MAX(most, i - first + 1);
	}
	return most;
}

/* Starts whenever it may, after random pauses of the given mean; greedy when that is 0. */
static size_t run(const struct rate *rate, int64_t begin, int64_t end, int64_t mean_pause)
{
	int64_t now = begin, tat = 0;
	size_t n = 0;
	while (n < STARTS_MAX) {
		now = MAX(now, rate_next_us(rate, tat));
		if (now >= end)
			break;
		if (!rate_check(rate, tat, now))
			fail_msg("not allowed at the time that was promised");
		tat = rate_take(rate, tat, now);
		starts[n++] = now;
		if (mean_pause)
			now += chance((uint32_t)MIN(2 * mean_pause, UINT32_MAX));
	}
	return n;
}

static const uint32_t limits[] = {
	1, 2, 3, 7, 10, 19, 20, 21, 39, 40, 41, 60, 99, 100, 500, 1000, 3599, 3600, 3601, 36000};

static void test_no_hour_has_more_than_n_however_greedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rate rate = rate_per_hour(limits[i]);
		size_t n = run(&rate, 1700000000 * US_PER_S, 1700000000 * US_PER_S + 5 * HOUR, 0);
		size_t most = most_in_a_period(starts, n, HOUR);
		assert_true(most <= limits[i]);
		assert_true(most >= limits[i] - limits[i] / 10 - 1); /* and is not wasted either */
	}
}

static void test_no_hour_has_more_than_n_with_random_pauses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		for (seed = 1; seed <= 20; seed++) {
			struct rate rate = rate_per_hour(limits[i]);
			int64_t pause = HOUR / limits[i] * chance(40) / 20;
			size_t n = run(&rate, 0, 4 * HOUR, pause + 1);
			assert_true(most_in_a_period(starts, n, HOUR) <= limits[i]);
		}
}

/* Idle for long, then a burst, again and again: the worst for a bucket that fills up. */
static void test_bursts_after_idleness_stay_within_the_hour(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rate rate = rate_per_hour(limits[i]);
		int64_t tat = 0, now = 0;
		size_t n = 0;
		while (now < 6 * HOUR && n < STARTS_MAX) {
			while (rate_check(&rate, tat, now) && n < STARTS_MAX) {
				tat = rate_take(&rate, tat, now);
				starts[n++] = now;
			}
			now += HOUR / 13;
		}
		assert_true(most_in_a_period(starts, n, HOUR) <= limits[i]);
	}
}

static void test_no_second_has_more_than_n(void **state)
{
	(void)state;
	const uint32_t per_second[] = {1, 2, 5, 9, 10, 11, 50, 100, 1000};
	for (size_t i = 0; i < ARRAY_LEN(per_second); i++) {
		struct rate rate = rate_per_second(per_second[i]);
		size_t n = run(&rate, 0, 20 * US_PER_S, 0);
		assert_true(most_in_a_period(starts, n, US_PER_S) <= per_second[i]);
		assert_true(n > per_second[i] * 9);
	}
}

static void test_no_minute_has_more_than_n(void **state)
{
	(void)state;
	const uint32_t per_minute[] = {1, 2, 3, 10, 60, 240};
	for (size_t i = 0; i < ARRAY_LEN(per_minute); i++) {
		struct rate rate = rate_per_minute(per_minute[i]);
		size_t n = run(&rate, 0, 1200 * US_PER_S, 0);
		assert_true(most_in_a_period(starts, n, 60 * US_PER_S) <= per_minute[i]);
		assert_true(n >= per_minute[i] * 10);
	}
}

static void test_zero_an_hour_is_never_and_zero_a_second_is_no_limit(void **state)
{
	(void)state;
	struct rate never = rate_per_hour(0), free_pace = rate_per_second(0);
	assert_false(rate_check(&never, 0, INT64_MAX - 1));
	assert_true(rate_next_us(&never, 0) == RATE_NEVER);
	int64_t tat = 0;
	for (int i = 0; i < 1000; i++) {
		assert_true(rate_check(&free_pace, tat, 5));
		tat = rate_take(&free_pace, tat, 5);
	}
}

/* A new limit is applied to the starts of the last hour. What was started under the old one counts.
 * */
static void test_a_lowered_limit_never_adds_to_what_was_started(void **state)
{
	(void)state;
	const uint32_t changes[][2] = {{1000, 10}, {36000, 1}, {100, 99}, {20, 2}, {500, 400}};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct rate before = rate_per_hour(changes[i][0]),
			    after = rate_per_hour(changes[i][1]);
		size_t n = run(&before, HOUR, 2 * HOUR, 0);
		int64_t now = 2 * HOUR, tat = rate_rebuild(&after, starts, n);
		size_t old = n;
		while (now < 6 * HOUR) {
			now = MAX(now, rate_next_us(&after, tat));
			tat = rate_take(&after, tat, now);
			starts[n++] = now;
			size_t first = n - 1;
			while (first > 0 && now - starts[first - 1] < HOUR)
				first--;
			assert_true(n - first <= changes[i][1]);
		}
		assert_true(n > old + 1);
		assert_true(starts[old] <= starts[old - 1] + HOUR); /* and it does start again */
	}
}

static void test_a_raised_limit_takes_effect_at_once(void **state)
{
	(void)state;
	struct rate before = rate_per_hour(2), after = rate_per_hour(1000);
	size_t n = run(&before, 0, HOUR, 0);
	assert_int_equal(n, 1);
	assert_false(rate_check(&before, rate_rebuild(&before, starts, n), US_PER_S));
	assert_true(rate_check(&after, rate_rebuild(&after, starts, n), US_PER_S));
}

/* The state in the segment and the one made from PostgreSQL's last hour agree. */
static void test_a_rebuilt_state_equals_the_kept_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rate rate = rate_per_hour(limits[i]);
		seed = 7;
		size_t n = run(&rate, 0, 4 * HOUR, HOUR / limits[i] / 2 + 1), recent = 0;
		int64_t tat = rate_rebuild(&rate, starts, n);
		while (recent < n && starts[n - 1] - starts[recent] >= HOUR)
			recent++;
		int64_t from_hour = rate_rebuild(&rate, starts + recent, n - recent);
		assert_true(from_hour <= tat);
		assert_true(tat - from_hour <= rate.tolerance_us + rate.interval_us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_hour_has_more_than_n_however_greedy),
		cmocka_unit_test(test_no_hour_has_more_than_n_with_random_pauses),
		cmocka_unit_test(test_bursts_after_idleness_stay_within_the_hour),
		cmocka_unit_test(test_no_second_has_more_than_n),
		cmocka_unit_test(test_no_minute_has_more_than_n),
		cmocka_unit_test(test_zero_an_hour_is_never_and_zero_a_second_is_no_limit),
		cmocka_unit_test(test_a_lowered_limit_never_adds_to_what_was_started),
		cmocka_unit_test(test_a_raised_limit_takes_effect_at_once),
		cmocka_unit_test(test_a_rebuilt_state_equals_the_kept_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
