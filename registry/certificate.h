/* Certificates that stand for a client, as a key does: whoever connects with one is that client. */
#ifndef CCS_REGISTRY_CERTIFICATE_H
#define CCS_REGISTRY_CERTIFICATE_H

#include "common/certificate.h"
#include "sql/db.h"

struct certificate_owner {
	uint64_t client_id;
	char accountcode[48];
};

/* These are for the owner's connection. CONFLICT when the certificate stands for somebody already, MISSING when there is
 * no such client. */
MUST_USE bool certificate_add(struct db *db, const char *actor, struct str accountcode,
	const struct certificate *certificate, struct certificate_owner *owner, struct err *err);

/* MISSING when it stands for nobody. */
MUST_USE bool certificate_remove(struct db *db, const char *actor, const struct digest *fingerprint,
	struct certificate_owner *owner, struct err *err);

/* Columns: accountcode, fingerprint, subject, not_after, created_at; p NULL: those of all clients. */
MUST_USE bool certificate_list(
	struct db *db, struct str accountcode, struct rows *rows, struct err *err);

#endif
