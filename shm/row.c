/* Rows under a sequence: see row.h for why this is enough. */
#include "shm/row.h"

#include <sched.h>

/* The words of a row are plain fields to their owner; readers and writers meet in these. */
typedef uint64_t __attribute__((may_alias)) row_word;

/* Looks that a reader makes before it lets the writer run, in case that was interrupted. */
enum { ROW_EAGER_LOOKS = 100 };

void row_load(void *dst, const void *src, size_t size)
{
	row_word *to = dst;
	const row_word *from = src;
	for (size_t i = 0; i < size / sizeof(row_word); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
}

void row_store(void *dst, const void *src, size_t size)
{
	row_word *to = dst;
	const row_word *from = src;
	for (size_t i = 0; i < size / sizeof(row_word); i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELEASE);
}

void row_clear(void *dst, size_t size)
{
	row_word *to = dst;
	for (size_t i = 0; i < size / sizeof(row_word); i++)
		__atomic_store_n(&to[i], 0, __ATOMIC_RELEASE);
}

/* Relaxed is enough: every word after it is stored with release, and so after it. A sequence that a
 * dead owner left odd stays as it is. */
void row_write_begin(struct shm_row *row)
{
	uint32_t seq = atomic_load_explicit(&row->seq, memory_order_relaxed);
	atomic_store_explicit(&row->seq, seq | 1, memory_order_relaxed);
}

void row_write_end(struct shm_row *row)
{
	uint32_t seq = atomic_load_explicit(&row->seq, memory_order_relaxed);
	atomic_store_explicit(&row->seq, seq + 1, memory_order_release);
}

void row_write(struct shm_row *row, void *dst, const void *src, size_t size)
{
	row_write_begin(row);
	row_store(dst, src, size);
	row_write_end(row);
}

void row_use(struct shm_row *row, enum shm_row_use use)
{
	atomic_store_explicit(&row->used, use, memory_order_release);
}

bool row_repair(struct shm_row *row)
{
	if (!(atomic_load_explicit(&row->seq, memory_order_relaxed) & 1))
		return false;
	row_write_end(row);
	return true;
}

bool row_read_begin(const struct shm_row *row, uint32_t *seq)
{
	*seq = atomic_load_explicit(&row->seq, memory_order_acquire);
	return !(*seq & 1);
}

/* Relaxed is enough: the words before it were loaded with acquire, and so before it. */
bool row_read_end(const struct shm_row *row, uint32_t seq)
{
	return atomic_load_explicit(&row->seq, memory_order_relaxed) == seq;
}

void row_wait(uint32_t look)
{
	if (look >= ROW_EAGER_LOOKS)
		(void)sched_yield();
}

bool row_read(const struct shm_row *row, void *dst, const void *src, size_t size)
{
	for (uint32_t look = 0; look < ROW_RETRIES; look++) {
		uint32_t seq;
		if (atomic_load_explicit(&row->used, memory_order_acquire) != ROW_USED)
			return false;
		if (row_read_begin(row, &seq)) {
			row_load(dst, src, size);
			if (row_read_end(row, seq))
				return true;
		}
		row_wait(look);
	}
	return false;
}

struct usage usage_read(const struct shm_usage *usage)
{
	return (struct usage){
		.channels = atomic_load_explicit(&usage->channels, memory_order_relaxed),
		.waiting = atomic_load_explicit(&usage->waiting, memory_order_relaxed),
		.rate_us = atomic_load_explicit(&usage->rate_us, memory_order_relaxed),
		.pace_us = atomic_load_explicit(&usage->pace_us, memory_order_relaxed),
		.gate = atomic_load_explicit(&usage->gate, memory_order_relaxed),
		.started = atomic_load_explicit(&usage->started, memory_order_relaxed),
		.gate_us = atomic_load_explicit(&usage->gate_us, memory_order_relaxed),
	};
}

struct day_usage day_read(const struct shm_day *day)
{
	return (struct day_usage){
		.cap = atomic_load_explicit(&day->cap, memory_order_relaxed),
		.used = atomic_load_explicit(&day->used, memory_order_relaxed),
		.ends_us = atomic_load_explicit(&day->ends_us, memory_order_relaxed),
	};
}
