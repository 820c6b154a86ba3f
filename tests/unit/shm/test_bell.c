/* The bell: rings when somebody sleeps, costs nothing when nobody does, loses no wake-up. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#include "shm/bell.h"
#include "tests/unit/shm/rig.h"

static char folder[64];
static struct bell bell;
static struct shm_shared shared;

static int open_bell(void **state)
{
	(void)state;
	struct err err;
	(void)snprintf(folder, sizeof(folder), "/tmp/ccs-bell-XXXXXX");
	shared = (struct shm_shared){0};
	return mkdtemp(folder) && bell_open(&bell, folder, &err) ? 0 : -1;
}

static int close_bell(void **state)
{
	(void)state;
	char path[96];
	bell_close(&bell);
	(void)snprintf(path, sizeof(path), "%s/bell", folder);
	(void)unlink(path);
	return rmdir(folder);
}

static bool has_rung(const struct bell *b, int timeout_ms)
{
	struct pollfd fd = {.fd = b->fd, .events = POLLIN};
	return poll(&fd, 1, timeout_ms) == 1;
}

static void test_rings_once_when_armed(void **state)
{
	(void)state;
	bell_ring(&bell, &shared);
	assert_false(has_rung(&bell, 0));
	bell_arm(&shared);
	bell_ring(&bell, &shared);
	assert_true(has_rung(&bell, 0));
	bell_drain(&bell);
	bell_ring(&bell, &shared); /* the first ring has disarmed it */
	assert_false(has_rung(&bell, 0));
}

static void test_awake_means_no_ringing(void **state)
{
	(void)state;
	bell_arm(&shared);
	bell_disarm(&shared);
	bell_ring(&bell, &shared);
	assert_false(has_rung(&bell, 0));
}

static void test_rings_unasked_without_a_segment(void **state)
{
	(void)state;
	bell_ring(&bell, NULL);
	assert_true(has_rung(&bell, 0));
}

static void test_a_full_fifo_blocks_nobody_and_drains_empty(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++)
		bell_ring(&bell, NULL);
	assert_true(has_rung(&bell, 0));
	bell_drain(&bell);
	assert_false(has_rung(&bell, 0));
}

static void test_everybody_finds_the_same_bell(void **state)
{
	(void)state;
	struct bell other;
	struct err err;
	assert_ok(bell_open(&other, folder, &err), &err);
	bell_ring(&other, NULL);
	assert_true(has_rung(&bell, 0));
	bell_close(&other);
	struct stat st;
	assert_int_equal(fstat(bell.fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void test_refuses_what_is_no_fifo(void **state)
{
	(void)state;
	char wrong[] = "/tmp/ccs-nobell-XXXXXX", path[64];
	struct bell other;
	struct err err;
	assert_non_null(mkdtemp(wrong));
	(void)snprintf(path, sizeof(path), "%s/bell", wrong);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fclose(file);
	assert_false(bell_open(&other, wrong, &err));
	assert_non_null(strstr(err.text, "no FIFO"));
	(void)unlink(path);
	(void)rmdir(wrong);
	assert_false(bell_open(&other, "/nonexistent", &err));
}

/* One publishes and rings, the other sleeps whenever it finds nothing. A wake-up that got lost
 * would let it sleep until the timeout, which fails the test. */
enum { ROUNDS = 20000 };

static _Atomic uint64_t published;
static _Atomic uint64_t taken;

static void *publish(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		atomic_store_explicit(&published, i, memory_order_release);
		bell_ring(&bell, &shared);
		/* Every other time it falls asleep first: there a wake-up can get lost. */
		while (i % 2 && atomic_load_explicit(&taken, memory_order_acquire) < i)
			(void)sched_yield();
	}
	return NULL;
}

static void test_threads_lose_no_wake_up(void **state)
{
	(void)state;
	pthread_t publisher;
	uint64_t seen = 0, lost = 0;
	assert_int_equal(pthread_create(&publisher, NULL, publish, NULL), 0);
	while (seen < ROUNDS && lost == 0) {
		bell_arm(&shared);
		uint64_t now = atomic_load_explicit(&published, memory_order_acquire);
		if (now == seen)
			lost += !has_rung(&bell, 10000);
		bell_disarm(&shared);
		bell_drain(&bell);
		seen = atomic_load_explicit(&published, memory_order_acquire);
		atomic_store_explicit(&taken, lost ? ROUNDS : seen, memory_order_release);
	}
	(void)pthread_join(publisher, NULL);
	assert_int_equal(lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rings_once_when_armed, open_bell, close_bell),
		cmocka_unit_test_setup_teardown(test_awake_means_no_ringing, open_bell, close_bell),
		cmocka_unit_test_setup_teardown(
			test_rings_unasked_without_a_segment, open_bell, close_bell),
		cmocka_unit_test_setup_teardown(
			test_a_full_fifo_blocks_nobody_and_drains_empty, open_bell, close_bell),
		cmocka_unit_test_setup_teardown(
			test_everybody_finds_the_same_bell, open_bell, close_bell),
		cmocka_unit_test_setup_teardown(
			test_refuses_what_is_no_fifo, open_bell, close_bell),
		cmocka_unit_test_setup_teardown(
			test_threads_lose_no_wake_up, open_bell, close_bell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
