/* The event ring: the dispatcher tells every reader, and waits for none.
 *
 *   [record][record][record][record]...........[record][record][padding]
 *    ▲           ▲                                ▲
 *    └ marks: a record that begins in each        └ newest: its store is the commit
 *      sixteenth of the ring
 *
 * Records are 8-byte aligned and never split at the end. Publishing: raise `writing` past the new
 * record, write its words, store `newest`. Reading: copy, then look at `writing` again; if it has
 * come within one ring of the copy, the copy may be torn and counts as overrun. A lapped reader
 * goes on at the oldest mark with room before the writer, and learns from the record there exactly
 * how many it missed. A kill at any point leaves the ring whole: `writing` is never lowered, so
 * what was half overwritten stays unreadable.
 *
 * Readers keep a cursor of three words; nobody's slowness costs the dispatcher anything.
 */
#ifndef CCS_SHM_EVENTS_H
#define CCS_SHM_EVENTS_H

#include "common/str.h"
#include "shm/segment.h"

enum event_type {
#define EVENT(name, help) EVENT_##name,
#include "shm/events.def"
#undef EVENT
	EVENT_TYPE__N
};

enum { EVENT_PAYLOAD_MAX = 4096 };

/* "call_started" */
const char *event_type_name(enum event_type type);

/* The type of this name; -1: there is none. */
int event_type_find(struct str name);

/* ---- owner: the dispatcher, after the commit ---- */

struct event {
	enum event_type type;
	uint64_t client_id; /* not 0 */
	uint64_t seq;	    /* dense per client, from client_seq */
	int64_t occurred_us;
	const char *payload; /* JSON, not terminated */
	uint32_t payload_bytes;
};

/* Publishes. *last is the position of the client's last event (0 = none known), kept by the
 * dispatcher beside the client, and becomes this one's: the chain that readers walk back. False
 * when the payload is longer than EVENT_PAYLOAD_MAX. */
MUST_USE bool event_publish(struct segment *seg, const struct event *event, uint64_t *last);

/* ---- readers ---- */

struct event_copy {
	struct shm_event head;
	char payload[EVENT_PAYLOAD_MAX + 1]; /* head.payload bytes, terminated */
};

struct event_cursor {
	uint64_t ring;	   /* identity of the ring it belongs to */
	uint64_t position; /* of the next record */
	uint64_t index;	   /* of the next record */
};

/* Bytes that the ring holds; 0: there is none yet. */
uint64_t event_ring_bytes(const struct segment *seg);

/* Behind the last event: only what comes now. */
void event_cursor_newest(const struct segment *seg, struct event_cursor *cursor);

/* At the oldest record that is certainly still there. */
void event_cursor_oldest(const struct segment *seg, struct event_cursor *cursor);

enum event_result {
	EVENT_OK,      /* copy holds the next event */
	EVENT_NONE,    /* nothing new */
	EVENT_OVERRUN, /* exactly *missed events are gone for this reader */
	EVENT_RESET,   /* another ring, or a damaged one: how many were missed is unknown */
};

/* The next event. After OVERRUN and RESET the cursor stands where reading goes on: call again. */
enum event_result event_next(const struct segment *seg, struct event_cursor *cursor,
	struct event_copy *copy, uint64_t *missed);

/* The event of this client at position (a `previous` or a remembered head.position): false when it
 * has been overwritten or is not this client's. */
MUST_USE bool event_at(
	const struct segment *seg, uint64_t position, uint64_t client_id, struct event_copy *copy);

#endif
