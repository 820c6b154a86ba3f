/* What a dialplan tells us about a call of ours, by the application UserEvent:
 *
 *   UserEvent(CcsResult,CallId: ${CCS_CALL_ID},digit: ${DIGIT},...)
 *
 * Asterisk writes the channel it runs on before the line "UserEvent:", and what the dialplan has said behind it. The channel
 * may be another than the call's, an agent's after a transfer say: which call is meant, CallId says.
 */
#ifndef CCS_DISPATCHER_USER_EVENT_H
#define CCS_DISPATCHER_USER_EVENT_H

#include "dispatcher/ami_parse.h"

enum user_event_kind {
	USER_EVENT_OTHER, /* somebody else's */
	USER_EVENT_RESULT,
	USER_EVENT_OPT_OUT,
	USER_EVENT__N
};

struct user_event {
	enum user_event_kind kind;
	struct str call_id; /* as it was said */
	struct str rest;    /* lines that user_event_next has not taken yet */
};

/* Of a message AMI_E_USER_EVENT. Borrows its text. */
struct user_event user_event_read(const struct ami_message *msg);

/* The next "name: value" of the dialplan, CallId left out. False at the end. */
bool user_event_next(struct user_event *event, struct str *name, struct str *value);

#endif
