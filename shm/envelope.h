/* How an event reads outside: the same JSON object, whichever way it travels.
 *
 *   {"id":"7-42","seq":42,"prev":40,"type":"call_ended","occurred_at":"2026-11-22T09:00:00.123Z","payload":{...}}
 *
 * id names the event for ever, seq counts the client's events without a hole. prev is the seq of the event that
 * this reader would have been shown before it: a reader who has come less far has missed something.
 */
#ifndef CCS_SHM_ENVELOPE_H
#define CCS_SHM_ENVELOPE_H

#include "common/strbuf.h"
#include "shm/events.h"

/* Appends the object. */
void event_envelope(struct strbuf *sb, const struct event_copy *event, uint64_t prev);

#endif
