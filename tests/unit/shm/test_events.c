/* The event ring: whole events in order, and the exact number of those that were missed. */
#include <pthread.h>

#include "shm/events.h"
#include "tests/unit/shm/rig.h"

enum { CLIENTS = 5 };

/* What the dispatcher keeps beside its clients. */
struct publisher {
	struct segment *seg;
	uint64_t last[CLIENTS + 1], seq[CLIENTS + 1];
	uint64_t published;
};

/* Length and content follow from the index, so that a reader can tell a torn event. */
static uint32_t payload_of(uint64_t index, char payload[EVENT_PAYLOAD_MAX + 1])
{
	uint32_t n = (uint32_t)(index * 37 % 700);
	memset(payload, 'a' + (int)(index % 26), n);
	payload[n] = '\0';
	return n;
}

static void publish(struct publisher *p)
{
	char payload[EVENT_PAYLOAD_MAX + 1];
	uint64_t client_id = p->published % CLIENTS + 1;
	struct event event = {.type = EVENT_call_ended,
		.client_id = client_id,
		.seq = ++p->seq[client_id],
		.payload = payload,
		.payload_bytes = payload_of(p->published, payload)};
	if (!event_publish(p->seg, &event, &p->last[client_id]))
		abort();
	p->published++;
}

static bool is_event(const struct event_copy *copy, uint64_t index)
{
	char payload[EVENT_PAYLOAD_MAX + 1];
	uint32_t n = payload_of(index, payload);
	return copy->head.index == index && copy->head.client_id == index % CLIENTS + 1 &&
	       copy->head.seq == index / CLIENTS + 1 && copy->head.payload == n &&
	       memcmp(copy->payload, payload, n + 1) == 0;
}

static struct publisher publisher_of(struct rig *rig)
{
	return (struct publisher){.seg = &rig->seg};
}

static void test_an_empty_ring_has_nothing(void **state)
{
	struct rig *rig = *state;
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed;
	event_cursor_newest(&rig->seg, &cursor);
	assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_NONE);
	event_cursor_oldest(&rig->seg, &cursor);
	assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_NONE);
	assert_false(event_at(&rig->seg, 0, 1, &copy));
	assert_false(event_at(&rig->seg, rig->conf.segment_event_bytes, 1, &copy));
}

/* A reader that keeps up sees every event once, over many wraps and every way to meet the ring's
 * end. */
static void test_a_reader_that_keeps_up_misses_nothing(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct segment reader;
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed, index = 0;
	rig_reader(rig, &reader);
	event_cursor_oldest(&reader, &cursor);
	while (p.published < 20000) {
		for (uint64_t i = 0; i < p.published % 7; i++)
			publish(&p);
		publish(&p);
		while (event_next(&reader, &cursor, &copy, &missed) == EVENT_OK)
			assert_true(is_event(&copy, index++));
		assert_int_equal(index, p.published);
	}
	segment_close(&reader);
}

static void test_a_lapped_reader_learns_exactly_how_many_it_missed(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed, seen = 0, overruns = 0, total_missed = 0;
	event_cursor_oldest(&rig->seg, &cursor);
	for (int round = 0; round < 500; round++) {
		for (int i = 0; i < round % 120 + 1; i++)
			publish(&p);
		for (;;) {
			enum event_result result = event_next(&rig->seg, &cursor, &copy, &missed);
			if (result == EVENT_NONE)
				break;
			assert_true(result == EVENT_OK || result == EVENT_OVERRUN);
			if (result == EVENT_OVERRUN) {
				assert_true(missed > 0);
				overruns++;
				total_missed += missed;
				continue;
			}
			assert_true(is_event(&copy, seen + total_missed));
			seen++;
		}
		assert_int_equal(seen + total_missed, p.published);
	}
	assert_true(overruns > 10 && seen > 1000);
}

static void test_a_lapped_reader_finds_most_of_the_ring_again(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed, bytes = 0;
	event_cursor_oldest(&rig->seg, &cursor);
	for (int i = 0; i < 1000; i++)
		publish(&p);
	assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_OVERRUN);
	while (event_next(&rig->seg, &cursor, &copy, &missed) == EVENT_OK)
		bytes += copy.head.bytes;
	assert_in_range(bytes, rig->conf.segment_event_bytes / 2, rig->conf.segment_event_bytes);
}

