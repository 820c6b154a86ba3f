/* Latency histograms and counters. */
#include "shm/counters.h"
#include "shm/latency.h"
#include "tests/unit/shm/rig.h"

static void test_buckets_are_in_order_and_an_eighth_wide(void **state)
{
	(void)state;
	uint64_t end = 0;
	for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
		uint64_t begin = bucket == 0 ? 0 : end + 1;
		end = latency_bucket_end(bucket);
		assert_true(end >= begin);
		assert_int_equal(latency_bucket(begin), bucket);
		assert_int_equal(latency_bucket(end), bucket);
		assert_true(end - begin <= begin / 8);
	}
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void test_percentiles_are_right_to_an_eighth(void **state)
{
	struct rig *rig = *state;
	const struct shm_latency *latency = &seg_latency(&rig->seg, NULL)[LATENCY_COMMIT];
	assert_int_equal(latency_percentile(latency, 0.99), 0);
	for (int64_t us = 1; us <= 10000; us++)
		latency_add(&rig->seg, LATENCY_COMMIT, us);
	const double quantiles[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		uint64_t exact = (uint64_t)(10000 * quantiles[i]);
		assert_in_range(
			latency_percentile(latency, quantiles[i]), exact, exact + exact / 8);
	}
	assert_int_equal(latency_count(latency), 10000);
	assert_int_equal(latency_count(&seg_latency(&rig->seg, NULL)[LATENCY_TURN]), 0);
}

static void test_one_slow_sample_shows_in_the_tail_only(void **state)
{
	struct rig *rig = *state;
	const struct shm_latency *latency = &seg_latency(&rig->seg, NULL)[LATENCY_TURN];
	for (int i = 0; i < 99; i++)
		latency_add(&rig->seg, LATENCY_TURN, 5);
	latency_add(&rig->seg, LATENCY_TURN, INT64_MAX);
	latency_add(&rig->seg, LATENCY_TURN, -5); /* a clock that stepped */
	assert_int_equal(latency_percentile(latency, 0.5), 5);
	assert_int_equal(latency_percentile(latency, 0.99), 5);
	assert_true(latency_percentile(latency, 1) > UINT32_MAX);
}

static void test_counters_count_and_have_texts(void **state)
{
	struct rig *rig = *state;
	struct segment nothing;
	struct err err;
	counter_add(&rig->seg, COUNTER_events, 2);
	counter_add(&rig->seg, COUNTER_events, 3);
	assert_int_equal(counter_read(&rig->seg, COUNTER_events), 5);
	assert_int_equal(counter_read(&rig->seg, COUNTER_commits), 0);
	assert_ok(segment_init(&nothing, rig->conf.common_node, &err), &err);
	assert_int_equal(counter_read(&nothing, COUNTER_events), 0);
	assert_string_equal(counter_texts[COUNTER_events].name, "events");
	for (int i = 0; i < LATENCY__N; i++)
		assert_non_null(latency_name((enum shm_latency_kind)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_are_in_order_and_an_eighth_wide),
		RIG_TEST(test_percentiles_are_right_to_an_eighth),
		RIG_TEST(test_one_slow_sample_shows_in_the_tail_only),
		RIG_TEST(test_counters_count_and_have_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
