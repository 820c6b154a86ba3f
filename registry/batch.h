/* A batch as its owner and operators handle it: changing its settings. Over HTTP and by ccsctl alike. */
#ifndef CCS_REGISTRY_BATCH_H
#define CCS_REGISTRY_BATCH_H

#include "common/arena.h"
#include "registry/settings.h"
#include "shm/layout.h"
#include "sql/db.h"

struct batch_change {
	const struct shm_client *client; /* whose batch it is */
	uint64_t queue_id;		 /* its own id, not its batch_id */
	const char *actor;		 /* for the audit */
	uint64_t expected;		 /* the version that is to be changed; 0: whatever it is */
	/* What has happened. */
	uint64_t version;    /* after it; an ETag */
	uint64_t control_id; /* tells the dispatcher; 0: there is nothing to tell */
};

/* Changes what is given, takes back what is to be taken back, and records it in the audit as "batch.change", in one transaction.
 * MISSING; STALE when its version is another than expected; CONFLICT when it was canceled; INPUT, naming the setting. */
MUST_USE bool batch_change(struct db *db, struct batch_change *change,
	const struct batch_settings *settings, struct arena *arena, struct err *err);

#endif
