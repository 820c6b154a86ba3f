/* A heap with four children to a node: see heap.h. */
#include <stdlib.h>

#include "common/log.h"
#include "dispatcher/heap.h"

#include "common/base.h"

static void put_at(struct heap *heap, uint32_t i, struct heap_entry entry)
{
	heap->v[i] = entry;
	entry.node->place = i + 1;
}

static void sift_up(struct heap *heap, uint32_t i, struct heap_entry entry)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 4;
		if (heap->v[parent].key <= entry.key)
			break;
		put_at(heap, i, heap->v[parent]);
		i = parent;
	}
	put_at(heap, i, entry);
}

static void sift_down(struct heap *heap, uint32_t i, struct heap_entry entry)
{
	for (;;) {
		uint32_t first = 4 * i + 1, least = first;
		if (first >= heap->n)
			break;
		for (uint32_t k = first + 1; k < MIN(first + 4, heap->n); k++)
			if (heap->v[k].key < heap->v[least].key)
				least = k;
		if (heap->v[least].key >= entry.key)
			break;
		put_at(heap, i, heap->v[least]);
		i = least;
	}
	put_at(heap, i, entry);
}

static void place(struct heap *heap, uint32_t i, struct heap_entry entry)
{
	if (i > 0 && entry.key < heap->v[(i - 1) / 4].key)
		sift_up(heap, i, entry);
	else
		sift_down(heap, i, entry);
}

static void grow(struct heap *heap)
{
	uint32_t cap = MAX(heap->cap * 2, 64u);
	struct heap_entry *v = reallocarray(heap->v, cap, sizeof(*v));
	if (!v)
		die("memory.exhausted", "entries=%u", cap);
	heap->v = v;
	heap->cap = cap;
}

void heap_put(struct heap *heap, struct heap_node *node, int64_t key)
{
	struct heap_entry entry = {key, node};
	if (node->place) {
		place(heap, node->place - 1, entry);
		return;
	}
	if (heap->n == heap->cap)
		grow(heap);
	heap->n++;
	sift_up(heap, heap->n - 1, entry);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	if (!node->place)
		return;
	uint32_t i = node->place - 1;
	struct heap_entry last = heap->v[--heap->n];
	node->place = 0;
	if (last.node != node)
		place(heap, i, last);
}

struct heap_node *heap_take_until(struct heap *heap, int64_t key)
{
	struct heap_node *first = heap_first(heap);
	if (!first || heap_first_key(heap) > key)
		return NULL;
	heap_remove(heap, first);
	return first;
}

void heap_free(struct heap *heap)
{
	free(heap->v);
	*heap = (struct heap){0};
}
