/* What a client asks for: {"type":"subscribe","events":["call_started", ...]}. */
#ifndef CCS_RELAY_ASK_H
#define CCS_RELAY_ASK_H

#include "relay/say.h"

/* Reads a message. True: a subscription, and *events is what it names. False: it is none of what we know, and
 * refusal has the error frame that says so. */
MUST_USE bool ask_read(struct str message, event_set *events, struct strbuf *refusal);

#endif