static void test_a_new_reader_starts_at_either_end(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct event_cursor newest, oldest;
	struct event_copy copy;
	uint64_t missed;
	for (int i = 0; i < 3; i++)
		publish(&p);
	event_cursor_newest(&rig->seg, &newest);
	event_cursor_oldest(&rig->seg, &oldest);
	assert_int_equal(event_next(&rig->seg, &newest, &copy, &missed), EVENT_NONE);
	assert_int_equal(event_next(&rig->seg, &oldest, &copy, &missed), EVENT_OK);
	assert_true(is_event(&copy, 0)); /* the ring has not wrapped: all is there */
	while (p.published < 2000)
		publish(&p);
	event_cursor_newest(&rig->seg, &newest);
	publish(&p);
	assert_int_equal(event_next(&rig->seg, &newest, &copy, &missed), EVENT_OK);
	assert_true(is_event(&copy, 2000));
	event_cursor_oldest(&rig->seg, &oldest);
	assert_int_equal(event_next(&rig->seg, &oldest, &copy, &missed), EVENT_OK);
	assert_true(is_event(&copy, copy.head.index));
}

static void test_a_clients_chain_leads_back_through_its_own_events(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct event_copy copy;
	uint64_t walked = 0, seq;
	while (p.published < 3000)
		publish(&p);
	uint64_t position = p.last[2];
	for (seq = p.seq[2]; event_at(&rig->seg, position, 2, &copy); seq--, walked++) {
		assert_int_equal(copy.head.seq, seq);
		position = copy.head.previous;
	}
	assert_true(walked >= 5);
	assert_true(seq > 0);					/* the rest has been overwritten */
	assert_false(event_at(&rig->seg, p.last[2], 1, &copy)); /* another client's */
	assert_false(event_at(&rig->seg, p.last[2] + 8, 2, &copy));
	assert_false(event_at(&rig->seg, p.last[2] + 4, 2, &copy));
	assert_false(event_at(&rig->seg, UINT64_MAX - 7, 2, &copy));
	assert_false(event_at(&rig->seg, p.last[2], 0, &copy));
}

static void test_too_long_a_payload_is_refused(void **state)
{
	struct rig *rig = *state;
	static char payload[EVENT_PAYLOAD_MAX + 1];
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t last = 0, missed;
	memset(payload, 'x', sizeof(payload));
	struct event event = {
		.type = EVENT_call_failed, .client_id = 1, .seq = 1, .payload = payload};
	event.payload_bytes = EVENT_PAYLOAD_MAX + 1;
	assert_false(event_publish(&rig->seg, &event, &last));
	assert_int_equal(last, 0);
	event.payload_bytes = EVENT_PAYLOAD_MAX;
	assert_true(event_publish(&rig->seg, &event, &last));
	event_cursor_oldest(&rig->seg, &cursor);
	assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_OK);
	assert_int_equal(strlen(copy.payload), EVENT_PAYLOAD_MAX);
}

/* Killed between claiming and publishing: bytes ahead are spoilt, nothing of it is ever seen. */
static void test_a_publisher_killed_midway_leaves_the_ring_whole(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed, size = (uint64_t)rig->conf.segment_event_bytes;
	event_cursor_oldest(&rig->seg, &cursor);
	for (int round = 0; round < 300; round++) {
		publish(&p);
		struct shm_ring_head *head = seg_ring_head(&rig->seg, NULL);
		struct publisher doomed = p;
		uint64_t newest = atomic_load(&head->newest);
		publish(&doomed);
		publish(&doomed);
		atomic_store(&head->newest, newest); /* as if it had died before the commit */
		seg_ring(&rig->seg, NULL)[(atomic_load(&head->writing) - 8) % size / 8] ^=
			UINT64_MAX;
		assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_OK);
		assert_true(is_event(&copy, p.published - 1));
		assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_NONE);
	}
}

/* What a killed publisher overwrote ahead is gone for a reader as if it had been published. */
static void test_bytes_spoilt_by_a_killed_publisher_count_as_missed(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct shm_ring_head *head = seg_ring_head(&rig->seg, NULL);
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed, size = (uint64_t)rig->conf.segment_event_bytes;
	event_cursor_oldest(&rig->seg, &cursor);
	while (atomic_load(&head->writing) + 1500 < cursor.position + size)
		publish(&p);
	struct publisher doomed = p;
	uint64_t newest = atomic_load(&head->newest);
	while (atomic_load(&head->writing) <= cursor.position + size)
		publish(&doomed);
	atomic_store(&head->newest, newest);
	uint64_t last = 0;
	struct event small = {.type = EVENT_call_started, .client_id = 1, .seq = 1, .payload = ""};
	assert_true(event_publish(&rig->seg, &small, &last));
	assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_OVERRUN);
	assert_int_equal(missed, cursor.index);
	assert_int_equal(event_next(&rig->seg, &cursor, &copy, &missed), EVENT_OK);
	assert_true(is_event(&copy, cursor.index - 1));
}

