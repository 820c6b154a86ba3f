/* What a client asks for.
 *
 *   {"type":"subscribe","events":["call_started", ...]}   these, and no others any more; may have
 *       "batch_id":12345  "server_code":"ast1"  "phone_number":"9876543210"   only those
 *       "resume_from":4711                                                    from behind this seq on, not from now on
 *   {"type":"unsubscribe"}                                nothing any more, or with "events": not these any more
 */
#ifndef CCS_RELAY_ASK_H
#define CCS_RELAY_ASK_H

#include "relay/say.h"

struct ask {
	bool subscribe;
	struct wish wish; /* to unsubscribe: only its events */
	bool resume;
	uint64_t resume_from;
};

/* Reads a message. True: *ask is what it wants. False: it is none of what we know, and refusal has the error frame that
 * says so. */
MUST_USE bool ask_read(struct str message, struct ask *ask, struct strbuf *refusal);

#endif
