/* Which numbers a client may show to those whom it calls: its did, and the dids of its servers as GET /clients/allocated-servers
 * lists them. They are read when a request first asks for one, and once. */
#ifndef CCS_REGISTRY_SHOWN_H
#define CCS_REGISTRY_SHOWN_H

#include "common/arena.h"
#include "sql/db.h"

struct shown {
	struct db *db;
	struct arena *arena; /* for as long as this is used */
	uint64_t client_id;
	struct str *dids; /* in the arena, sorted by their bytes */
	size_t n;
	bool is_read;
};

/* *may: it may show did, digit for digit as it was registered. False: that could not be found out. */
MUST_USE bool shown_find(struct shown *shown, struct str did, bool *may, struct err *err);

/* The error of one that it may not; what names the field. Always false. */
bool shown_denied(struct err *err, const char *what);

#endif
