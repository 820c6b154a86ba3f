/* Time: it passes only here, from one thing that happens to the next. Instead of common/poll.c, clocks and random bytes. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/token.h"
#include "dispatcher/sched.h"
#include "shm/calls.h"
#include "shm/submit.h"
#include "tests/sim/sim.h"

#include "common/base.h"

/* The monotonic clock began when the machine did. */
static const int64_t BOOTED_BEFORE_US = 1000 * US_PER_S;

int64_t __wrap_clock_wall_us(void);
int64_t __wrap_clock_mono_us(void);
void __wrap_random_bytes(void *out, size_t n);
bool __wrap_segment_still_named(const struct segment *seg);
void __wrap_call_state_set(struct segment *seg, uint32_t slot, enum shm_call_state state);
void __real_call_state_set(struct segment *seg, uint32_t slot, enum shm_call_state state);
void __wrap_call_update(struct segment *seg, uint32_t slot, const struct shm_call *details);
void __real_call_update(struct segment *seg, uint32_t slot, const struct shm_call *details);
bool __wrap_event_publish(struct segment *seg, const struct event *event, uint64_t *last);
bool __real_event_publish(struct segment *seg, const struct event *event, uint64_t *last);

int64_t __wrap_clock_wall_us(void)
{
	return sim.now_us;
}

int64_t __wrap_clock_mono_us(void)
{
	return sim.now_us - sim.began_us + BOOTED_BEFORE_US;
}

void __wrap_random_bytes(void *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)dice(256);
}

bool __wrap_segment_still_named(const struct segment *seg)
{
	(void)seg;
	return sim.segment_named;
}

/* ---- where the process may be killed: between any two of its effects ---- */

void crash_point(void)
{
	if (sim.d && sim.kill_in && --sim.kill_in == 0)
		longjmp(sim.killed, 1);
}

void __wrap_call_state_set(struct segment *seg, uint32_t slot, enum shm_call_state state)
{
	crash_point();
	__real_call_state_set(seg, slot, state);
	crash_point();
}

void __wrap_call_update(struct segment *seg, uint32_t slot, const struct shm_call *details)
{
	crash_point();
	__real_call_update(seg, slot, details);
}

bool __wrap_event_publish(struct segment *seg, const struct event *event, uint64_t *last)
{
	crash_point();
	bool published = __real_event_publish(seg, event, last);
	crash_point();
	return published;
}

/* ---- timers: a heap ---- */

struct timer {
	int64_t at_us;
	uint64_t order; /* of two at one time, the one that was set first */
	timer_fn *fn;
	uint64_t a, b;
};

static struct timer *timers;
static size_t timers_n, timers_cap;
static uint64_t timers_set;

static bool earlier(const struct timer *x, const struct timer *y)
{
	return x->at_us != y->at_us ? x->at_us < y->at_us : x->order < y->order;
}

static void swap(size_t i, size_t k)
{
	struct timer t = timers[i];
	timers[i] = timers[k];
	timers[k] = t;
}

void timer_at(int64_t at_us, timer_fn *fn, uint64_t a, uint64_t b)
{
	if (timers_n == timers_cap) {
		timers_cap = MAX(2 * timers_cap, (size_t)256);
		timers = reallocarray(timers, timers_cap, sizeof(*timers));
		if (!timers)
			die("memory.exhausted", "timers=%zu", timers_cap);
	}
	size_t i = timers_n++;
	timers[i] = (struct timer){MAX(at_us, sim.now_us), timers_set++, fn, a, b};
	for (; i && earlier(&timers[i], &timers[(i - 1) / 2]); i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

void timers_forget(void)
{
	timers_n = 0;
}

static struct timer take_first(void)
{
	struct timer first = timers[0];
	timers[0] = timers[--timers_n];
	for (size_t i = 0;;) {
		size_t least = i;
		for (size_t k = 2 * i + 1; k < MIN(2 * i + 3, timers_n); k++)
			if (earlier(&timers[k], &timers[least]))
				least = k;
		if (least == i)
			return first;
		swap(i, least);
		i = least;
	}
}

static void run_first(void)
{
	struct timer t = take_first();
	sim.now_us = MAX(sim.now_us, t.at_us);
	t.fn(t.a, t.b);
}

static void run_until(int64_t until_us)
{
	while (timers_n && timers[0].at_us <= until_us)
		run_first();
	sim.now_us = MAX(sim.now_us, until_us);
}

void world_run(int64_t us)
{
	run_until(sim.now_us + us);
}

/* ---- the wait ---- */

struct poll {
	void (*wake)(void *arg);
	void *wake_arg;
};

struct poll *poll_new(void)
{
	struct poll *poll = calloc(1, sizeof(*poll));
	if (!poll)
		die("memory.exhausted", "bytes=%zu", sizeof(*poll));
	return poll;
}

bool poll_add(struct poll *poll, int fd, uint32_t events, poll_fn *fn, void *arg, struct err *err)
{
	(void)poll;
	(void)err;
	wires_watch(fd, events, fn, arg);
	return true;
}

void poll_change(struct poll *poll, int fd, uint32_t events)
{
	(void)poll;
	wires_watch(fd, events, NULL, NULL);
}

void poll_remove(struct poll *poll, int fd)
{
	(void)poll;
	wires_watch(fd, 0, NULL, NULL);
}

void poll_on_wake(struct poll *poll, void (*fn)(void *arg), void *arg)
{
	poll->wake = fn;
	poll->wake_arg = arg;
}

/* With nothing to do it may sleep longer than it wanted: so a day has fewer turns, and timers come late. */
static int64_t until(int64_t timeout_us)
{
	bool idle = sim.d->live_n == 0 && !sched_wants_turn(sim.d);
	int64_t extra = idle && sim.d->recovered ? dice_between(0, 10 * US_PER_S) : 0;
	return timeout_us < 0 ? INT64_MAX : sim.now_us + timeout_us + extra;
}

static bool is_ready(void)
{
	return pg_is_ready() || wires_ready() || (sim.d->recovered && submit_waiting(&sim.seg));
}

void poll_wait(struct poll *poll, int64_t timeout_us)
{
	crash_point();
	run_until(sim.now_us + dice_between(2, 50)); /* what a turn takes */
	if (sim.stall_us) {
		int64_t us = sim.stall_us;
		sim.stall_us = 0;
		run_until(sim.now_us + us);
	} else if (timeout_us != 0 && !is_ready()) {
		int64_t until_us = until(timeout_us);
		while (!is_ready() && timers_n && timers[0].at_us <= until_us)
			run_first();
		if (!is_ready())
			sim.now_us = MAX(sim.now_us, until_us);
	}
	poll->wake(poll->wake_arg);
	pg_deliver();
	wires_deliver();
}
