/* Submit rings and the slots they belong to. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "shm/submit.h"
#include "tests/unit/shm/rig.h"

static struct shm_submit chunk(uint64_t id)
{
	return (struct shm_submit){.kind = SUBMIT_CHUNK,
		.id = id,
		.client_id = id ^ 0xabc,
		.entries = 1,
		.number = "919800000000"};
}

static void test_records_come_out_in_order_over_many_wraps(void **state)
{
	struct rig *rig = *state;
	struct shm_worker *worker = seg_workers(&rig->seg, NULL);
	struct shm_submit_head *head = seg_heads(&rig->seg, NULL);
	struct shm_submit rec;
	uint64_t next = 1;
	for (uint64_t id = 1; id < 5 * SHM_RING_RECORDS; id++) {
		struct shm_submit in = chunk(id);
		assert_true(submit_push(worker, head, &in));
		if (id % 3 == 0)
			continue;
		assert_true(submit_pop_from(worker, head, &rec));
		assert_int_equal(rec.id, next);
		assert_int_equal(rec.client_id, next ^ 0xabc);
		next++;
		if (id % 6 == 1 && submit_pop_from(worker, head, &rec))
			assert_int_equal(rec.id, next++);
	}
}

static void test_a_full_ring_takes_no_more_and_loses_nothing(void **state)
{
	struct rig *rig = *state;
	struct shm_worker *worker = seg_workers(&rig->seg, NULL);
	struct shm_submit_head *head = seg_heads(&rig->seg, NULL);
	struct shm_submit in = chunk(1), rec;
	for (uint64_t id = 1; id <= SHM_RING_RECORDS; id++) {
		in = chunk(id);
		assert_true(submit_push(worker, head, &in));
	}
	assert_false(submit_push(worker, head, &in));
	for (uint64_t id = 1; id <= SHM_RING_RECORDS; id++) {
		assert_true(submit_pop_from(worker, head, &rec));
		assert_int_equal(rec.id, id);
	}
	assert_false(submit_pop_from(worker, head, &rec));
	assert_true(submit_push(worker, head, &in));
}

static void test_a_tail_that_makes_no_sense_is_skipped(void **state)
{
	struct rig *rig = *state;
	struct shm_worker *worker = seg_workers(&rig->seg, NULL);
	struct shm_submit_head *head = seg_heads(&rig->seg, NULL);
	const uint64_t tails[] = {SHM_RING_RECORDS + 1, UINT64_MAX, 1000};
	struct shm_submit rec;
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		atomic_store(&worker->tail, tails[i]);
		assert_false(submit_pop_from(worker, head, &rec));
		assert_true(atomic_load(&head->head) == tails[i]);
	}
}

static void test_slots_are_drained_in_turn(void **state)
{
	struct rig *rig = *state;
	struct shm_worker *workers = seg_workers(&rig->seg, NULL);
	struct shm_submit_head *heads = seg_heads(&rig->seg, NULL);
	for (uint64_t slot = 0; slot < 3; slot++)
		for (uint64_t i = 0; i < 2; i++) {
			struct shm_submit in = chunk(10 * slot + i + 1);
			assert_true(submit_push(&workers[slot], &heads[slot], &in));
		}
	assert_true(submit_waiting(&rig->seg));
	const uint64_t order[] = {1, 11, 21, 2, 12, 22};
	uint32_t at = 0;
	struct shm_submit rec;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		assert_true(submit_pop(&rig->seg, &at, &rec));
		assert_int_equal(rec.id, order[i]);
	}
	assert_false(submit_pop(&rig->seg, &at, &rec));
	assert_false(submit_waiting(&rig->seg));
}

static void test_a_worker_announces_through_its_slot(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct err err;
	struct shm_submit in = chunk(5), rec;
	uint32_t at = 0;
	rig_worker(rig, &worker);
	assert_false(submit_send(&worker, NULL, &in)); /* without a slot */
	assert_ok(worker_slot_take(&worker, POOL_SQL, &err), &err);
	assert_true(submit_send(&worker, NULL, &in));
	assert_true(submit_pop(&rig->seg, &at, &rec));
	assert_memory_equal(&in, &rec, sizeof(in));
	worker_count_request(&worker);
	worker_slot_release(&worker);
	assert_false(submit_send(&worker, NULL, &in));
	segment_close(&worker);
}

static void test_a_slot_says_who_holds_it(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct worker_facts facts;
	struct err err;
	rig_worker(rig, &worker);
	assert_false(worker_slot_held(&worker));
	assert_false(worker_at(&rig->seg, 0, &facts));
	assert_ok(worker_slot_take(&worker, POOL_LOGIN, &err), &err);
	worker_count_request(&worker);
	assert_true(worker_slot_held(&worker));
	assert_true(worker_at(&rig->seg, 0, &facts));
	assert_int_equal(facts.pid, getpid());
	assert_int_equal(facts.pool, POOL_LOGIN);
	assert_int_equal(facts.requests, 1);
	assert_false(facts.leaving);
	worker_slot_leaving(&worker);
	assert_true(worker_at(&rig->seg, 0, &facts) && facts.leaving);
	worker_slot_release(&worker);
	assert_false(worker_at(&rig->seg, 0, &facts));
	assert_false(worker_at(&rig->seg, 4, &facts)); /* there are four */
	segment_close(&worker);
}

static void test_without_state_nothing_is_announced(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct err err;
	struct shm_submit in = chunk(5);
	assert_ok(segment_init(&worker, rig->conf.common_node, &err), &err);
	assert_ok(segment_open_in(&worker, &rig->conf, &err), &err);
	assert_ok(worker_slot_take(&worker, POOL_SQL, &err), &err);
	assert_false(submit_send(&worker, NULL, &in));
	segment_close(&worker);
}

