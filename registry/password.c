/* yescrypt by libcrypt: see password.h. */
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "common/log.h"
#include "common/secret.h"
#include "common/token.h"
#include "registry/password.h"

#include "common/base.h"

/* 2^(7 + 7) blocks of 128 * 32 bytes: 64 MiB, and some 90 ms of one core, for each guess. */
enum { COST = 7 };

_Static_assert(PASSWORD_HASH_BYTES >= CRYPT_OUTPUT_SIZE, "every hash fits");

/* Terminated, as crypt(3) wants it; false when that would change it. */
static bool terminated(struct str password, char out[PASSWORD_MAX_BYTES + 1])
{
	return !memchr(password.p, '\0', password.n) &&
	       str_copy(out, PASSWORD_MAX_BYTES + 1, password);
}

bool password_hash(struct str password, char out[PASSWORD_HASH_BYTES], struct err *err)
{
	char text[PASSWORD_MAX_BYTES + 1];
	void *work = NULL;
	int size = 0;

	if (password.n < PASSWORD_MIN_BYTES || !terminated(password, text))
		return fail_code(err, ERR_INPUT, "invalid_field",
			"password must have %d to %d bytes and no NUL", PASSWORD_MIN_BYTES,
			PASSWORD_MAX_BYTES);
	char *salt = crypt_gensalt_ra("$y$", COST, NULL, 0);
	const char *hash = salt ? crypt_ra(text, salt, &work, &size) : NULL;
	bool ok = hash && hash[0] == '$' && str_copy(out, PASSWORD_HASH_BYTES, str_of(hash));
	if (!ok)
		fail(err, ERR_INTERNAL, "crypt(3) makes no yescrypt hash: %s", strerror(errno));
	secret_wipe(text, sizeof(text));
	secret_wipe(work, size > 0 ? (size_t)size : 0);
	free(work);
	free(salt);
	return ok;
}

bool password_matches(struct str password, const char *hash)
{
	char text[PASSWORD_MAX_BYTES + 1];
	void *work = NULL;
	int size = 0;

	if (!terminated(password, text))
		return false;
	const char *again = crypt_ra(text, hash, &work, &size);
	bool same = again && again[0] == '$' && strlen(again) == strlen(hash) &&
		    CRYPTO_memcmp(again, hash, strlen(hash)) == 0;
	secret_wipe(text, sizeof(text));
	secret_wipe(work, size > 0 ? (size_t)size : 0);
	free(work);
	return same;
}

const char *password_of_nobody(void)
{
	static char hash[PASSWORD_HASH_BYTES];
	char password[33];
	struct err err;

	if (hash[0])
		return hash;
	token_random(password, sizeof(password) - 1);
	if (!password_hash(str_of(password), hash, &err))
		die("password.no_hash", "why=%s", log_q(err.text));
	return hash;
}
