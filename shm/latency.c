/* Log-linear histograms: see latency.h. */
#include "shm/latency.h"

#include <math.h>

/* Values below 8 have a bucket each; from there on, each power of two has 8. */
enum { STEPS = 8, STEP_BITS = 3 };

static const char *const names[LATENCY__N] = {
	[LATENCY_SUBMIT_TO_SENT] = "submit_to_sent",
	[LATENCY_FREED_TO_SENT] = "freed_to_sent",
	[LATENCY_COMMIT] = "commit",
	[LATENCY_TURN] = "turn",
};

const char *latency_name(enum shm_latency_kind kind)
{
	return names[kind];
}

uint32_t latency_bucket(uint64_t us)
{
	if (us < STEPS)
		return (uint32_t)us;
	uint32_t power = 63 - (uint32_t)__builtin_clzll(us);
	uint32_t step = (uint32_t)(us >> (power - STEP_BITS)) & (STEPS - 1);
	uint32_t bucket = (power - STEP_BITS + 1) * STEPS + step;
	return MIN(bucket, LATENCY_BUCKETS - 1);
}

uint64_t latency_bucket_end(uint32_t bucket)
{
	if (bucket < STEPS)
		return bucket;
	uint32_t shift = bucket / STEPS - 1;
	return ((uint64_t)(STEPS + bucket % STEPS + 1) << shift) - 1;
}

void latency_add(struct segment *seg, enum shm_latency_kind kind, int64_t us)
{
	_Atomic uint64_t *count =
		&seg_latency(seg, NULL)[kind].count[latency_bucket(us < 0 ? 0 : (uint64_t)us)];
	atomic_store_explicit(
		count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

uint64_t latency_count(const struct shm_latency *latency)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
		count += atomic_load_explicit(&latency->count[i], memory_order_relaxed);
	return count;
}

uint64_t latency_percentile(const struct shm_latency *latency, double q)
{
	uint64_t samples = latency_count(latency), seen = 0;
	double wanted = ceil((double)samples * q);
	for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
		seen += atomic_load_explicit(&latency->count[i], memory_order_relaxed);
		if (seen > 0 && (double)seen >= wanted)
			return latency_bucket_end(i);
	}
	return 0;
}
