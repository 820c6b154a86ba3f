/* Turns inside a client: entries go in by chunks, as PostgreSQL hands them out, and are dialled one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dispatcher/queue.h"
#include "dispatcher/terms.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

struct world {
	struct dispatcher d;
	struct client client;
	uint64_t next_chunk;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	*state = w;
	return 0;
}

static void add_chunk(struct world *w, uint64_t batch, uint32_t entries)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	assert_non_null(chunk);
	chunk->id = ++w->next_chunk;
	chunk->client = &w->client;
	chunk->entries = entries;
	chunk->queue = queue_of(&w->d, &w->client, batch);
	terms_heard(&w->d, chunk->queue, 0);
	queue_hold(chunk->queue);
	queue_add_chunk(chunk);
}

/* All that may come into the window comes at once. */
static void load(struct world *w)
{
	struct chunk *chunk;
	while ((chunk = queue_take_chunk(&w->client)))
		for (uint32_t i = 0; i < chunk->entries; i++) {
			struct waiting *entry = calloc(1, sizeof(*entry));
			assert_non_null(entry);
			entry->chunk = chunk;
			chunk->waiting++;
			queue_add(entry);
		}
}

/* The batch whose entry was dialled; UINT64_MAX: none waits. */
static uint64_t dial(struct world *w)
{
	load(w);
	struct waiting *entry = queue_first(&w->client);
	if (!entry)
		return UINT64_MAX;
	struct chunk *chunk = entry->chunk;
	uint64_t batch = chunk->queue->id;
	struct queue *queue = queue_of_waiting(entry);
	queue_remove(entry);
	queue_served(&w->client, queue);
	free(entry);
	if (--chunk->waiting == 0) {
		queue_drop(&w->d, chunk->queue);
		free(chunk);
	}
	return batch;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	while (dial(w) != UINT64_MAX)
		;
	assert_null(w->d.queues);
	assert_int_equal(w->client.again_batches.n, 0);
	heap_free(&w->client.again_batches);
	free(w);
	return 0;
}

static void quick_calls_leave_one_turn_of_eight_to_batches(void **state)
{
	struct world *w = *state;
	unsigned quick = 0, in_a_row = 0;
	add_chunk(w, 5, 1000);
	for (unsigned i = 0; i < 800; i++) {
		add_chunk(w, 0, 1);
		add_chunk(w, 0, 1);
		bool is_quick = dial(w) == 0;
		quick += is_quick;
		in_a_row = is_quick ? in_a_row + 1 : 0;
		assert_true(in_a_row <= QUICK_TURNS);
	}
	assert_int_equal(quick, 700);
}

static void a_quick_call_goes_before_batches(void **state)
{
	struct world *w = *state;
	add_chunk(w, 5, 10);
	assert_int_equal(dial(w), 5);
	add_chunk(w, 0, 1);
	assert_int_equal(dial(w), 0);
	assert_int_equal(dial(w), 5);
}

/* However many come after it. */
static void the_oldest_batch_has_every_second_turn(void **state)
{
	struct world *w = *state;
	unsigned of_oldest = 0;
	for (unsigned i = 0; i < 4; i++)
		add_chunk(w, 1, 500);
	for (uint64_t i = 0; i < 2000; i++) {
		add_chunk(w, 2 + i, 3);
		of_oldest += dial(w) == 1;
	}
	assert_in_range(of_oldest, 999, 1001);
}

/* It does not wait for those numbers that were there before. */
static void a_small_batch_is_not_behind_a_large_one(void **state)
{
	struct world *w = *state;
	unsigned turns = 0, served = 0;
	for (unsigned i = 0; i < 100; i++)
		add_chunk(w, 1, 1024);
	(void)dial(w);
	add_chunk(w, 2, 10);
	for (; served < 10; turns++)
		served += dial(w) == 2;
	assert_in_range(turns, 19, 21);
}

/* Also those for which there is no place in the window, and while new ones come in. */
static void every_batch_comes_to_its_turn(void **state)
{
	enum { BATCHES = 50, CHUNKS = 6 };
	struct world *w = *state;
	unsigned first_at[BATCHES + 1] = {0}, served[BATCHES + 1] = {0};
	for (uint64_t batch = 1; batch <= BATCHES; batch++)
		for (unsigned i = 0; i < CHUNKS; i++)
			add_chunk(w, batch, 20);
	for (unsigned turn = 1;; turn++) {
		uint64_t batch = dial(w);
		if (batch == UINT64_MAX)
			break;
		if (served[batch]++ == 0)
			first_at[batch] = turn;
	}
	for (uint64_t batch = 1; batch <= BATCHES; batch++) {
		assert_int_equal(served[batch], CHUNKS * 20);
		/* a chunk of each before it and of those beside it, and as much of the oldest */
		assert_true(first_at[batch] <= 2 * 20 * (batch + QUEUES_OPEN));
	}
}

