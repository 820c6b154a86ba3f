/* The ring of frames: see backlog.h. */
#include "relay/backlog.h"

#include <assert.h>
#include <stdlib.h>

#include "common/log.h"

#include "common/base.h"

enum { LINE = 64 };

struct record {
	uint64_t next; /* position of the strand's next record; 0 = none yet */
	uint64_t mark;
	uint64_t bytes; /* of the frame behind it */
};

void backlog_open(struct backlog *backlog, uint64_t bytes)
{
	bytes = (bytes + LINE - 1) / LINE * LINE;
	*backlog = (struct backlog){.ring = malloc(bytes), .bytes = bytes, .end = bytes};
	if (!backlog->ring)
		die("memory.exhausted", "bytes=%llu", (unsigned long long)bytes);
}

void backlog_close(struct backlog *backlog)
{
	free(backlog->ring);
	*backlog = (struct backlog){0};
}

size_t backlog_frame_max(const struct backlog *backlog)
{
	return backlog->bytes / 4;
}

static struct record *record_at(const struct backlog *backlog, uint64_t position)
{
	return (struct record *)(void *)&backlog->ring[position % backlog->bytes];
}

/* Not overwritten, not even in part. */
static bool is_held(const struct backlog *backlog, uint64_t position)
{
	return backlog->end - position <= backlog->bytes;
}

/* Records stay whole: what does not fit before the ring's end begins at its start. */
static uint64_t claim(struct backlog *backlog, size_t need)
{
	uint64_t room = backlog->bytes - backlog->end % backlog->bytes;
	if (room < need)
		backlog->end += room;
	uint64_t position = backlog->end;
	backlog->end += need;
	return position;
}

void backlog_add(struct backlog *backlog, struct strand *strand, struct str frame, uint64_t mark)
{
	assert(frame.n <= backlog_frame_max(backlog));
	size_t need = (sizeof(struct record) + frame.n + sizeof(uint64_t) - 1) / sizeof(uint64_t) *
		      sizeof(uint64_t);
	uint64_t position = claim(backlog, need);
	struct record *record = record_at(backlog, position);
	*record = (struct record){.mark = mark, .bytes = frame.n};
	memcpy(record + 1, frame.p, frame.n);
	if (strand->last && is_held(backlog, strand->last))
		record_at(backlog, strand->last)->next = position;
	strand->last = position;
	strand->count++;
	if (!strand->fresh)
		strand->fresh = position;
}

struct reader reader_of(const struct strand *strand, uint64_t mark)
{
	assert(!strand->fresh);
	return (struct reader){.index = strand->count, .mark = mark};
}

void reader_follow(struct reader *reader, const struct strand *strand)
{
	if (!reader->next)
		reader->next = strand->fresh;
}

void strand_settle(struct strand *strand)
{
	strand->fresh = 0;
}

void reader_take(const struct backlog *backlog, const struct strand *strand, struct reader *reader,
	struct strbuf *out, size_t max, uint64_t *missed)
{
	*missed = 0;
	size_t taken = 0;
	while (reader->next) {
		if (!is_held(backlog, reader->next)) {
			*missed = strand->count - reader->index;
			*reader = (struct reader){.index = strand->count, .mark = reader->mark};
			return;
		}
		const struct record *record = record_at(backlog, reader->next);
		if (taken + record->bytes > max)
			return;
		strbuf_add(out, record + 1, record->bytes);
		taken += record->bytes;
		reader->index++;
		if (record->mark)
			reader->mark = record->mark;
		reader->next = record->next;
	}
}
