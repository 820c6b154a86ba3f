/* Secrets that we make, and the digests by which we know them again.
 *
 * An API key is "ccs_live_", or "ccs_test_" of a test account, + 32 base62 characters (190 random bits) + 6 base62 characters of
 * CRC-32 over all before them. A typing error or a random string fails the checksum and costs no
 * look-up; scanners find the prefix. Only SHA-256 of the whole key is stored: 190 random bits need
 * no slow hash.
 */
#ifndef CCS_COMMON_TOKEN_H
#define CCS_COMMON_TOKEN_H

#include "common/str.h"

enum {
	TOKEN_RANDOM_CHARS = 32,
	TOKEN_CHECK_CHARS = 6,
	TOKEN_PREFIX_CHARS = 9, /* "ccs_live_", "ccs_test_" */
	TOKEN_KEY_CHARS = TOKEN_PREFIX_CHARS + TOKEN_RANDOM_CHARS + TOKEN_CHECK_CHARS,
	TOKEN_SHOWN_CHARS =
		TOKEN_PREFIX_CHARS + 6, /* the visible part, to tell keys apart in lists and logs */
	DIGEST_BYTES = 32,
};

struct digest {
	uint8_t b[DIGEST_BYTES];
};

/* Fills n bytes from the kernel's generator; ends the process if that fails. */
void random_bytes(void *out, size_t n);

/* A new key, terminated. */
void token_new_key(char out[TOKEN_KEY_CHARS + 1]);
void token_new_test_key(char out[TOKEN_KEY_CHARS + 1]);

/* The key of a test account, or what is shown of one. */
bool token_is_test(struct str key);

/* Right prefix, length, alphabet and checksum: worth a look-up. */
bool token_is_key(struct str text);

/* n random base62 characters and a terminator. */
void token_random(char *out, size_t n);

/* SHA-256. */
struct digest digest_of(struct str text);

/* In constant time. */
bool digest_eq(const struct digest *a, const struct digest *b);

/* Lower-case hex with a terminator: out holds 2 * n + 1 bytes. */
void hex_encode(const void *bytes, size_t n, char *out);

/* The n bytes that exactly 2 * n hex digits stand for. */
MUST_USE bool hex_decode(struct str text, void *bytes, size_t n);

/* The value of a hex digit; -1 for what is none. */
int hex_value(char c);

#endif
