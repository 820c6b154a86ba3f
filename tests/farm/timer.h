/* Timers in a heap: thousands of calls wait for their next moment. */
#ifndef CCS_TESTS_FARM_TIMER_H
#define CCS_TESTS_FARM_TIMER_H

#include "common/base.h"

struct timer {
	int64_t at_us; /* monotonic */
	size_t place;  /* in the heap, from 1 on; 0 = not set */
	void (*fn)(void *arg);
	void *arg;
};

struct timers {
	struct timer **heap; /* heap[0] is not used */
	size_t n, cap;
};

/* Calls fn(arg) once, at that time or soon after; what was set before is forgotten. */
void timer_set(struct timers *timers, struct timer *timer, int64_t at_us, void (*fn)(void *arg),
	void *arg);

/* To be called before the timer's memory goes. */
void timer_stop(struct timers *timers, struct timer *timer);

/* INT64_MAX when none is set. */
int64_t timers_next(const struct timers *timers);

/* Calls what is due. A callback may set and stop any timer. */
void timers_run(struct timers *timers, int64_t now_us);

void timers_free(struct timers *timers);

#endif
