/* Open addressing, at most half full: see number_set.h. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "fcgi/number_set.h"

#include "common/base.h"

enum { CAP_MIN = 256 };

static struct str key_of(const struct number *number)
{
	return str_of(number->e164[0] ? number->e164 : number->number);
}

/* Where the number is, or would be. */
static const struct number **place(const struct number_set *set, const struct number *number)
{
	struct str key = key_of(number);
	size_t i = XXH3_64bits(key.p, key.n) & (set->cap - 1);
	while (set->slots[i] && !str_eq(key_of(set->slots[i]), key))
		i = (i + 1) & (set->cap - 1);
	return &set->slots[i];
}

static bool grow(struct number_set *set, struct arena *arena)
{
	struct number_set larger = {.n = set->n, .cap = set->cap ? set->cap * 2 : CAP_MIN};
	size_t bytes = larger.cap * sizeof(const struct number *);
	larger.slots = arena_alloc(arena, bytes);
	if (!larger.slots)
		return false;
	memset(larger.slots, 0, bytes);
	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i])
			*place(&larger, set->slots[i]) = set->slots[i];
	*set = larger;
	return true;
}

enum number_news number_set_add(
	struct number_set *set, struct arena *arena, const struct number *number)
{
	if (2 * set->n >= set->cap && !grow(set, arena))
		return NUMBER_NO_ROOM;
	const struct number **at = place(set, number);
	if (*at)
		return NUMBER_AGAIN;
	*at = number;
	set->n++;
	return NUMBER_NEW;
}
