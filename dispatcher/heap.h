/* A heap of things that have a heap_node: the least key first, each found and moved in O(log n).
 *
 * Keys lie in the array beside the nodes, four children to a cache line, so that a step down touches no node but the one it
 * moves. Nothing is allocated for a node; whoever is freed must be out.
 */
#ifndef CCS_DISPATCHER_HEAP_H
#define CCS_DISPATCHER_HEAP_H

#include "common/base.h"

/* All zero = in no heap. */
struct heap_node {
	uint32_t place; /* index + 1 */
};

/* All zero = empty. */
struct heap {
	struct heap_entry {
		int64_t key;
		struct heap_node *node;
	} *v;
	uint32_t n, cap;
};

/* Puts the node in, or gives the one that is in another key. */
void heap_put(struct heap *heap, struct heap_node *node, int64_t key);

/* Takes it out; harmless when it is not in. */
void heap_remove(struct heap *heap, struct heap_node *node);

void heap_free(struct heap *heap);

static inline bool heap_has(const struct heap_node *node)
{
	return node->place != 0;
}

/* Only of one that is in. */
static inline int64_t heap_key(const struct heap *heap, const struct heap_node *node)
{
	return heap->v[node->place - 1].key;
}

/* NULL when there is none. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->n ? heap->v[0].node : NULL;
}

/* INT64_MAX when there is none. */
static inline int64_t heap_first_key(const struct heap *heap)
{
	return heap->n ? heap->v[0].key : INT64_MAX;
}

/* Takes out the first whose key is at most key; NULL when there is none. */
struct heap_node *heap_take_until(struct heap *heap, int64_t key);

#endif