/* An entry that is held back finds its queue again, whatever happened to that meanwhile. */
static void who_was_held_back_comes_back(void **state)
{
	struct world *w = *state;
	add_chunk(w, 1, 1);
	load(w);
	struct waiting *held = queue_first(&w->client);
	queue_remove(held);
	for (uint64_t batch = 2; batch <= 10; batch++)
		add_chunk(w, batch, 3);
	while (dial(w) != UINT64_MAX)
		;
	queue_return(held);
	assert_int_equal(dial(w), 1);
	assert_int_equal(dial(w), UINT64_MAX);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void weigh(struct world *w, uint64_t batch, uint32_t weight)
{
	queue_of(&w->d, &w->client, batch)->terms.weight = weight;
	queue_weighed(&w->client);
}

/* Turns of batches 1 to 4, which never run dry. */
static void count_turns(struct world *w, unsigned turns, unsigned of[5])
{
	for (uint64_t batch = 1; batch <= 4; batch++)
		of[batch] = 0;
	for (unsigned i = 0; i < turns; i++) {
		uint64_t batch = dial(w);
		assert_in_range(batch, 1, 4);
		of[batch]++;
	}
}

/* The oldest and the rest by its weight and their average, the rest among themselves by theirs. */
static void weights_divide_the_turns(void **state)
{
	struct world *w = *state;
	unsigned of[5];
	for (uint64_t batch = 1; batch <= 4; batch++)
		for (unsigned i = 0; i < 40; i++)
			add_chunk(w, batch, 100);
	count_turns(w, 600, of);
	assert_in_range(of[1], 299, 301);
	for (unsigned i = 2; i <= 4; i++)
		assert_in_range(of[i], 99, 101);
	weigh(w, 1, 4);
	weigh(w, 3, 6); /* beside 1 and 1: on average 8/3 */
	count_turns(w, 1000, of);
	assert_in_range(of[1], 598, 602);
	assert_in_range(of[3], 298, 302);
	assert_in_range(of[2], 48, 52);
	assert_in_range(of[4], 48, 52);
	weigh(w, 1, 1);
	weigh(w, 3, 1);
	count_turns(w, 600, of);
	assert_in_range(of[1], 299, 302);
	assert_in_range(of[3], 98, 102);
}

/* It gives its turns to the others, and has them again. */
static void a_batch_that_is_shut_has_no_turn(void **state)
{
	struct world *w = *state;
	unsigned of[5];
	for (uint64_t batch = 1; batch <= 4; batch++)
		for (unsigned i = 0; i < 20; i++)
			add_chunk(w, batch, 100);
	(void)dial(w);
	queue_shut(queue_of(&w->d, &w->client, 1));
	queue_shut(queue_of(&w->d, &w->client, 1));
	count_turns(w, 400, of);
	assert_int_equal(of[1], 0);
	assert_in_range(of[2], 199, 201);
	queue_reopen(queue_of(&w->d, &w->client, 1));
	count_turns(w, 400, of);
	assert_in_range(of[1], 199, 201);
}

/* Others come into the window in its place, up to a number. */
static void batches_that_are_shut_keep_nobody_out(void **state)
{
	struct world *w = *state;
	enum { LIMITED = QUEUES_OPEN + QUEUES_SHUT };
	for (uint64_t batch = 1; batch <= LIMITED; batch++) {
		add_chunk(w, batch, 10);
		load(w);
		queue_shut(queue_of(&w->d, &w->client, batch));
	}
	add_chunk(w, 100, 10);
	assert_int_equal(dial(w), UINT64_MAX);
	queue_reopen(queue_of(&w->d, &w->client, 7));
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dial(w), 7);
	assert_int_equal(dial(w), 100);
	for (uint64_t batch = 1; batch <= LIMITED; batch++)
		if (batch != 7)
			queue_reopen(queue_of(&w->d, &w->client, batch));
}

/* ---- called again ---- */

