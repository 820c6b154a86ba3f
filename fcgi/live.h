/* What the segment says of one client's entries, for answers whose other half comes from
 * PostgreSQL. A moment's picture, in the request's arena; taken before PostgreSQL is asked, because
 * what has left it by then has its end there, and nothing is seen to go back. While the dispatcher is
 * away it is the last that is known; without a segment it is empty. */
#ifndef CCS_FCGI_LIVE_H
#define CCS_FCGI_LIVE_H

#include "fcgi/app.h"
#include "fcgi/state.h"
#include "shm/gate.h"

struct live_call {
	uint64_t entry_id, queue_master_id, server_id;
	uint32_t n; /* attempt */
	enum state state;
	int64_t sent_us, answered_us; /* 0: not yet */
	char did[24];
};

struct live {
	const struct live_call *v; /* by entry_id */
	size_t n;
	bool known; /* there is a segment */
};

/* All that hold a slot, from the one that is about to be dialled to the one whose outcome is being
 * stored. */
MUST_USE bool live_load(struct app *app, uint64_t client_id, struct live *live, struct err *err);

/* BUSY when the segment cannot tell: for what can be answered from there only. */
MUST_USE bool live_needed(const struct app *app, struct err *err);

/* NULL: none. */
const struct live_call *live_find(const struct live *live, uint64_t entry_id);

/* What keeps each of n waiting entries from being dialled: ids ascending, gates in the same places,
 * GATE_NONE: nothing, or it is not known. */
void live_gates(
	struct app *app, uint64_t client_id, const uint64_t *ids, enum gate *gates, size_t n);

#endif
