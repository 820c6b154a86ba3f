/* Rows: one writer, readers that see whole copies or say that they could not. */
#include <pthread.h>

#include "shm/row.h"
#include "tests/unit/shm/rig.h"

enum { WORDS = 16, WRITES = 20000, READERS = 2 };

struct thing {
	struct shm_row row;
	uint64_t words[WORDS];
};

static void fill(uint64_t words[WORDS], uint64_t value)
{
	for (int i = 0; i < WORDS; i++)
		words[i] = value;
}

static bool all_equal(const uint64_t words[WORDS])
{
	for (int i = 1; i < WORDS; i++)
		if (words[i] != words[0])
			return false;
	return true;
}

static void test_reads_what_was_written(void **state)
{
	(void)state;
	struct thing thing = {0};
	uint64_t in[WORDS], out[WORDS];
	fill(in, 7);
	row_write(&thing.row, thing.words, in, sizeof(in));
	row_use(&thing.row, ROW_USED);
	assert_true(row_read(&thing.row, out, thing.words, sizeof(out)));
	assert_memory_equal(in, out, sizeof(in));
}

static void test_a_row_not_in_use_is_not_read(void **state)
{
	(void)state;
	struct thing thing = {0};
	uint64_t out[WORDS];
	assert_false(row_read(&thing.row, out, thing.words, sizeof(out)));
	row_use(&thing.row, ROW_GONE);
	assert_false(row_read(&thing.row, out, thing.words, sizeof(out)));
}

static void test_a_row_left_odd_is_refused_until_its_next_write(void **state)
{
	(void)state;
	struct thing thing = {0};
	uint64_t in[WORDS], out[WORDS];
	row_use(&thing.row, ROW_USED);
	row_write_begin(&thing.row); /* and here the owner dies */
	assert_false(row_read(&thing.row, out, thing.words, sizeof(out)));
	fill(in, 9);
	row_write(&thing.row, thing.words, in, sizeof(in));
	assert_true(row_read(&thing.row, out, thing.words, sizeof(out)));
	assert_int_equal(out[WORDS - 1], 9);
}

static void test_repair_makes_an_odd_row_readable_and_leaves_others(void **state)
{
	(void)state;
	struct thing thing = {0};
	uint64_t out[WORDS];
	row_use(&thing.row, ROW_USED);
	assert_false(row_repair(&thing.row));
	row_write_begin(&thing.row);
	assert_true(row_repair(&thing.row));
	assert_false(row_repair(&thing.row));
	assert_true(row_read(&thing.row, out, thing.words, sizeof(out)));
}

static void test_a_write_between_two_looks_is_noticed(void **state)
{
	(void)state;
	struct thing thing = {0};
	uint64_t in[WORDS] = {0};
	uint32_t seq;
	assert_true(row_read_begin(&thing.row, &seq));
	assert_true(row_read_end(&thing.row, seq));
	row_write(&thing.row, thing.words, in, sizeof(in));
	assert_false(row_read_end(&thing.row, seq));
	row_write_begin(&thing.row);
	assert_false(row_read_begin(&thing.row, &seq));
}

static struct thing shared;
static _Atomic bool finished;

static void *write_it(void *arg)
{
	(void)arg;
	uint64_t words[WORDS];
	for (uint64_t i = 1; i <= WRITES; i++) {
		fill(words, i);
		row_write(&shared.row, shared.words, words, sizeof(words));
	}
	atomic_store(&finished, true);
	return NULL;
}

struct reading {
	uint64_t copies, torn, backwards;
};

static void *read_it(void *arg)
{
	struct reading *reading = arg;
	uint64_t words[WORDS], last = 0;
	for (bool last_look = false; !last_look;) {
		last_look = atomic_load(&finished);
		if (!row_read(&shared.row, words, shared.words, sizeof(words)))
			continue;
		reading->copies++;
		reading->torn += !all_equal(words);
		reading->backwards += words[0] < last;
		last = words[0];
	}
	return NULL;
}

static void test_threads_never_see_a_torn_row(void **state)
{
	(void)state;
	pthread_t writer, readers[READERS];
	struct reading readings[READERS] = {0};
	shared = (struct thing){0};
	row_use(&shared.row, ROW_USED);
	finished = false;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_it, &readings[i]), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_it, NULL), 0);
	(void)pthread_join(writer, NULL);
	for (int i = 0; i < READERS; i++) {
		(void)pthread_join(readers[i], NULL);
		assert_true(readings[i].copies > 0);
		assert_int_equal(readings[i].torn, 0);
		assert_int_equal(readings[i].backwards, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_what_was_written),
		cmocka_unit_test(test_a_row_not_in_use_is_not_read),
		cmocka_unit_test(test_a_row_left_odd_is_refused_until_its_next_write),
		cmocka_unit_test(test_repair_makes_an_odd_row_readable_and_leaves_others),
		cmocka_unit_test(test_a_write_between_two_looks_is_noticed),
		cmocka_unit_test(test_threads_never_see_a_torn_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
