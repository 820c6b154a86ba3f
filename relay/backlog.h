/* Frames on their way to readers of any speed, in one piece of memory that never grows.
 *
 * A frame is stored once. The frames of one audience are a strand: each record names the next of its strand,
 * wherever it lies among those of others. A reader holds the position of the first frame it lacks; to be behind
 * costs nobody anything. What is older than the ring is long is overwritten, and a reader who still wanted it
 * learns exactly how many frames of its strand it has missed.
 *
 *   position   bytes ever written before it, plus one ring: 0 can mean none
 */
#ifndef CCS_RELAY_BACKLOG_H
#define CCS_RELAY_BACKLOG_H

#include "common/strbuf.h"

struct backlog {
	uint8_t *ring;
	uint64_t bytes;
	uint64_t end; /* position behind the last record */
};

struct strand {
	uint64_t count; /* frames ever added */
	uint64_t last;	/* position of the last one; 0 = none */
	uint64_t fresh; /* of the first one since strand_settle; 0 = none */
};

struct reader {
	uint64_t index; /* frames of its strand that it has passed */
	uint64_t mark;	/* of the last one that it has taken and that had one */
	uint64_t next;	/* position of the first it lacks; 0 = it has all */
};

/* bytes is rounded up to 64. Ends the process when there is no memory. */
void backlog_open(struct backlog *backlog, uint64_t bytes);
void backlog_close(struct backlog *backlog);

/* The longest frame that may be added. */
size_t backlog_frame_max(const struct backlog *backlog);

/* mark is the caller's: which frame it is; 0 for one that has none. */
void backlog_add(struct backlog *backlog, struct strand *strand, struct str frame, uint64_t mark);

/* A reader of what comes from now on. Its strand must be settled. */
struct reader reader_of(const struct strand *strand, uint64_t mark);

/* After frames were added: each reader of the strand, then the strand itself. */
void reader_follow(struct reader *reader, const struct strand *strand);
void strand_settle(struct strand *strand);

/* Appends to out what the reader lacks, whole frames, at most max bytes; it has them from then on. *missed is how
 * many were overwritten before it came: they count as passed, and so do all that are still there, because whoever
 * is so late wants what happens now. */
void reader_take(const struct backlog *backlog, const struct strand *strand, struct reader *reader,
	struct strbuf *out, size_t max, uint64_t *missed);

#endif
