/* A batch as its owner and operators handle it, over HTTP and by ccsctl alike: found, shown, changed, paused, canceled. */
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
	json_t *changes;     /* {"channels": {"from": 3, "to": 7}}; the caller drops it */
};

/* Changes what is given, takes back what is to be taken back, and records it in the audit as "batch.change", in one transaction.
 * MISSING; STALE when its version is another than expected; CONFLICT when it was canceled; INPUT, naming the setting. */
MUST_USE bool batch_change(struct db *db, struct batch_change *change,
	const struct batch_settings *settings, struct arena *arena, struct err *err);

/* Pause, resume or cancel. */
struct batch_order {
	const struct shm_client *client;
	uint64_t queue_id;
	const char *kind;  /* as the control row has it */
	const char *actor; /* for the audit; NULL: the client itself, whose own doing it is */
	/* What has happened. */
	uint64_t control_id; /* tells the dispatcher; 0: there was nothing to change */
};

/* MISSING; CONFLICT when it is over, but for a cancel, which then changes nothing. */
MUST_USE bool batch_order(struct db *db, struct batch_order *order, struct err *err);

/* Its queue_id, by that or by a batch_id of any batch in it. MISSING when the client has none. */
MUST_USE bool batch_find_queue(struct db *db, const struct shm_client *client, uint64_t number,
	uint64_t *queue_id, struct err *err);

/* As JSON: what PostgreSQL has of it, with its settings. The caller drops it. */
MUST_USE bool batch_show(struct db *db, const struct shm_client *client, uint64_t queue_id,
	json_t **batch, struct err *err);

/* The client's last batches, the latest first, at most most; and how many it has. */
MUST_USE bool batch_list(struct db *db, const struct shm_client *client, int64_t most,
	json_t **batches, uint64_t *total, struct err *err);

#endif
