/* The heap against a list of all that is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dispatcher/heap.h"

#include "common/base.h"

enum { NODES = 200, STEPS = 20000 };

struct thing {
	struct heap_node node;
	int64_t key;
};

static int64_t least_key(const struct thing *things)
{
	int64_t least = INT64_MAX;
	for (int i = 0; i < NODES; i++)
		if (heap_has(&things[i].node))
			least = MIN(least, things[i].key);
	return least;
}

static void the_least_is_first_whatever_comes_moves_and_goes(void **state)
{
	static struct thing things[NODES];
	struct heap heap = {0};
	(void)state;
	srandom(1);
	for (int step = 0; step < STEPS; step++) {
		struct thing *t = &things[random() % NODES];
		if (random() % 3) {
			t->key = random() % 1000;
			heap_put(&heap, &t->node, t->key);
			assert_true(heap_key(&heap, &t->node) == t->key);
		} else {
			heap_remove(&heap, &t->node);
			assert_false(heap_has(&t->node));
		}
		assert_true(heap_first_key(&heap) == least_key(things));
	}
	heap_free(&heap);
}

static void all_come_out_in_order(void **state)
{
	static struct thing things[NODES];
	struct heap heap = {0};
	int64_t before = INT64_MIN;
	(void)state;
	for (int i = 0; i < NODES; i++)
		heap_put(&heap, &things[i].node, things[i].key = (i * 7919) % NODES);
	assert_null(heap_take_until(&heap, -1));
	for (int i = 0; i < NODES; i++) {
		struct heap_node *first = heap_take_until(&heap, INT64_MAX);
		assert_non_null(first);
		int64_t key = CONTAINER(first, struct thing, node)->key;
		assert_true(key > before);
		before = key;
	}
	assert_null(heap_first(&heap));
	heap_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_is_first_whatever_comes_moves_and_goes),
		cmocka_unit_test(all_come_out_in_order),
	};
	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
