/* What we say to a client: each function appends one whole WebSocket frame.
 *
 * Every message is a JSON object with `type`. Ours are connected, subscribed, gap and error; all other types are
 * events, as shm/envelope.h has them.
 */
#ifndef CCS_RELAY_SAY_H
#define CCS_RELAY_SAY_H

#include "common/strbuf.h"
#include "shm/events.h"

/* A set of event types: bit 1 << enum event_type. */
typedef uint32_t event_set;
_Static_assert(EVENT_TYPE__N <= 32, "an event_set holds every type");

/* The longest frame of an event. */
enum { SAY_EVENT_MAX = EVENT_PAYLOAD_MAX + 512 };

#define SAY_MISSED_UNKNOWN UINT64_MAX

/* The first message: {"type":"connected","server_time":...,"events":[all types]} */
void say_connected(struct strbuf *sb, int64_t now_us);

/* The answer to subscribe: what it is now. */
void say_subscribed(struct strbuf *sb, event_set events);

void say_event(struct strbuf *sb, const struct event_copy *event, uint64_t prev);

/* Events are lost for this reader: so many, or SAY_MISSED_UNKNOWN (null). */
void say_gap(struct strbuf *sb, uint64_t missed);

/* {"type":"error","code":...,"detail":...}; members is more of the object, such as ",\"x\":1", or "". */
void say_error(struct strbuf *sb, const char *code, struct str detail, struct str members);

void say_pong(struct strbuf *sb, struct str data);

/* The last frame. code may be CLOSE_NO_CODE; reason is cut to what fits. */
void say_close(struct strbuf *sb, unsigned code, const char *reason);

/* ["call_started",...]: the names of a set, as JSON. */
void say_names(struct strbuf *sb, event_set events);

static inline event_set every_event(void)
{
	return (event_set)((UINT64_C(1) << EVENT_TYPE__N) - 1);
}

#endif
