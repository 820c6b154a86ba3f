/* Results of calls, as the dialplan tells them (user_event.h): into the segment (shm/result.h), and from there into the call's
 * detail and its last event. */
#ifndef CCS_DISPATCHER_CALL_RESULT_H
#define CCS_DISPATCHER_CALL_RESULT_H

#include "dispatcher/dispatcher.h"
#include "dispatcher/user_event.h"

/* Takes what a server tells about a live call of its own; anything else is refused and logged. */
void call_result_take(struct server *server, struct user_event *event);

/* Appends {"digit":"5"} or null. */
void call_result_json(const struct dispatcher *d, const struct slot *slot, struct strbuf *out);

/* Who has answered, by Asterisk's answering-machine detection (results amd_status and amd_cause): "human", "machine", "unknown"
 * where it could not tell; NULL where nobody has asked it. */
const char *call_answered_by(const struct dispatcher *d, const struct slot *slot);

#endif
