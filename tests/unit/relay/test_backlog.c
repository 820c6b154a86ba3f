/* The ring of frames: readers of any speed, each strand by itself, exact counts of what is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/backlog.h"

#include <cmocka.h>

#include "common/base.h"

enum { RING = 1024, STRANDS = 5 };

static struct backlog backlog;

static int open_backlog(void **state)
{
	(void)state;
	backlog_open(&backlog, RING);
	return 0;
}

static int close_backlog(void **state)
{
	(void)state;
	backlog_close(&backlog);
	return 0;
}

static void add(struct strand *strand, const char *frame)
{
	backlog_add(&backlog, strand, str_of(frame), 0);
}

/* After frames were added: what the owner does for each reader, here for one. */
static void settle(struct strand *strand, struct reader *reader)
{
	reader_follow(reader, strand);
	strand_settle(strand);
}

static const char *take(
	const struct strand *strand, struct reader *reader, size_t max, uint64_t *missed)
{
	static struct strbuf out;
	strbuf_reset(&out);
	reader_take(&backlog, strand, reader, &out, max, missed);
	return strbuf_view(&out).p;
}

static void test_reads_what_was_added_since(void **state)
{
	(void)state;
	struct strand strand = {0};
	uint64_t missed;
	struct reader early = reader_of(&strand, 0);
	add(&strand, "one ");
	settle(&strand, &early);
	struct reader late = reader_of(&strand, 0);
	add(&strand, "two ");
	add(&strand, "three ");
	reader_follow(&early, &strand);
	settle(&strand, &late);
	assert_string_equal(take(&strand, &early, RING, &missed), "one two three ");
	assert_int_equal(missed, 0);
	assert_string_equal(take(&strand, &late, RING, &missed), "two three ");
	assert_string_equal(take(&strand, &early, RING, &missed), "");
	assert_int_equal(early.next, 0);
}

static void test_takes_whole_frames_up_to_a_limit(void **state)
{
	(void)state;
	struct strand strand = {0};
	struct reader reader = reader_of(&strand, 0);
	uint64_t missed;
	add(&strand, "12345");
	add(&strand, "678");
	add(&strand, "9");
	settle(&strand, &reader);
	assert_string_equal(take(&strand, &reader, 7, &missed), "12345");
	assert_int_not_equal(reader.next, 0);
	assert_string_equal(take(&strand, &reader, 4, &missed), "6789");
	assert_int_equal(reader.next, 0);
}

static void test_strands_do_not_mix(void **state)
{
	(void)state;
	struct strand a = {0}, b = {0};
	struct reader of_a = reader_of(&a, 0), of_b = reader_of(&b, 0);
	uint64_t missed;
	add(&a, "a1 ");
	add(&b, "b1 ");
	add(&b, "b2 ");
	add(&a, "a2 ");
	settle(&a, &of_a);
	settle(&b, &of_b);
	assert_string_equal(take(&a, &of_a, RING, &missed), "a1 a2 ");
	assert_string_equal(take(&b, &of_b, RING, &missed), "b1 b2 ");
}

static void test_a_lapped_reader_learns_how_many_and_goes_on_with_what_is_new(void **state)
{
	(void)state;
	struct strand strand = {0};
	struct reader slow = reader_of(&strand, 0);
	uint64_t missed;
	char frame[101] = "";
	memset(frame, 'x', 100);
	for (int i = 0; i < 20; i++) {
		add(&strand, frame);
		settle(&strand, &slow);
	}
	assert_string_equal(take(&strand, &slow, RING, &missed), "");
	assert_int_equal(missed, 20);
	add(&strand, "new");
	settle(&strand, &slow);
	assert_string_equal(take(&strand, &slow, RING, &missed), "new");
	assert_int_equal(missed, 0);
}

