/* Request memory: see arena.h. A list of blocks, the current one first. */
#include <stdalign.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/arena.h"
#include "common/log.h"

#include "common/base.h"

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 16 };

struct block {
	struct block *next;
	size_t size;
	size_t used;
	alignas(ALIGN) unsigned char bytes[];
};

struct arena {
	struct block *current;
	size_t cap;
	size_t used;
};

static struct block *block_new(size_t size, struct block *next)
{
	struct block *b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->next = next;
	b->size = size;
	b->used = 0;
	return b;
}

struct arena *arena_new(size_t cap)
{
	struct arena *arena = calloc(1, sizeof(*arena));
	if (arena)
		arena->current = block_new(BLOCK_BYTES, NULL);
	if (!arena || !arena->current)
		die("memory.exhausted", "bytes=%d", BLOCK_BYTES);
	arena->cap = cap;
	return arena;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	for (struct block *b = arena->current, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(arena);
}

void *arena_alloc(struct arena *arena, size_t n)
{
	if (n > arena->cap)
		return NULL;
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (n > arena->cap - arena->used)
		return NULL;
	struct block *b = arena->current;
	if (n > b->size - b->used) {
		b = block_new(MAX(n, (size_t)BLOCK_BYTES), arena->current);
		if (!b)
			return NULL;
		arena->current = b;
	}
	void *p = b->bytes + b->used;
	b->used += n;
	arena->used += n;
	return p;
}

char *arena_copy(struct arena *arena, struct str text)
{
	char *p = arena_alloc(arena, text.n + 1);
	if (!p)
		return NULL;
	if (text.n)
		memcpy(p, text.p, text.n);
	p[text.n] = '\0';
	return p;
}

void arena_reset(struct arena *arena)
{
	struct block *b = arena->current;
	while (b->next) {
		struct block *next = b->next;
		free(b);
		b = next;
	}
	b->used = 0;
	arena->current = b;
	arena->used = 0;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

static struct arena *jansson_arena;

static void *jansson_alloc(size_t n)
{
	return arena_alloc(jansson_arena, n);
}

static void jansson_free(void *p)
{
	(void)p;
}

void arena_serve_jansson(struct arena *arena)
{
	jansson_arena = arena;
	json_set_alloc_funcs(jansson_alloc, jansson_free);
}
