/* Objects come, are adopted, replaced and lost; readers follow. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shm/calls.h"
#include "shm/directory.h"
#include "shm/object.h"
#include "shm/row.h"
#include "shm/tenant.h"
#include "tests/unit/shm/rig.h"

static struct segment again; /* a second handle on the node */

static bool reopen(struct rig *rig, bool *adopted, struct err *err)
{
	assert_ok(segment_init(&again, rig->conf.common_node, err), err);
	return segment_create_or_adopt(&again, &rig->conf, adopted, err);
}

/* The dispatcher is gone, as the kernel sees it: its lock with it. */
static void die_as_dispatcher(struct rig *rig)
{
	segment_close(&rig->seg);
}

static struct shm_header *state_header(struct segment *seg)
{
	return object_header(&seg->map[SHM_STATE]);
}

static uint32_t take_call(struct segment *seg, uint64_t entry_id)
{
	struct call_table calls;
	struct shm_call details = {.number = "123"};
	call_table_open(&calls, seg);
	uint32_t slot = call_take(&calls, &(struct call_identity){entry_id, 7, 8, 1}, &details);
	call_table_close(&calls);
	return slot;
}

static void test_names_are_checked(void **state)
{
	(void)state;
	struct segment seg;
	struct err err;
	const char *const bad[] = {"", "a/b", "../x", ".hidden", "-x", "a b",
		"a-name-of-more-than-thirty-two-characters"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(segment_init(&seg, bad[i], &err));
	assert_true(segment_init(&seg, "fra-2.ccs_1", &err));
}

static void test_a_new_segment_is_ready_and_empty(void **state)
{
	struct rig *rig = *state;
	uint32_t n;
	assert_false(rig->adopted);
	assert_int_equal(atomic_load(&state_header(&rig->seg)->state), SHM_READY);
	assert_non_null(seg_call_heads(&rig->seg, &n));
	assert_int_equal(n, 16);
	assert_non_null(seg_clients(&rig->seg, &n));
	assert_int_equal(n, 16);
	assert_non_null(seg_allocations(&rig->seg, &n));
	assert_int_equal(n, 32);
	assert_int_equal(call_count(&rig->seg, 0, 0), 0);
	assert_true(segment_still_named(&rig->seg));
	assert_int_equal(segment_begin_epoch(&rig->seg), 1);
}

static void test_modes_say_who_may_write(void **state)
{
	struct rig *rig = *state;
	const mode_t modes[SHM_OBJECT__N] = {0660, 0640, 0640};
	for (int i = 0; i < SHM_OBJECT__N; i++) {
		char name[SEGMENT_NAME_BYTES];
		struct stat st;
		segment_name(rig->conf.common_node, (enum shm_object)i, name);
		int fd = shm_open(name, O_RDONLY, 0);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_mode & 0777, modes[i]);
		assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size); /* no holes */
		(void)close(fd);
	}
}

static void test_two_dispatchers_exclude_each_other(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	assert_false(reopen(rig, &adopted, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "another dispatcher"));
	assert_true(segment_still_named(&rig->seg));
}

static void test_a_successor_adopts_calls_and_epoch(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	uint64_t epoch = segment_begin_epoch(&rig->seg);
	uint32_t slot = take_call(&rig->seg, 4711);
	call_state_set(&rig->seg, slot, CALL_SENT);
	die_as_dispatcher(rig);
	assert_ok(reopen(rig, &adopted, &err), &err);
	assert_true(adopted);
	assert_int_equal(call_state(&again, slot), CALL_SENT);
	assert_int_equal(segment_begin_epoch(&again), epoch + 1);
	assert_int_equal(seg_call_heads(&again, NULL)[slot].entry_id, 4711);
	segment_close(&again);
}

