/* Limits on trying passwords: exact, shared, a delay and never a lock. */
#include <pthread.h>

#include "shm/throttle.h"
#include "tests/unit/shm/rig.h"

#define NOW (1000 * US_PER_S)

static const struct throttle_limits limits = {.user = 10, .network = 60, .total = 240};

/* Tries one password; the seconds to wait, 0 = it was tried. The object's birth decides which texts share a word: always the
 * same here. */
static uint32_t try_once(
	const struct rig *rig, const char *user, const char *network, int64_t now_us, bool right)
{
	struct segment seg = rig->seg;
	struct throttle throttle;
	uint32_t wait_s = 0;
	seg.map[SHM_IN].created_us = 1;
	throttle_open(&throttle, &seg, &limits, str_of(user), str_of(network));
	if (!throttle_take(&throttle, now_us, &wait_s)) {
		assert_int_not_equal(wait_s, 0);
		return wait_s;
	}
	if (right)
		throttle_right(&throttle);
	return 0;
}

/* How many of n wrong passwords are tried within these seconds, evenly, the last at their end. */
static int tried(const struct rig *rig, const char *user, const char *network, int n, int seconds)
{
	int done = 0;
	for (int i = 0; i < n; i++)
		done += try_once(rig, user, network, NOW + seconds * US_PER_S * i / (n - 1),
				false) == 0;
	return done;
}

static void test_a_user_has_ten_a_minute(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(tried(rig, "ann", "192.0.2.0", 10000, 60), 10);
}

static void test_a_limit_is_a_delay(void **state)
{
	struct rig *rig = *state;
	uint32_t wait_s = 0;
	while (wait_s == 0)
		wait_s = try_once(rig, "ann", "192.0.2.0", NOW, false);
	assert_in_range(wait_s, 1, 12);
	assert_int_equal(try_once(rig, "ann", "192.0.2.0", NOW + wait_s * US_PER_S, false), 0);
}

static void test_a_network_has_its_own_limit(void **state)
{
	struct rig *rig = *state;
	char user[16];
	int done = 0;
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(user, sizeof(user), "user%d", i);
		done += try_once(rig, user, "192.0.2.0", NOW, false) == 0;
	}
	assert_in_range(done, 15, 30); /* fewer where names share a word */
	assert_int_equal(try_once(rig, "somebody", "198.51.100.0", NOW, false), 0);
}

static void test_all_together_have_a_limit(void **state)
{
	struct rig *rig = *state;
	char user[16], network[16];
	int done = 0;
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(user, sizeof(user), "user%d", i);
		(void)snprintf(network, sizeof(network), "net%d", i);
		done += try_once(rig, user, network, NOW, false) == 0;
	}
	assert_int_equal(done, 120);
}

/* The network is the first to say no, but the user's limit is the one that takes longer. */
static void test_the_wait_suffices_for_every_limit(void **state)
{
	struct rig *rig = *state;
	char user[16];
	uint32_t wait_s = 0;
	(void)tried(rig, "ann", "198.51.100.0", 100, 0);
	/* Whoever shares a word with ann is told to wait as long as she is: there are few of them. */
	for (int i = 0; wait_s == 0 || wait_s > 2; i++) {
		assert_in_range(i, 0, limits.network);
		(void)snprintf(user, sizeof(user), "user%d", i);
		wait_s = try_once(rig, user, "192.0.2.0", NOW, false);
	}
	wait_s = try_once(rig, "ann", "192.0.2.0", NOW, false);
	assert_in_range(wait_s, 3, 12);
	assert_int_equal(try_once(rig, "ann", "192.0.2.0", NOW + wait_s * US_PER_S, false), 0);
}

static void test_what_was_refused_costs_nothing(void **state)
{
	struct rig *rig = *state;
	struct shm_throttle *words = seg_throttles(&rig->seg, NULL);
	(void)tried(rig, "ann", "192.0.2.0", 100, 0);
	int64_t total = atomic_load(&words[0].tat_mono_us);
	(void)tried(rig, "ann", "192.0.2.0", 1000, 0);
	assert_true(atomic_load(&words[0].tat_mono_us) == total);
	assert_int_equal(try_once(rig, "bob", "192.0.2.0", NOW, false), 0);
}

