/* Telling everybody about a change, and writing down who made it: inside the transaction that
 * makes it. After the commit the caller bumps the client's generation word when the segment is
 * at hand (shm/tenant.h). */
#ifndef CCS_REGISTRY_CHANGE_H
#define CCS_REGISTRY_CHANGE_H

#include "sql/db.h"

/* A control row that makes the dispatcher read the client again (0: all), and a NOTIFY that
 * wakes it. */
MUST_USE bool change_announce(struct db *db, uint64_t client_id, struct err *err);

/* A row of the audit. detail is a JSON object without secrets. The row becomes a link of the chain as the
 * transaction ends (registry/audit.h), so that other transactions wait for this one only then. */
MUST_USE bool change_record(struct db *db, const char *actor, const char *action,
	const char *subject, const char *detail, struct err *err);

#endif