static void test_a_half_written_call_is_whole_for_the_successor(void **state)
{
	struct rig *rig = *state;
	struct shm_call_view view;
	uint32_t slot = take_call(&rig->seg, 4711);
	call_state_set(&rig->seg, slot, CALL_DIALING);
	row_write_begin(&seg_calls(&rig->seg, NULL)[slot].row); /* killed here */
	assert_false(call_read(&rig->seg, slot, &view));
	(void)segment_begin_epoch(&rig->seg);
	assert_true(call_read(&rig->seg, slot, &view));
	assert_int_equal(view.state, CALL_DIALING);
	assert_string_equal(view.call.number, "123");
}

static void test_not_ready_until_said_and_stale_without_a_heartbeat(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	int64_t now = clock_mono_us();
	rig_reader(rig, &reader);
	segment_beat(&rig->seg, now);
	assert_false(segment_fresh(&reader, now));
	segment_set_ready(&rig->seg, true);
	assert_true(segment_fresh(&reader, now + US_PER_S));
	assert_false(segment_fresh(&reader, now + SEGMENT_STALE_MS * US_PER_MS));
	(void)segment_begin_epoch(&rig->seg);
	assert_false(segment_fresh(&reader, now));
	assert_int_equal(segment_epoch(&reader), 1);
	segment_close(&reader);
}

/* ---- what does not fit ---- */

static void test_readers_refuse_another_layout_and_name_both(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	char ours[24], theirs[24];
	uint64_t *hash = &state_header(&rig->seg)->layout_hash;
	*hash ^= 1;
	(void)snprintf(ours, sizeof(ours), "%016llx", (unsigned long long)shm_layout_hash());
	(void)snprintf(theirs, sizeof(theirs), "%016llx", (unsigned long long)*hash);
	assert_true(segment_init(&reader, rig->conf.common_node, &err));
	assert_false(segment_attach_state(&reader, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.text, ours));
	assert_non_null(strstr(err.text, theirs));
	assert_null(seg_status(&reader, NULL));
	segment_close(&reader);
}

static void test_a_dispatcher_replaces_another_layout(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	bool adopted = true;
	rig_reader(rig, &reader);
	uint64_t before = reader.map[SHM_STATE].created_us;
	state_header(&rig->seg)->layout_hash ^= 1;
	die_as_dispatcher(rig);
	assert_ok(reopen(rig, &adopted, &err), &err);
	assert_false(adopted);
	assert_int_equal(atomic_load(&object_header(&reader.map[SHM_STATE])->state), SHM_RETIRED);
	assert_true(segment_check(&reader)); /* moves at once, without waiting a second */
	assert_true(reader.map[SHM_STATE].created_us != before);
	segment_close(&reader);
	segment_close(&again);
}

static void test_an_earlier_boot_is_never_adopted(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	bool adopted = true;
	(void)take_call(&rig->seg, 1);
	state_header(&rig->seg)->boot_id[3] ^= 1;
	assert_true(segment_init(&reader, rig->conf.common_node, &err));
	assert_false(segment_attach_state(&reader, &err));
	assert_non_null(strstr(err.text, "earlier boot"));
	die_as_dispatcher(rig);
	assert_ok(reopen(rig, &adopted, &err), &err);
	assert_false(adopted);
	segment_close(&again);
}

static void test_other_sizes_are_taken_unless_calls_are_live(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	uint32_t n, slot = take_call(&rig->seg, 1);
	rig->conf.segment_live_calls = 32;
	die_as_dispatcher(rig);
	assert_ok(reopen(rig, &adopted, &err), &err);
	assert_true(adopted);
	(void)seg_call_heads(&again, &n);
	assert_int_equal(n, 16);
	call_state_set(&again, slot, CALL_FREE);
	assert_ok(segment_create_or_adopt(&again, &rig->conf, &adopted, &err), &err);
	assert_false(adopted);
	(void)seg_call_heads(&again, &n);
	assert_int_equal(n, 32);
	segment_close(&again);
}

static void test_an_event_ring_of_odd_size_is_refused(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	rig->conf.segment_event_bytes = 10000;
	assert_false(reopen(rig, &adopted, &err));
	assert_int_equal(err.kind, ERR_INPUT);
}

