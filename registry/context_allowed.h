/* Contexts of servers' dialplans that the batches of a client may ask for: its allowed_contexts, which only an administrator sets. */
#ifndef CCS_REGISTRY_CONTEXT_ALLOWED_H
#define CCS_REGISTRY_CONTEXT_ALLOWED_H

#include "registry/settings.h"
#include "sql/db.h"

/* False: the settings ask for a context that the client may not use (context_denied), or that could not be found out. Not inside a
 * transaction, which it would end. */
MUST_USE bool context_allowed(
	struct db *db, uint64_t client_id, const struct batch_settings *settings, struct err *err);

#endif
