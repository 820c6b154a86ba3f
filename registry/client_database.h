/* A client's own database, from the operator's side: where it is, how far finished calls are copied, whether we get there. */
#ifndef CCS_REGISTRY_CLIENT_DATABASE_H
#define CCS_REGISTRY_CLIENT_DATABASE_H

#include "common/address_wall.h"
#include "common/secret.h"
#include "sql/client_url.h"
#include "sql/db.h"

/* Position, last_seq, calls copied, last error: a JSON object, appended to out. MISSING when the client has no such database. */
MUST_USE bool client_database_show(
	struct db *db, uint64_t client_id, struct strbuf *out, struct err *err);

/* Has calls copied again from the event seq on; those that are there stay as they are. */
MUST_USE bool client_database_replay(struct db *db, const char *actor, uint64_t client_id,
	const char *accountcode, uint64_t seq, struct err *err);

/* Its address. Wipe it. INPUT when there are two that name different databases. */
MUST_USE bool client_database_address(struct db *db, const struct secret_key *key,
	uint64_t client_id, struct client_url *url, struct err *err);

/* Connects as the courier does, makes the table when there is none, and prepares what is stored into it. Waits. */
MUST_USE bool client_database_try(const struct client_url *url, const struct address_wall *wall,
	const char *ca_file, struct err *err);

#endif