static void test_a_right_password_gives_everything_back_but_the_common_turn(void **state)
{
	struct rig *rig = *state;
	struct shm_throttle *words = seg_throttles(&rig->seg, NULL);
	uint32_t n;
	(void)seg_throttles(&rig->seg, &n);
	assert_int_equal(try_once(rig, "ann", "192.0.2.0", NOW, true), 0);
	assert_true(atomic_load(&words[0].tat_mono_us) > NOW);
	for (uint32_t i = 1; i < n; i++)
		assert_true(atomic_load(&words[i].tat_mono_us) <= NOW);
}

/* Each costs a core a tenth of a second: whoever signs in for every request must not have the pool to himself. */
static void test_right_passwords_are_bounded_too(void **state)
{
	struct rig *rig = *state;
	int done = 0;
	for (int i = 0; i < 1000; i++)
		done += try_once(rig, "ann", "192.0.2.0", NOW, true) == 0;
	assert_in_range(done, 40, 60);
	uint32_t wait_s = try_once(rig, "ann", "192.0.2.0", NOW, true);
	assert_in_range(wait_s, 1, 12);
	assert_int_equal(try_once(rig, "ann", "192.0.2.0", NOW + wait_s * US_PER_S, true), 0);
	assert_int_equal(try_once(rig, "bob", "192.0.2.0", NOW, true), 0);
}

/* One in a second, for ever. */
static void test_who_signs_in_steadily_is_never_delayed(void **state)
{
	struct rig *rig = *state;
	for (int second = 0; second < 600; second++)
		assert_int_equal(
			try_once(rig, "ann", "192.0.2.0", NOW + second * US_PER_S, true), 0);
}

static void test_no_flood_keeps_a_user_out_where_he_is_known(void **state)
{
	struct rig *rig = *state;
	char network[16];
	assert_int_equal(try_once(rig, "ann", "192.0.2.0", NOW, true), 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(network, sizeof(network), "net%d", i);
		(void)try_once(rig, "ann", network, NOW, false);
		(void)try_once(rig, network, "192.0.2.0", NOW, false);
	}
	assert_int_not_equal(try_once(rig, "ann", "203.0.113.0", NOW, false), 0);
	assert_int_equal(try_once(rig, "ann", "192.0.2.0", NOW, true), 0);
	/* But he, too, is not asked for more than ten wrong ones a minute there. */
	assert_in_range(tried(rig, "ann", "192.0.2.0", 10000, 60), 9, 10);
}

static void test_without_words_there_is_no_limit(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct throttle throttle;
	struct err err;
	uint32_t wait_s;
	assert_ok(segment_init(&reader, rig->conf.common_node, &err), &err);
	throttle_open(&throttle, &reader, &limits, STR("ann"), STR("192.0.2.0"));
	assert_true(throttle_take(&throttle, NOW, &wait_s));
	throttle_right(&throttle);
	assert_ok(segment_attach_in(&reader, &err), &err);
	throttle_open(&throttle, &reader, &limits, STR("ann"), STR("192.0.2.0"));
	assert_true(throttle_take(&throttle, NOW, &wait_s));
	throttle_right(&throttle);
	segment_close(&reader);
}

enum { THREADS = 3, TRIES = 5000 };

static void *try_often(void *arg)
{
	return (void *)(intptr_t)tried(arg, "ann", "192.0.2.0", TRIES, 60);
}

/* Each alone would have ten; whatever the order of their clocks, together they have no more. */
static void test_threads_share_one_limit(void **state)
{
	pthread_t threads[THREADS];
	intptr_t done = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, try_often, *state), 0);
	for (int i = 0; i < THREADS; i++) {
		void *one;
		(void)pthread_join(threads[i], &one);
		done += (intptr_t)one;
	}
	assert_in_range(done, 5, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_user_has_ten_a_minute),
		RIG_TEST(test_a_limit_is_a_delay),
		RIG_TEST(test_a_network_has_its_own_limit),
		RIG_TEST(test_all_together_have_a_limit),
		RIG_TEST(test_the_wait_suffices_for_every_limit),
		RIG_TEST(test_what_was_refused_costs_nothing),
		RIG_TEST(test_a_right_password_gives_everything_back_but_the_common_turn),
		RIG_TEST(test_right_passwords_are_bounded_too),
		RIG_TEST(test_who_signs_in_steadily_is_never_delayed),
		RIG_TEST(test_no_flood_keeps_a_user_out_where_he_is_known),
		RIG_TEST(test_without_words_there_is_no_limit),
		RIG_TEST(test_threads_share_one_limit),
	};
	return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
