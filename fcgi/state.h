/* Where an entry stands: one list of names for rows, counts and filters. What is over stands in
 * PostgreSQL, what is live in the segment, and the rest waits: pending until its batch is
 * dispatched, then queued. */
#ifndef CCS_FCGI_STATE_H
#define CCS_FCGI_STATE_H

#include "fcgi/req.h"

enum state {
#define STATE(name) STATE_##name,
#include "fcgi/state.def"
#undef STATE
	STATE__N
};

#define STATE_FIRST_FINAL STATE_completed

struct str state_name(enum state state);

/* The query's status, from first on; absent = *state stays as it is. Fails with INPUT, naming all that there are. */
MUST_USE bool state_read(
	const struct req *req, enum state first, enum state *state, struct err *err);

#endif
