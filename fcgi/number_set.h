/* The numbers of a batch, to know one again: by its E.164 form where that is known, else as it is
 * dialled. */
#ifndef CCS_FCGI_NUMBER_SET_H
#define CCS_FCGI_NUMBER_SET_H

#include "common/arena.h"
#include "registry/number.h"

/* All zero: empty. Lives in the arena of its batch. */
struct number_set {
	const struct number **slots;
	size_t n, cap; /* cap: a power of two, or 0 */
};

enum number_news { NUMBER_NEW, NUMBER_AGAIN, NUMBER_NO_ROOM };

/* Puts the number in, unless an equal one is there. Kept, not copied. */
MUST_USE enum number_news number_set_add(
	struct number_set *set, struct arena *arena, const struct number *number);

#endif