static void test_a_new_ring_resets_the_reader(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct segment reader;
	struct event_cursor cursor;
	struct event_copy copy;
	struct err err;
	bool adopted;
	uint64_t missed;
	for (int i = 0; i < 10; i++)
		publish(&p);
	rig_reader(rig, &reader);
	event_cursor_newest(&reader, &cursor);
	segment_remove(&rig->seg);
	assert_ok(segment_create_or_adopt(&rig->seg, &rig->conf, &adopted, &err), &err);
	p = publisher_of(rig);
	publish(&p);
	assert_true(segment_check(&reader));
	assert_int_equal(event_next(&reader, &cursor, &copy, &missed), EVENT_RESET);
	assert_int_equal(event_next(&reader, &cursor, &copy, &missed), EVENT_OK);
	assert_true(is_event(&copy, 0));
	segment_close(&reader);
}

static void test_a_damaged_record_resets_the_reader_once(void **state)
{
	struct rig *rig = *state;
	struct publisher p = publisher_of(rig);
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed;
	for (int i = 0; i < 10; i++)
		publish(&p);
	event_cursor_oldest(&rig->seg, &cursor);
	((struct shm_event *)(void *)seg_ring(&rig->seg, NULL))->bytes = 12345;
	enum event_result result = event_next(&rig->seg, &cursor, &copy, &missed);
	assert_true(result == EVENT_RESET || result == EVENT_OVERRUN);
	publish(&p);
	do {
		result = event_next(&rig->seg, &cursor, &copy, &missed);
		assert_true(result == EVENT_OK);
	} while (copy.head.index < 10);
	assert_true(is_event(&copy, 10));
}

static void test_types_have_names(void **state)
{
	(void)state;
	assert_string_equal(event_type_name(EVENT_call_started), "call_started");
	assert_string_equal(event_type_name((enum event_type)99), "?");
}

/* ---- threads: for TSan ---- */

enum { EVENTS = 20000, READERS = 2 };

struct reading {
	struct rig *rig;
	struct event_cursor cursor;
	uint64_t seen, missed, wrong;
};

static _Atomic bool finished;

static void *read_all(void *arg)
{
	struct reading *r = arg;
	struct event_copy copy;
	for (bool last = false;;) {
		uint64_t missed;
		enum event_result result = event_next(&r->rig->seg, &r->cursor, &copy, &missed);
		if (result == EVENT_NONE && last)
			return NULL;
		if (result == EVENT_NONE)
			last = atomic_load(&finished);
		if (result == EVENT_OVERRUN)
			r->missed += missed;
		if (result == EVENT_RESET)
			r->wrong++;
		if (result == EVENT_OK)
			r->wrong += !is_event(&copy, r->seen++ + r->missed);
	}
}

static void *publish_all(void *arg)
{
	struct publisher p = publisher_of(arg);
	while (p.published < EVENTS)
		publish(&p);
	atomic_store(&finished, true);
	return NULL;
}

static void test_threads_see_every_event_or_count_it(void **state)
{
	struct rig *rig = *state;
	pthread_t publishing, threads[READERS];
	struct reading readings[READERS];
	finished = false;
	for (int i = 0; i < READERS; i++) {
		readings[i] = (struct reading){.rig = rig};
		event_cursor_oldest(&rig->seg, &readings[i].cursor);
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readings[i]), 0);
	}
	assert_int_equal(pthread_create(&publishing, NULL, publish_all, rig), 0);
	(void)pthread_join(publishing, NULL);
	for (int i = 0; i < READERS; i++) {
		(void)pthread_join(threads[i], NULL);
		assert_int_equal(readings[i].wrong, 0);
		assert_true(readings[i].seen > 0);
		assert_int_equal(readings[i].seen + readings[i].missed, EVENTS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_an_empty_ring_has_nothing),
		RIG_TEST(test_a_reader_that_keeps_up_misses_nothing),
		RIG_TEST(test_a_lapped_reader_learns_exactly_how_many_it_missed),
		RIG_TEST(test_a_lapped_reader_finds_most_of_the_ring_again),
		RIG_TEST(test_a_new_reader_starts_at_either_end),
		RIG_TEST(test_a_clients_chain_leads_back_through_its_own_events),
		RIG_TEST(test_too_long_a_payload_is_refused),
		RIG_TEST(test_a_publisher_killed_midway_leaves_the_ring_whole),
		RIG_TEST(test_bytes_spoilt_by_a_killed_publisher_count_as_missed),
		RIG_TEST(test_a_new_ring_resets_the_reader),
		RIG_TEST(test_a_damaged_record_resets_the_reader_once),
		cmocka_unit_test(test_types_have_names),
		RIG_TEST(test_threads_see_every_event_or_count_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
