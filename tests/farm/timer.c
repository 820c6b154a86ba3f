/* A binary heap by time: see timer.h. */
#include <stdlib.h>

#include "common/log.h"
#include "tests/farm/timer.h"

#include "common/base.h"

static void put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place;
}

static void rise(struct timers *timers, size_t place, struct timer *timer)
{
	while (place > 1 && timers->heap[place / 2]->at_us > timer->at_us) {
		put(timers, place, timers->heap[place / 2]);
		place /= 2;
	}
	put(timers, place, timer);
}

static void sink(struct timers *timers, size_t place, struct timer *timer)
{
	for (;;) {
		size_t child = 2 * place;
		if (child > timers->n)
			break;
		if (child < timers->n &&
			timers->heap[child + 1]->at_us < timers->heap[child]->at_us)
			child++;
		if (timers->heap[child]->at_us >= timer->at_us)
			break;
		put(timers, place, timers->heap[child]);
		place = child;
	}
	put(timers, place, timer);
}

static void make_room(struct timers *timers)
{
	if (timers->n + 1 < timers->cap)
		return;
	size_t cap = MAX(2 * timers->cap, (size_t)256);
	struct timer **heap = reallocarray(timers->heap, cap, sizeof(struct timer *));
	if (!heap)
		die("memory.exhausted", "bytes=%zu", cap * sizeof(struct timer *));
	timers->heap = heap;
	timers->cap = cap;
}

void timer_set(
	struct timers *timers, struct timer *timer, int64_t at_us, void (*fn)(void *arg), void *arg)
{
	timer_stop(timers, timer);
	make_room(timers);
	timer->at_us = at_us;
	timer->fn = fn;
	timer->arg = arg;
	timers->n++;
	rise(timers, timers->n, timer);
}

void timer_stop(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;
	if (!place)
		return;
	struct timer *last = timers->heap[timers->n--];
	timer->place = 0;
	if (last == timer)
		return;
	if (place > 1 && timers->heap[place / 2]->at_us > last->at_us)
		rise(timers, place, last);
	else
		sink(timers, place, last);
}

int64_t timers_next(const struct timers *timers)
{
	return timers->n ? timers->heap[1]->at_us : INT64_MAX;
}

void timers_run(struct timers *timers, int64_t now_us)
{
	while (timers->n && timers->heap[1]->at_us <= now_us) {
		struct timer *timer = timers->heap[1];
		timer_stop(timers, timer);
		timer->fn(timer->arg);
	}
}

void timers_free(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){NULL, 0, 0};
}