static void test_an_object_cut_short_is_refused(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	char name[SEGMENT_NAME_BYTES];
	segment_name(rig->conf.common_node, SHM_STATE, name);
	int fd = shm_open(name, O_RDWR, 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_true(segment_init(&reader, rig->conf.common_node, &err));
	assert_false(segment_attach_state(&reader, &err));
	assert_non_null(strstr(err.text, "damaged"));
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_false(segment_attach_state(&reader, &err));
	(void)close(fd);
}

/* ---- order of start ---- */

static void test_without_a_dispatcher_state_is_busy_and_in_is_made(void **state)
{
	(void)state;
	struct conf conf;
	struct segment worker;
	struct err err;
	rig_conf(&conf);
	assert_ok(segment_init(&worker, conf.common_node, &err), &err);
	assert_false(segment_attach_state(&worker, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	assert_ok(segment_open_in(&worker, &conf, &err), &err);
	assert_non_null(tenant_find(&worker, 5, true));
	assert_false(segment_fresh(&worker, 0));
	assert_false(segment_check(&worker)); /* state is wanted, and away */
	segment_remove(&worker);
}

/* The dispatcher could not remove it, because it was a worker's: its owner does. */
static void test_an_in_that_serves_nobody_is_replaced_by_a_worker(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct err err;
	struct shm_header *header = object_header(&rig->seg.map[SHM_IN]);
	rig_worker(rig, &worker);
	atomic_store(&header->state, SHM_RETIRED);
	assert_true(segment_check(&worker));
	assert_true(worker.map[SHM_IN].ino != rig->seg.map[SHM_IN].ino);

	uint64_t before = worker.map[SHM_IN].ino;
	object_header(&worker.map[SHM_IN])->boot_id[0] ^= 1;
	assert_ok(segment_open_in(&worker, &rig->conf, &err), &err);
	assert_true(worker.map[SHM_IN].ino != before);

	object_header(&worker.map[SHM_IN])->layout_hash ^= 1; /* not ours to replace */
	assert_false(segment_open_in(&worker, &rig->conf, &err));
	assert_non_null(strstr(err.text, "layout"));
	segment_close(&worker);
}

/* Many come at once; all must end in the same object. */
static void test_everybody_may_come_first(void **state)
{
	(void)state;
	enum { RACERS = 8, ROUNDS = 20 };
	struct conf conf;
	struct segment own;
	struct err err;
	rig_conf(&conf);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t racers[RACERS];
		for (int i = 0; i < RACERS; i++) {
			racers[i] = fork();
			if (racers[i] != 0)
				continue;
			struct segment seg;
			bool fine = segment_init(&seg, conf.common_node, NULL) &&
				    segment_open_in(&seg, &conf, NULL) && tenant_changed(&seg, 42);
			_exit(fine ? 0 : 1);
		}
		for (int i = 0; i < RACERS; i++) {
			int status;
			assert_int_equal(waitpid(racers[i], &status, 0), racers[i]);
			assert_int_equal(status, 0);
		}
		assert_ok(segment_init(&own, conf.common_node, &err), &err);
		assert_ok(segment_open_in(&own, &conf, &err), &err);
		assert_int_equal(atomic_load(&tenant_find(&own, 42, false)->generation), RACERS);
		segment_remove(&own);
	}
}

/* ---- readers follow ---- */

static void test_a_reader_notices_a_new_object_under_the_name(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	bool adopted;
	rig_reader(rig, &reader);
	assert_true(segment_check(&reader));
	char name[SEGMENT_NAME_BYTES];
	segment_name(rig->conf.common_node, SHM_STATE, name);
	assert_int_equal(shm_unlink(name), 0);
	assert_false(segment_still_named(&rig->seg));
	die_as_dispatcher(rig);
	assert_ok(reopen(rig, &adopted, &err), &err);
	assert_false(adopted);
	uint64_t attached = reader.map[SHM_STATE].attached;
	assert_true(segment_check(&reader));
	assert_int_equal(reader.map[SHM_STATE].attached, attached); /* not looked yet */
	reader.checked_mono_us -= 2 * US_PER_S;
	assert_true(segment_check(&reader));
	assert_int_equal(reader.map[SHM_STATE].attached, attached + 1);
	assert_int_equal(reader.map[SHM_STATE].ino, again.map[SHM_STATE].ino);
	segment_close(&reader);
	segment_close(&again);
}

static void test_a_removed_segment_is_let_go(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	rig_worker(rig, &worker);
	uint64_t before = worker.map[SHM_IN].created_us;
	segment_remove(&rig->seg);
	assert_false(segment_check(&worker));
	assert_null(seg_status(&worker, NULL));
	assert_non_null(seg_shared(&worker, NULL)); /* .in is made anew by whoever needs it */
	assert_true(worker.map[SHM_IN].created_us != before);
	segment_remove(&worker);
}

/* A child that holds the mapping keeps the lock for its holder: OFD locks belong to the open file.
 * */
static void test_the_lock_lives_as_long_as_any_of_the_family(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	pid_t child = fork();
	if (child == 0) {
		for (;;)
			(void)pause();
	}
	die_as_dispatcher(rig);
	assert_false(reopen(rig, &adopted, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_ok(reopen(rig, &adopted, &err), &err);
	assert_true(adopted);
	segment_close(&again);
}

static void test_heads_that_make_no_sense_are_moved_to_their_tails(void **state)
{
	struct rig *rig = *state;
	atomic_store(&seg_heads(&rig->seg, NULL)[1].head, 1000);
	atomic_store(&seg_workers(&rig->seg, NULL)[2].tail, 3);
	(void)segment_begin_epoch(&rig->seg);
	assert_int_equal(atomic_load(&seg_heads(&rig->seg, NULL)[1].head), 0);
	assert_int_equal(
		atomic_load(&seg_heads(&rig->seg, NULL)[2].head), 0); /* waits to be read */
}

static void test_announcements_to_a_lost_state_are_skipped(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	char name[SEGMENT_NAME_BYTES];
	atomic_store(&seg_workers(&rig->seg, NULL)[2].tail, 3);
	segment_name(rig->conf.common_node, SHM_STATE, name);
	assert_int_equal(shm_unlink(name), 0);
	assert_ok(segment_create_or_adopt(&rig->seg, &rig->conf, &adopted, &err), &err);
	assert_false(adopted);
	assert_int_equal(atomic_load(&seg_workers(&rig->seg, NULL)[2].tail), 3);
	assert_int_equal(atomic_load(&seg_heads(&rig->seg, NULL)[2].head), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_checked),
		RIG_TEST(test_a_new_segment_is_ready_and_empty),
		RIG_TEST(test_modes_say_who_may_write),
		RIG_TEST(test_two_dispatchers_exclude_each_other),
		RIG_TEST(test_a_successor_adopts_calls_and_epoch),
		RIG_TEST(test_a_half_written_call_is_whole_for_the_successor),
		RIG_TEST(test_not_ready_until_said_and_stale_without_a_heartbeat),
		RIG_TEST(test_readers_refuse_another_layout_and_name_both),
		RIG_TEST(test_a_dispatcher_replaces_another_layout),
		RIG_TEST(test_an_earlier_boot_is_never_adopted),
		RIG_TEST(test_other_sizes_are_taken_unless_calls_are_live),
		RIG_TEST(test_an_event_ring_of_odd_size_is_refused),
		RIG_TEST(test_an_object_cut_short_is_refused),
		cmocka_unit_test(test_without_a_dispatcher_state_is_busy_and_in_is_made),
		RIG_TEST(test_an_in_that_serves_nobody_is_replaced_by_a_worker),
		cmocka_unit_test(test_everybody_may_come_first),
		RIG_TEST(test_a_reader_notices_a_new_object_under_the_name),
		RIG_TEST(test_a_removed_segment_is_let_go),
		RIG_TEST(test_the_lock_lives_as_long_as_any_of_the_family),
		RIG_TEST(test_heads_that_make_no_sense_are_moved_to_their_tails),
		RIG_TEST(test_announcements_to_a_lost_state_are_skipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
