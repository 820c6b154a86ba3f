/* Counting in minutes of the clock: see minute.h. */
#include "shm/minute.h"
#include "common/clock.h"

#define MINUTE_US (60 * US_PER_S)

/* A worker whose clock reading is a little older counts in the newer minute; a clock that was set
 * back begins again. */
static uint64_t minute_of(uint64_t word, int64_t now_us)
{
	uint64_t now = (uint64_t)(now_us / MINUTE_US), held = word >> 32;
	return held == now + 1 ? held : now;
}

static uint32_t requests_in(uint64_t word, uint64_t minute)
{
	return word >> 32 == minute ? (uint32_t)word : 0;
}

static struct minute standing(uint64_t word, uint32_t limit, int64_t now_us)
{
	uint64_t minute = minute_of(word, now_us);
	uint32_t requests = requests_in(word, minute);
	return (struct minute){
		.limit = limit,
		.remaining = limit - MIN(requests, limit),
		.ends_us = ((int64_t)minute + 1) * MINUTE_US,
	};
}

bool minute_take(_Atomic uint64_t *word, uint32_t limit, int64_t now_us, struct minute *out)
{
	uint64_t held = atomic_load_explicit(word, memory_order_relaxed), next;
	do {
		*out = standing(held, limit, now_us);
		if (out->remaining == 0)
			return false;
		uint64_t minute = minute_of(held, now_us);
		next = minute << 32 | (requests_in(held, minute) + 1);
	} while (!atomic_compare_exchange_weak_explicit(
		word, &held, next, memory_order_relaxed, memory_order_relaxed));
	out->remaining--;
	return true;
}

void minute_give_back(_Atomic uint64_t *word, const struct minute *taken)
{
	uint64_t minute = (uint64_t)(taken->ends_us / MINUTE_US) - 1;
	uint64_t held = atomic_load_explicit(word, memory_order_relaxed);
	do {
		if (requests_in(held, minute) == 0)
			return;
	} while (!atomic_compare_exchange_weak_explicit(
		word, &held, held - 1, memory_order_relaxed, memory_order_relaxed));
}

struct minute minute_look(const _Atomic uint64_t *word, uint32_t limit, int64_t now_us)
{
	return standing(atomic_load_explicit(word, memory_order_relaxed), limit, now_us);
}
