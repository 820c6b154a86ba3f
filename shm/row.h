/* A row under its own sequence: one writer, any number of readers, no lock.
 *
 *   writer   seq = odd      words (release)      seq = even (release)
 *   reader   seq (acquire)  words (acquire)      seq again: the same and even, or once more
 *
 * Why that is enough, without a fence (TSan follows it): whoever reads a word of a later write has
 * synchronised with its release, so sees at least that write's odd sequence at the second look.
 * Words are 8 bytes; sizes are multiples of 8.
 *
 * A writer that dies in between leaves seq odd and each word old or new. Readers then give up after
 * ROW_RETRIES looks (the answer comes from SQL); the next writer of the row makes it whole.
 */
#ifndef CCS_SHM_ROW_H
#define CCS_SHM_ROW_H

#include "shm/layout.h"

enum { ROW_RETRIES = 1000 };

/* Word by word, each with acquire / release; size is a multiple of 8, both sides are aligned. */
void row_load(void *dst, const void *src, size_t size);
void row_store(void *dst, const void *src, size_t size);

/* The same, with zero. */
void row_clear(void *dst, size_t size);

/* Owner: brackets row_store calls that must be seen together. */
void row_write_begin(struct shm_row *row);
void row_write_end(struct shm_row *row);

/* Owner: one whole write of size bytes at dst, which belongs to row. Does not touch row->used. */
void row_write(struct shm_row *row, void *dst, const void *src, size_t size);

/* Owner: the row's place in its table (enum shm_row_use). */
void row_use(struct shm_row *row, enum shm_row_use use);

/* Owner, after a predecessor's death: an odd sequence becomes even. True when it was odd. */
bool row_repair(struct shm_row *row);

/* Reader: the sequence to compare with later; false when a write is in progress. */
MUST_USE bool row_read_begin(const struct shm_row *row, uint32_t *seq);

/* Reader: nothing was written since begin. */
MUST_USE bool row_read_end(const struct shm_row *row, uint32_t seq);

/* Reader: one consistent copy. False when the row is not in use, or stayed busy for ROW_RETRIES
 * looks; dst is then garbage. */
MUST_USE bool row_read(const struct shm_row *row, void *dst, const void *src, size_t size);

/* Reader: between two looks; lets an interrupted writer run after the first hundred. */
void row_wait(uint32_t look);

/* The words beside a row, copied one by one: each true at some moment, not all at the same. */
struct usage {
	uint32_t channels;
	uint32_t waiting;
	int64_t rate_us;
	int64_t pace_us;
	uint32_t gate;
	uint32_t started;
	int64_t gate_us;
};

struct usage usage_read(const struct shm_usage *usage);

struct day_usage {
	uint32_t cap; /* SHM_NO_CAP: none */
	uint32_t used;
	int64_t ends_us;
};

struct day_usage day_read(const struct shm_day *day);

#endif
