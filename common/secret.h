/* Secrets that we must be able to read again (AMI passwords, database addresses of clients) lie in
 * PostgreSQL encrypted: AES-256-GCM with a key that only ever lies in a file, so that a dump of the
 * database tells nothing.
 *
 * Sealed form: version byte 1, 12 bytes nonce, ciphertext, 16 bytes tag.
 */
#ifndef CCS_COMMON_SECRET_H
#define CCS_COMMON_SECRET_H

#include "common/err.h"
#include "common/strbuf.h"
#include "common/token.h"

enum { SECRET_KEY_BYTES = 32, SECRET_EXTRA_BYTES = 1 + 12 + 16 };

struct secret_key {
	uint8_t b[SECRET_KEY_BYTES];
};

/* Makes a new random key file, mode 0600. Refuses when there is a file already: without the old key
 * every sealed secret is lost. */
MUST_USE bool secret_create_key(const char *path, struct err *err);

/* Refuses a file that others may read or that has another length. Wipe the key when it is no longer
 * needed. */
MUST_USE bool secret_load_key(const char *path, struct secret_key *key, struct err *err);

/* Appends the sealed form to out. */
void secret_seal(const struct secret_key *key, struct str plain, struct strbuf *out);

/* Appends the plain text to out; wipe that buffer when it is no longer needed. Fails when the key
 * is another one or a single bit has changed. */
MUST_USE bool secret_open(
	const struct secret_key *key, struct str sealed, struct strbuf *out, struct err *err);

/* HMAC-SHA256: tells whether two texts are one, to whoever has the key, and nothing to others. */
struct digest secret_mac(const struct secret_key *key, struct str text);

enum { PSEUDONYM_BYTES = 32 + 1 };

/* What stands in the place of a text that must not stand there: half of secret_mac, as hex. */
void secret_pseudonym(const struct secret_key *key, struct str text, char out[PSEUDONYM_BYTES]);

/* Overwrites a secret in memory; the compiler may not leave that out. */
void secret_wipe(void *bytes, size_t n);

#endif
