/* Words of a client: generation and request window. */
#include <pthread.h>

#include "shm/tenant.h"
#include "tests/unit/shm/rig.h"

#define MINUTE (60 * US_PER_S)

static void test_words_are_made_once_and_found_again(void **state)
{
	struct rig *rig = *state;
	assert_null(tenant_find(&rig->seg, 5, false));
	struct shm_tenant *words = tenant_find(&rig->seg, 5, true);
	assert_non_null(words);
	assert_ptr_equal(tenant_find(&rig->seg, 5, true), words);
	assert_ptr_equal(tenant_find(&rig->seg, 5, false), words);
	assert_true(tenant_find(&rig->seg, 6, true) != words);
	assert_null(tenant_find(&rig->seg, 0, true));
}

static void test_a_full_table_says_so(void **state)
{
	struct rig *rig = *state;
	uint32_t n;
	(void)seg_tenants(&rig->seg, &n);
	for (uint64_t id = 1; id <= n; id++)
		assert_non_null(tenant_find(&rig->seg, id, true));
	uint64_t generation;
	assert_null(tenant_find(&rig->seg, n + 1, true));
	assert_false(tenant_generation(&rig->seg, n + 1, &generation));
	assert_false(tenant_changed(&rig->seg, n + 1));
	assert_non_null(tenant_find(&rig->seg, n, false));
}

static void test_readers_make_no_words(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	assert_ok(segment_init(&reader, rig->conf.common_node, &err), &err);
	assert_ok(segment_attach_in(&reader, &err), &err);
	assert_null(tenant_find(&reader, 5, true));
	assert_non_null(tenant_find(&rig->seg, 5, true));
	assert_non_null(tenant_find(&reader, 5, false));
	assert_false(tenant_changed(&reader, 5));
	segment_close(&reader);
}

static void test_a_change_moves_the_generation(void **state)
{
	struct rig *rig = *state;
	uint64_t before, after;
	assert_true(tenant_generation(&rig->seg, 5, &before));
	assert_true(tenant_changed(&rig->seg, 5));
	assert_true(tenant_generation(&rig->seg, 5, &after));
	assert_true(after == before + 1);
	assert_true(tenant_generation(&rig->seg, 6, &after));
	assert_true(after == before); /* others are not touched */
}

static void test_generations_of_two_lives_of_in_differ(void **state)
{
	struct rig *rig = *state;
	uint64_t before, after;
	bool adopted;
	struct err err;
	assert_true(tenant_generation(&rig->seg, 5, &before));
	segment_remove(&rig->seg);
	assert_ok(segment_create_or_adopt(&rig->seg, &rig->conf, &adopted, &err), &err);
	assert_true(tenant_generation(&rig->seg, 5, &after));
	assert_true(after != before);
}

static void test_requests_are_counted_per_minute(void **state)
{
	(void)state;
	struct shm_tenant words = {0};
	uint32_t remaining, reset_s;
	int64_t now = 1000 * MINUTE + 15 * US_PER_S;
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(tenant_request(&words, now, 3, &remaining, &reset_s));
		assert_int_equal(remaining, 2 - i);
		assert_int_equal(reset_s, 45);
	}
	assert_false(tenant_request(&words, now, 3, &remaining, &reset_s));
	assert_int_equal(remaining, 0);
	assert_int_equal(reset_s, 45);
	assert_false(tenant_request(&words, 1001 * MINUTE - 1, 3, &remaining, &reset_s));
	assert_int_equal(reset_s, 1);
	assert_true(tenant_request(&words, 1001 * MINUTE, 3, &remaining, &reset_s));
	assert_int_equal(remaining, 2);
	assert_int_equal(reset_s, 60);
}

static void test_a_late_clock_counts_in_the_newer_minute(void **state)
{
	(void)state;
	struct shm_tenant words = {0};
	uint32_t remaining, reset_s;
	assert_true(tenant_request(&words, 1000 * MINUTE, 2, &remaining, &reset_s));
	assert_true(tenant_request(&words, 1000 * MINUTE - 1, 2, &remaining, &reset_s));
	assert_false(tenant_request(&words, 1000 * MINUTE, 2, &remaining, &reset_s));
	/* Set back by hours: a client must not wait for them to pass. */
	assert_true(tenant_request(&words, 800 * MINUTE, 2, &remaining, &reset_s));
	assert_int_equal(remaining, 1);
}

static void test_a_lowered_limit_holds_at_once(void **state)
{
	(void)state;
	struct shm_tenant words = {0};
	uint32_t remaining, reset_s;
	for (int i = 0; i < 5; i++)
		assert_true(tenant_request(&words, MINUTE, 10, &remaining, &reset_s));
	assert_false(tenant_request(&words, MINUTE, 4, &remaining, &reset_s));
	assert_int_equal(remaining, 0);
	assert_false(tenant_request(&words, MINUTE, 0, &remaining, &reset_s));
}

enum { THREADS = 3, TRIES = 5000, LIMIT = 7000 };

static void *request_all(void *arg)
{
	struct shm_tenant *words = arg;
	uint32_t remaining, reset_s;
	uintptr_t granted = 0;
	for (int i = 0; i < TRIES; i++)
		granted += tenant_request(words, MINUTE, LIMIT, &remaining, &reset_s);
	return (void *)granted;
}

static void test_threads_share_one_limit_exactly(void **state)
{
	(void)state;
	static struct shm_tenant words;
	pthread_t threads[THREADS];
	uintptr_t granted = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, request_all, &words), 0);
	for (int i = 0; i < THREADS; i++) {
		void *one;
		(void)pthread_join(threads[i], &one);
		granted += (uintptr_t)one;
	}
	assert_int_equal(granted, LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_words_are_made_once_and_found_again),
		RIG_TEST(test_a_full_table_says_so),
		RIG_TEST(test_readers_make_no_words),
		RIG_TEST(test_a_change_moves_the_generation),
		RIG_TEST(test_generations_of_two_lives_of_in_differ),
		cmocka_unit_test(test_requests_are_counted_per_minute),
		cmocka_unit_test(test_a_late_clock_counts_in_the_newer_minute),
		cmocka_unit_test(test_a_lowered_limit_holds_at_once),
		cmocka_unit_test(test_threads_share_one_limit_exactly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
