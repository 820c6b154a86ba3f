/* The farm's own book: what the far end saw and did, to hold against what ccs says.
 *
 * One line a fact, tab separated: time, server, fact, and the fact's own columns:
 *
 *   originate  ChannelId ActionID number verdict     every Originate that was read: queued, no_channel, in_use, refused
 *   answered   ChannelId number
 *   ended      ChannelId number outcome end answered cause ring_ms talk_ms       end: far_end timeout hangup limit restart
 *   login, cut, boot, mood, stop                      what became of connections and of the server
 *
 * Lines are written before the bytes of the same turn go out: what the world has heard of is in the book.
 */
#ifndef CCS_TESTS_FARM_RECORD_H
#define CCS_TESTS_FARM_RECORD_H

#include "common/err.h"
#include "common/strbuf.h"

struct record {
	int fd; /* -1: nobody wants to know */
	struct strbuf lines;
};

MUST_USE bool record_open(struct record *record, const char *path, struct err *err);

/* columns: printf format of what stands behind the fact, tabs included. */
void record_line(struct record *record, const char *server, const char *fact, const char *columns,
	...) PRINTF(4, 5);

void record_flush(struct record *record);
void record_close(struct record *record);

#endif