/* An entry of the batch that comes back. Its chunk is there for it alone. */
static struct waiting *call_again(struct world *w, uint64_t batch, struct waiting *entry)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	assert_non_null(chunk);
	chunk->client = &w->client;
	chunk->queue = queue_of(&w->d, &w->client, batch);
	chunk->waiting = 1;
	queue_hold(chunk->queue);
	*entry = (struct waiting){
		.chunk = chunk, .line = (struct redial_line *)w}; /* never looked into */
	queue_add(entry);
	return entry;
}

static struct waiting *call_again_known(struct world *w, uint64_t batch)
{
	struct waiting *entry = calloc(1, sizeof(*entry));
	assert_non_null(entry);
	terms_heard(&w->d, queue_of(&w->d, &w->client, batch), 0);
	return call_again(w, batch, entry);
}

/* One line over all batches, first come, first served; one whose batch was shut has kept its place. */
static void who_is_called_again_keeps_his_place(void **state)
{
	struct world *w = *state;
	static const uint64_t in[] = {3, 0, 1, 3, 2, 1}, with_3_shut[] = {0, 1};
	static const uint64_t then[] = {1, 3, 3, 2, 1};
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		(void)call_again_known(w, in[i]);
	queue_shut(queue_of(&w->d, &w->client, 3));
	assert_int_equal(dial(w), with_3_shut[0]);
	struct waiting *back = queue_first(&w->client);
	assert_int_equal(back->chunk->queue->id, with_3_shut[1]);
	queue_remove(back);
	queue_reopen(queue_of(&w->d, &w->client, 3));
	queue_return(back);
	for (size_t i = 0; i < ARRAY_LEN(then); i++)
		assert_int_equal(dial(w), then[i]);
	assert_int_equal(dial(w), UINT64_MAX);
}

/* Until its batch's terms are known nothing of it is called again. */
static void unknown_terms_hold_back_who_is_called_again(void **state)
{
	struct world *w = *state;
	struct waiting *entry = calloc(1, sizeof(*entry));
	assert_non_null(entry);
	(void)call_again(w, 1, entry);
	(void)call_again_known(w, 2);
	assert_int_equal(dial(w), 2);
	assert_int_equal(dial(w), UINT64_MAX);
	terms_heard(&w->d, queue_of(&w->d, &w->client, 1), 0);
	assert_int_equal(dial(w), 1);
}

/* Whose turn it is is found without a look at any of a shut batch's: here none of them could be read. */
static void a_shut_batch_is_not_walked_past(void **state)
{
	enum { WAITING = 1000 };
	struct world *w = *state;
	size_t bytes = WAITING * sizeof(struct waiting);
	struct waiting *shut =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shut, MAP_FAILED);
	terms_heard(&w->d, queue_of(&w->d, &w->client, 1), 0);
	for (size_t i = 0; i < WAITING; i++)
		(void)call_again(w, 1, &shut[i]);
	(void)call_again_known(w, 2);
	(void)call_again_known(w, 2);
	queue_shut(queue_of(&w->d, &w->client, 1));
	assert_return_code(mprotect(shut, bytes, PROT_NONE), errno);
	assert_int_equal(dial(w), 2);
	assert_int_equal(dial(w), 2);
	assert_int_equal(dial(w), UINT64_MAX);
	assert_return_code(mprotect(shut, bytes, PROT_READ | PROT_WRITE), errno);
	queue_reopen(queue_of(&w->d, &w->client, 1));
	for (size_t i = 0; i < WAITING; i++) {
		assert_ptr_equal(queue_first(&w->client), &shut[i]);
		queue_remove(&shut[i]);
		queue_drop(&w->d, shut[i].chunk->queue);
		free(shut[i].chunk);
	}
	munmap(shut, bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(quick_calls_leave_one_turn_of_eight_to_batches),
		WORLD_TEST(a_quick_call_goes_before_batches),
		WORLD_TEST(the_oldest_batch_has_every_second_turn),
		WORLD_TEST(a_small_batch_is_not_behind_a_large_one),
		WORLD_TEST(every_batch_comes_to_its_turn),
		WORLD_TEST(who_was_held_back_comes_back),
		WORLD_TEST(weights_divide_the_turns),
		WORLD_TEST(a_batch_that_is_shut_has_no_turn),
		WORLD_TEST(batches_that_are_shut_keep_nobody_out),
		WORLD_TEST(who_is_called_again_keeps_his_place),
		WORLD_TEST(unknown_terms_hold_back_who_is_called_again),
		WORLD_TEST(a_shut_batch_is_not_walked_past),
	};
	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
