/* Rates, by GCRA: the state of a limit is one word, the theoretical arrival time (TAT) of its next
 * event. Pure functions.
 *
 * N per period means: in no period, wherever it begins, do more than N start. With burst b = max(1,
 * N / divisor), interval T = period / (N - b) rounded up, and tolerance (b - 1) * T, GCRA lets at
 * most b + floor(period / T) <= N start in any closed period. For N = 1, T is the period itself: at
 * most one in any half-open period.
 */
#ifndef CCS_SHM_RATE_H
#define CCS_SHM_RATE_H

#include "common/base.h"

#define RATE_NEVER INT64_MAX

struct rate {
	int64_t interval_us;  /* T; 0 = no limit; RATE_NEVER = nothing may start */
	int64_t tolerance_us; /* (b - 1) * T */
	int64_t period_us;
};

/* N an hour, burst N / 20; 0 = never. */
struct rate rate_per_hour(uint32_t n);

/* N a second, burst N / 10; 0 = no limit (a rate of calls per second is optional everywhere). */
struct rate rate_per_second(uint32_t n);

/* N a minute, burst N / 2; 0 = never. */
struct rate rate_per_minute(uint32_t n);

/* One may start now. */
bool rate_check(const struct rate *rate, int64_t tat_us, int64_t now_us);

/* When the next may start: <= now if at once, RATE_NEVER if never. */
int64_t rate_next_us(const struct rate *rate, int64_t tat_us);

/* How many may start at once; UINT64_MAX without a limit. */
uint64_t rate_room(const struct rate *rate, int64_t tat_us, int64_t now_us);

/* The TAT after one started at now, allowed or not. After a limit was lowered it may owe more than
 * it could ever pay back; it is never put further than the moment when every start so far has left
 * the period. */
int64_t rate_take(const struct rate *rate, int64_t tat_us, int64_t now_us);

/* The same after n of them at once. */
int64_t rate_take_many(const struct rate *rate, int64_t tat_us, int64_t now_us, uint32_t n);

/* The TAT that a history of starts (ascending) leaves: after a limit changed, or when the segment
 * is made from PostgreSQL. */
int64_t rate_rebuild(const struct rate *rate, const int64_t *starts_us, size_t n);

#endif
