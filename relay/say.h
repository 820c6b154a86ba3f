/* What we say to a client: each function appends one whole WebSocket frame.
 *
 * Every message is a JSON object with `type`. Ours are connected, subscribed, mark, resync_required, gap, closing and
 * error; all other types are events, as shm/envelope.h has them.
 */
#ifndef CCS_RELAY_SAY_H
#define CCS_RELAY_SAY_H

#include "common/strbuf.h"
#include "relay/wish.h"

/* The longest frame of an event. */
enum { SAY_EVENT_MAX = EVENT_PAYLOAD_MAX + 512 };

#define SAY_MISSED_UNKNOWN UINT64_MAX
#define SAY_SEQ_UNKNOWN	   UINT64_MAX

/* The first message: {"type":"connected","server_time":...,"events":[all types],"seq":the client's last,
 * "resume_window":so many before it may be resumed from}. seq 0: it is not known. */
void say_connected(struct strbuf *sb, int64_t now_us, uint64_t seq, uint64_t resume_window);

/* The answer to subscribe and unsubscribe: what the subscription is now, and behind which seq it begins, or
 * SAY_SEQ_UNKNOWN (null). */
void say_subscribed(struct strbuf *sb, const struct wish *wish, uint64_t seq);

void say_event(struct strbuf *sb, const struct event_copy *event, uint64_t prev);

/* Everything up to seq has been looked at, and this reader has all of it that it wants. */
void say_mark(struct strbuf *sb, uint64_t seq);

/* The events behind seq after and before seq before are not to be had here; GET /events has them. before 0: how far
 * that goes is not known. */
void say_resync(struct strbuf *sb, uint64_t after, uint64_t before);

/* Events are lost for this reader: so many, or SAY_MISSED_UNKNOWN (null). */
void say_gap(struct strbuf *sb, uint64_t missed);

/* The connection ends; when to come again. */
void say_closing(struct strbuf *sb, const char *detail, int64_t reconnect_after_ms);

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
