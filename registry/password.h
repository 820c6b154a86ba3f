/* Passwords of users, hashed with yescrypt (crypt(5)): slow and greedy on purpose, see COST. */
#ifndef CCS_REGISTRY_PASSWORD_H
#define CCS_REGISTRY_PASSWORD_H

#include "common/err.h"
#include "common/str.h"

enum {
	PASSWORD_HASH_BYTES = 384, /* CRYPT_OUTPUT_SIZE */
	PASSWORD_MIN_BYTES = 8,
	PASSWORD_MAX_BYTES = 256,
};

MUST_USE bool password_hash(struct str password, char out[PASSWORD_HASH_BYTES], struct err *err);

/* Takes as long for a wrong password as for a right one. */
bool password_matches(struct str password, const char *hash);

/* The hash of a password that nobody has, made at the first call: for those whom we do not know, so
 * that refusing them takes as long. */
const char *password_of_nobody(void);

#endif
