/* Counters of counters.def: one writer (the dispatcher), monotonic since the segment was made. */
#ifndef CCS_SHM_COUNTERS_H
#define CCS_SHM_COUNTERS_H

#include "shm/segment.h"

struct counter_text {
	const char *name, *unit, *help;
};

/* By enum shm_counter. */
extern const struct counter_text counter_texts[COUNTER__N];

/* Dispatcher only: a store, not a read-modify-write, because nobody else writes. */
static inline void counter_add(struct segment *seg, enum shm_counter counter, uint64_t n)
{
	_Atomic uint64_t *value = &seg_counters(seg, NULL)->value[counter];
	atomic_store_explicit(
		value, atomic_load_explicit(value, memory_order_relaxed) + n, memory_order_relaxed);
}

/* 0 without .state. */
static inline uint64_t counter_read(const struct segment *seg, enum shm_counter counter)
{
	const struct shm_counters *counters = seg_counters(seg, NULL);
	return counters ? atomic_load_explicit(&counters->value[counter], memory_order_relaxed) : 0;
}

#endif
