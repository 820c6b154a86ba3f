/* Keys and digests: see token.h. */
#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <zlib.h>

#include "common/log.h"
#include "common/token.h"

#include "common/base.h"

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char live_prefix[] = "ccs_live_", test_prefix[] = "ccs_test_";

void random_bytes(void *out, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t k = getrandom((char *)out + got, n - got, 0);
		if (k < 0 && errno != EINTR)
			die("random.failed", "why=%s", log_q(strerror(errno)));
		if (k > 0)
			got += (size_t)k;
	}
}

void token_random(char *out, size_t n)
{
	for (size_t i = 0; i < n;) {
		uint8_t b;
		random_bytes(&b, 1);
		if (b < 248) /* 4 * 62: no character is likelier than another */
			out[i++] = base62[b % 62];
	}
	out[n] = '\0';
}

static void checksum(const char *text, size_t n, char out[TOKEN_CHECK_CHARS])
{
	uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)n);
	for (int i = TOKEN_CHECK_CHARS - 1; i >= 0; i--) {
		out[i] = base62[crc % 62];
		crc /= 62;
	}
}

static void new_key(const char *prefix, char out[TOKEN_KEY_CHARS + 1])
{
	enum { BODY = TOKEN_PREFIX_CHARS + TOKEN_RANDOM_CHARS };
	memcpy(out, prefix, TOKEN_PREFIX_CHARS);
	token_random(out + TOKEN_PREFIX_CHARS, TOKEN_RANDOM_CHARS);
	checksum(out, BODY, out + BODY);
	out[TOKEN_KEY_CHARS] = '\0';
}

void token_new_key(char out[TOKEN_KEY_CHARS + 1])
{
	new_key(live_prefix, out);
}

void token_new_test_key(char out[TOKEN_KEY_CHARS + 1])
{
	new_key(test_prefix, out);
}

static bool begins_with(struct str text, const char *prefix)
{
	return text.n >= TOKEN_PREFIX_CHARS && memcmp(text.p, prefix, TOKEN_PREFIX_CHARS) == 0;
}

bool token_is_test(struct str key)
{
	return begins_with(key, test_prefix);
}

bool token_is_key(struct str text)
{
	enum { BODY = TOKEN_PREFIX_CHARS + TOKEN_RANDOM_CHARS };
	char check[TOKEN_CHECK_CHARS];

	if (text.n != TOKEN_KEY_CHARS ||
		(!begins_with(text, live_prefix) && !begins_with(text, test_prefix)))
		return false;
	checksum(text.p, BODY, check);
	return memcmp(text.p + BODY, check, TOKEN_CHECK_CHARS) == 0;
}

struct digest digest_of(struct str text)
{
	struct digest d;
	if (EVP_Digest(text.p, text.n, d.b, NULL, EVP_sha256(), NULL) != 1)
		die("digest.failed", "algorithm=sha256");
	return d;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->b, b->b, DIGEST_BYTES) == 0;
}

void hex_encode(const void *bytes, size_t n, char *out)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *b = bytes;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = hex[b[i] >> 4];
		out[2 * i + 1] = hex[b[i] & 15];
	}
	out[2 * n] = '\0';
}

int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct str text, void *bytes, size_t n)
{
	uint8_t *b = bytes;
	if (text.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