/* A child takes a slot, says so, and is killed while it holds it. */
static pid_t spawn_slot_holder(const struct rig *rig)
{
	int said[2];
	char byte;
	assert_int_equal(pipe(said), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct segment worker;
		struct shm_submit in = chunk(77);
		bool fine = segment_init(&worker, rig->conf.common_node, NULL) &&
			    segment_open_in(&worker, &rig->conf, NULL) &&
			    segment_attach_state(&worker, NULL) &&
			    worker_slot_take(&worker, POOL_SQL, NULL) &&
			    submit_send(&worker, NULL, &in);
		(void)!write(said[1], fine ? "y" : "n", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(said[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	(void)close(said[0]);
	(void)close(said[1]);
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_slots_of_the_living_are_kept_and_those_of_the_dead_taken(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct err err;
	struct shm_submit rec;
	uint32_t at = 0;
	pid_t holders[4];
	for (int i = 0; i < 4; i++)
		holders[i] = spawn_slot_holder(rig);
	rig_worker(rig, &worker);
	assert_false(worker_slot_take(&worker, POOL_SQL, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	kill_and_reap(holders[2]);
	assert_ok(worker_slot_take(&worker, POOL_SQL, &err), &err);
	assert_int_equal(worker.worker, 3);
	for (int i = 0; i < 4; i++) { /* what the dead one had announced is there, too */
		assert_true(submit_pop(&rig->seg, &at, &rec));
		assert_int_equal(rec.id, 77);
		if (i != 2)
			kill_and_reap(holders[i]);
	}
	segment_close(&worker);
}

static void test_a_later_process_with_the_same_pid_is_another(void **state)
{
	(void)state;
	uint64_t self = worker_self();
	assert_int_equal(worker_pid(self), getpid());
	assert_true(worker_alive(self));
	assert_false(worker_alive(self + (UINT64_C(1) << 32)));
}

static void test_only_sensible_records_are_valid(void **state)
{
	(void)state;
	struct shm_submit good = chunk(1), rec;
	assert_true(submit_valid(&good));
	rec = (struct shm_submit){.kind = SUBMIT_CONTROL, .id = 3};
	assert_true(submit_valid(&rec));
	rec.id = 0;
	assert_false(submit_valid(&rec));

	rec = (struct shm_submit){.kind = SUBMIT_KEY_USED, .id = 3, .committed_us = 7};
	assert_true(submit_valid(&rec));
	rec.committed_us = UINT64_MAX;
	assert_false(submit_valid(&rec));
	rec.id = 0, rec.committed_us = 7;
	assert_false(submit_valid(&rec));

	rec = good, rec.kind = SUBMIT_NONE;
	assert_false(submit_valid(&rec));
	rec = good, rec.kind = 999;
	assert_false(submit_valid(&rec));
	rec = good, rec.id = 0;
	assert_false(submit_valid(&rec));
	rec = good, rec.client_id = 0;
	assert_false(submit_valid(&rec));
	rec = good, rec.entries = 0;
	assert_false(submit_valid(&rec));
	rec = good, rec.entries = SUBMIT_ENTRIES_MAX + 1;
	assert_false(submit_valid(&rec));
	rec = good, memset(rec.number, '1', sizeof(rec.number));
	assert_false(submit_valid(&rec));
	rec = good, memcpy(rec.number, "12\r\nX: y", 9);
	assert_false(submit_valid(&rec));
	rec = good, rec.number[0] = '\0';
	assert_false(submit_valid(&rec));
	rec = good, memset(rec.e164, '1', sizeof(rec.e164));
	assert_false(submit_valid(&rec));
	rec = good, memset(rec.phone_number, 'x', sizeof(rec.phone_number));
	assert_false(submit_valid(&rec));
}

/* ---- threads: for TSan ---- */

enum { RECORDS = 20000 };

static void *push_all(void *arg)
{
	struct rig *rig = arg;
	struct shm_worker *worker = seg_workers(&rig->seg, NULL);
	struct shm_submit_head *head = seg_heads(&rig->seg, NULL);
	for (uint64_t id = 1; id <= RECORDS; id++) {
		struct shm_submit in = chunk(id);
		while (!submit_push(worker, head, &in))
			(void)sched_yield();
	}
	return NULL;
}

static void test_threads_pass_every_record_once_and_whole(void **state)
{
	struct rig *rig = *state;
	pthread_t pusher;
	uint32_t at = 0;
	struct shm_submit rec;
	uint64_t wrong = 0;
	assert_int_equal(pthread_create(&pusher, NULL, push_all, rig), 0);
	for (uint64_t id = 1; id <= RECORDS; id++) {
		while (!submit_pop(&rig->seg, &at, &rec))
			(void)sched_yield();
		wrong += rec.id != id || rec.client_id != (id ^ 0xabc);
	}
	(void)pthread_join(pusher, NULL);
	assert_int_equal(wrong, 0);
	assert_false(submit_pop(&rig->seg, &at, &rec));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_records_come_out_in_order_over_many_wraps),
		RIG_TEST(test_a_full_ring_takes_no_more_and_loses_nothing),
		RIG_TEST(test_a_tail_that_makes_no_sense_is_skipped),
		RIG_TEST(test_slots_are_drained_in_turn),
		RIG_TEST(test_a_worker_announces_through_its_slot),
		RIG_TEST(test_a_slot_says_who_holds_it),
		RIG_TEST(test_without_state_nothing_is_announced),
		RIG_TEST(test_slots_of_the_living_are_kept_and_those_of_the_dead_taken),
		cmocka_unit_test(test_a_later_process_with_the_same_pid_is_another),
		cmocka_unit_test(test_only_sensible_records_are_valid),
		RIG_TEST(test_threads_pass_every_record_once_and_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