/* Its next record goes, but it has read all: nothing is missed when its strand goes on much later. */
static void test_quiet_strands_lose_nothing_to_busy_ones(void **state)
{
	(void)state;
	struct strand quiet = {0}, busy = {0};
	struct reader reader = reader_of(&quiet, 0);
	uint64_t missed;
	add(&quiet, "first");
	settle(&quiet, &reader);
	assert_string_equal(take(&quiet, &reader, RING, &missed), "first");
	for (int i = 0; i < 100; i++)
		add(&busy, "something else that fills the ring again and again");
	add(&quiet, "second");
	settle(&quiet, &reader);
	assert_string_equal(take(&quiet, &reader, RING, &missed), "second");
	assert_int_equal(missed, 0);
}

/* More at once than the ring holds: the first of them are gone before anybody was told. */
static void test_a_burst_longer_than_the_ring(void **state)
{
	(void)state;
	struct strand strand = {0};
	struct reader reader = reader_of(&strand, 0);
	uint64_t missed;
	char frame[101] = "";
	memset(frame, 'x', 100);
	for (int i = 0; i < 50; i++)
		add(&strand, frame);
	settle(&strand, &reader);
	assert_string_equal(take(&strand, &reader, RING, &missed), "");
	assert_int_equal(missed, 50);
}

static void test_the_longest_frame(void **state)
{
	(void)state;
	struct strand strand = {0};
	struct reader reader = reader_of(&strand, 0);
	uint64_t missed;
	char frame[RING / 4 + 1] = "";
	memset(frame, 'f', backlog_frame_max(&backlog));
	for (int i = 0; i < 9; i++) {
		add(&strand, frame);
		settle(&strand, &reader);
		assert_string_equal(take(&strand, &reader, RING, &missed), frame);
		assert_int_equal(missed, 0);
	}
}

/* Frames of random length in random strands, readers of random speed: each sees its numbers in order, and what it saw
 * and what it missed make up all there was. */
static void test_at_random(void **state)
{
	(void)state;
	struct strand strands[STRANDS] = {0};
	struct reader readers[STRANDS] = {0};
	uint64_t seen[STRANDS] = {0}, missed, gone = 0, got = 0;
	unsigned dice = 12345;
	for (int round = 0; round < 200000; round++) {
		dice = dice * 1103515245U + 12345U;
		unsigned i = dice >> 16 & 0x7fff;
		struct strand *strand = &strands[i % STRANDS];
		struct reader *reader = &readers[i % STRANDS];
		if (i % 3) {
			char frame[120];
			(void)snprintf(frame, sizeof(frame), "%llu%*s;",
				(unsigned long long)strand->count, (int)(i % 97), "");
			add(strand, frame);
			settle(strand, reader);
			continue;
		}
		const char *text = take(strand, reader, i % 300, &missed);
		for (char *end; *text; text = strchr(end, ';') + 1, got++)
			assert_int_equal(strtoull(text, &end, 10), seen[i % STRANDS]++);
		seen[i % STRANDS] += missed;
		gone += missed;
		assert_int_equal(seen[i % STRANDS], reader->index);
		if (missed)
			assert_int_equal(reader->index, strand->count);
	}
	assert_in_range(got, 10000, 200000);
	assert_in_range(gone, 1000, 200000);
}

#define BACKLOG_TEST(test) cmocka_unit_test_setup_teardown(test, open_backlog, close_backlog)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BACKLOG_TEST(test_reads_what_was_added_since),
		BACKLOG_TEST(test_takes_whole_frames_up_to_a_limit),
		BACKLOG_TEST(test_strands_do_not_mix),
		BACKLOG_TEST(test_a_lapped_reader_learns_how_many_and_goes_on_with_what_is_new),
		BACKLOG_TEST(test_quiet_strands_lose_nothing_to_busy_ones),
		BACKLOG_TEST(test_a_burst_longer_than_the_ring),
		BACKLOG_TEST(test_the_longest_frame),
		BACKLOG_TEST(test_at_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
