/* API keys. Only the digest is stored: whoever lost a key gets a new one. */
#ifndef CCS_REGISTRY_KEY_H
#define CCS_REGISTRY_KEY_H

#include "common/token.h"
#include "sql/db.h"

struct key_created {
	uint64_t id;
	char key[TOKEN_KEY_CHARS + 1]; /* shown once, to whom it belongs */
};

/* Inside the caller's transaction. name tells a client's keys apart; expires_us 0: never. */
MUST_USE bool key_create(struct db *db, uint64_t client_id, const char *name, int64_t expires_us,
	struct key_created *created, struct err *err);

#endif
