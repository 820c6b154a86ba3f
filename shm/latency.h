/* Latency histograms: log-linear, 8 steps per power of two, so a percentile is at most an eighth
 * too high. */
#ifndef CCS_SHM_LATENCY_H
#define CCS_SHM_LATENCY_H

#include "shm/segment.h"

/* Dispatcher only. Negative counts as 0, anything above the last bucket as that. */
void latency_add(struct segment *seg, enum shm_latency_kind kind, int64_t us);

/* Upper end, in us, of the bucket that holds the q-th part (0 < q <= 1) of the samples; 0 when
 * there are none. */
uint64_t latency_percentile(const struct shm_latency *latency, double q);

/* Samples so far. */
uint64_t latency_count(const struct shm_latency *latency);

/* "submit_to_sent"... */
const char *latency_name(enum shm_latency_kind kind);

/* The bucket of a value and its highest value: for metrics and tests. */
uint32_t latency_bucket(uint64_t us);
uint64_t latency_bucket_end(uint32_t bucket);

#endif
