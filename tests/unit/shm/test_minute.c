/* Requests in a minute of the clock: exact, shared, and over when it says so. */
#include <pthread.h>

#include "shm/minute.h"
#include "tests/unit/shm/rig.h"

#define MINUTE (60 * US_PER_S)

static void test_requests_are_counted_per_minute(void **state)
{
	(void)state;
	_Atomic uint64_t word = 0;
	struct minute at;
	int64_t now = 1000 * MINUTE + 15 * US_PER_S;
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(minute_take(&word, 3, now, &at));
		assert_int_equal(at.limit, 3);
		assert_int_equal(at.remaining, 2 - i);
		assert_true(at.ends_us == 1001 * MINUTE);
	}
	assert_false(minute_take(&word, 3, now, &at));
	assert_int_equal(at.remaining, 0);
	assert_false(minute_take(&word, 3, 1001 * MINUTE - 1, &at));
	assert_true(at.ends_us == 1001 * MINUTE);
	assert_true(minute_take(&word, 3, 1001 * MINUTE, &at));
	assert_int_equal(at.remaining, 2);
	assert_true(at.ends_us == 1002 * MINUTE);
}

static void test_looking_counts_nothing(void **state)
{
	(void)state;
	_Atomic uint64_t word = 0;
	struct minute at;
	assert_int_equal(minute_look(&word, 2, MINUTE).remaining, 2);
	assert_true(minute_take(&word, 2, MINUTE, &at));
	assert_int_equal(minute_look(&word, 2, MINUTE).remaining, 1);
	assert_int_equal(minute_look(&word, 2, 2 * MINUTE).remaining, 2);
	assert_int_equal(minute_look(&word, 0, MINUTE).remaining, 0);
}

/* Whoever reads its clock a moment late must be told to wait for the end of the minute that is full. */
static void test_a_late_clock_counts_in_the_newer_minute(void **state)
{
	(void)state;
	_Atomic uint64_t word = 0;
	struct minute at;
	assert_true(minute_take(&word, 2, 1000 * MINUTE, &at));
	assert_true(minute_take(&word, 2, 1000 * MINUTE - 1, &at));
	assert_true(at.ends_us == 1001 * MINUTE);
	assert_false(minute_take(&word, 2, 1000 * MINUTE - 1, &at));
	assert_true(at.ends_us == 1001 * MINUTE);
	assert_true(minute_take(&word, 2, at.ends_us, &at));
	/* Set back by hours: a client must not wait for them to pass. */
	assert_true(minute_take(&word, 2, 800 * MINUTE, &at));
	assert_int_equal(at.remaining, 1);
}

static void test_a_lowered_limit_holds_at_once(void **state)
{
	(void)state;
	_Atomic uint64_t word = 0;
	struct minute at;
	for (int i = 0; i < 5; i++)
		assert_true(minute_take(&word, 10, MINUTE, &at));
	assert_false(minute_take(&word, 4, MINUTE, &at));
	assert_int_equal(at.remaining, 0);
	assert_false(minute_take(&word, 0, MINUTE, &at));
}

static void test_what_is_given_back_can_be_taken_again(void **state)
{
	(void)state;
	_Atomic uint64_t word = 0;
	struct minute first, second;
	assert_true(minute_take(&word, 1, MINUTE, &first));
	minute_give_back(&word, &first);
	assert_true(minute_take(&word, 1, MINUTE, &first));
	assert_true(minute_take(&word, 1, 2 * MINUTE, &second));
	minute_give_back(&word, &first); /* too late: its minute is over */
	assert_false(minute_take(&word, 1, 2 * MINUTE, &second));
	minute_give_back(&word, &second);
	minute_give_back(&word, &second);
	assert_int_equal(minute_look(&word, 1, 2 * MINUTE).remaining, 1);
}

static _Atomic uint64_t shared_word;

enum { THREADS = 3, TRIES = 5000, LIMIT = 7000 };

/* Every third is given back at once. */
static void *take_all(void *unused)
{
	_Atomic uint64_t *word = &shared_word;
	(void)unused;
	uintptr_t granted = 0;
	for (int i = 0; i < TRIES; i++) {
		struct minute at;
		bool taken = minute_take(word, LIMIT, MINUTE, &at);
		if (taken && i % 3 == 0)
			minute_give_back(word, &at);
		else
			granted += taken;
	}
	return (void *)granted;
}

static void test_threads_share_one_limit_exactly(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	uintptr_t granted = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_all, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		void *one;
		(void)pthread_join(threads[i], &one);
		granted += (uintptr_t)one;
	}
	assert_int_equal(granted, LIMIT);
	assert_int_equal(minute_look(&shared_word, LIMIT, MINUTE).remaining, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_are_counted_per_minute),
		cmocka_unit_test(test_looking_counts_nothing),
		cmocka_unit_test(test_a_late_clock_counts_in_the_newer_minute),
		cmocka_unit_test(test_a_lowered_limit_holds_at_once),
		cmocka_unit_test(test_what_is_given_back_can_be_taken_again),
		cmocka_unit_test(test_threads_share_one_limit_exactly),
	};
	return cmocka_run_group_tests_name("minute", tests, NULL, NULL);
}
