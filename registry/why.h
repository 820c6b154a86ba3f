/* Why is this not called? One entry, one batch or one client, explained: what PostgreSQL has of it beside what the segment
 * shows (shm/explain.h), for GET .../explain and `ccsctl why' alike. */
#ifndef CCS_REGISTRY_WHY_H
#define CCS_REGISTRY_WHY_H

#include "shm/explain.h"
#include "sql/db.h"

enum why_stage {
	WHY_WAITS, /* the gates say why */
	WHY_LIVES, /* it is being called */
	WHY_OVER,
	WHY_STAGE__N
};

struct why {
	uint64_t client_id;
	uint64_t entry_id;     /* 0: a batch or a client */
	uint64_t queue_id;     /* 0: a quick call or a client */
	uint64_t batch_id;     /* 0: likewise */
	uint64_t total, open;  /* entries of a batch, and those without an end */
	uint64_t attempts;     /* of an entry, begun */
	char phone_number[40]; /* of an entry */
	char status
		[16]; /* "queued", "ringing", "busy"; of a batch "pending", "active", "finished" */
	char reason[64];  /* of an entry's end; "" = none */
	int64_t ended_us; /* 0: not yet */
	enum why_stage stage;
	struct explain_entry entry; /* not for a client */
	struct explain explain;	    /* while it waits */
	struct explained verdict;   /* likewise; GATE_NONE: nothing is in the way */
};

/* Fills why from both sides; found false: there is no such entry or batch, or it is not this client's. client_id 0: of any
 * client, for operators. While it waits the segment must be fresh: BUSY else, and when the segment does not know the
 * client yet. seg may be unattached. */
MUST_USE bool why_entry(struct db *db, const struct segment *seg, uint64_t client_id,
	uint64_t entry_id, int64_t now_us, struct why *why, bool *found, struct err *err);
MUST_USE bool why_batch(struct db *db, const struct segment *seg, uint64_t client_id,
	uint64_t queue_id, int64_t now_us, struct why *why, bool *found, struct err *err);

/* From the segment alone. */
MUST_USE bool why_client(const struct segment *seg, uint64_t client_id, int64_t now_us,
	struct why *why, struct err *err);

enum { WHY_TEXT_BYTES = 320 };

/* The whole of it in one sentence. */
const char *why_text(const struct why *why, char out[WHY_TEXT_BYTES]);

#endif
