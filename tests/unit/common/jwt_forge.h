/* Good tokens, and forgeries that are put together by OpenSSL, so that nothing of libjwt is believed. */
#ifndef CCS_TESTS_UNIT_COMMON_JWT_FORGE_H
#define CCS_TESTS_UNIT_COMMON_JWT_FORGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/clock.h"
#include "common/jwt.h"
#include "common/strbuf.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

#define NOW_S  INT64_C(1795338000) /* 2026-11-22T09:00:00Z */
#define NOW_US (NOW_S * US_PER_S)

static const char keys_text[] =
	"oldest00 1700000000 "
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	"newest00 1790000000 "
	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff\n";

static const struct jwt_claims mine = {
	.user_id = 7,
	.session_id = 21,
	.version = 3,
	.issued_s = NOW_S,
	.expires_s = NOW_S + 1800,
	.id = "0123456789abcdef",
};

#define HEADER "{\"alg\":\"HS256\",\"kid\":\"newest00\",\"typ\":\"JWT\"}"
#define CLAIMS                                                                                     \
	"{\"aud\":\"ccs-api\",\"exp\":1795339800,\"iat\":1795338000,\"iss\":\"ccs\","              \
	"\"jti\":\"0123456789abcdef\",\"nbf\":1795338000,\"sid\":21,\"sub\":7,\"ver\":3}"

static struct jwt_ring ring;
static char keys_path[] = "/tmp/ccs-jwt-XXXXXX";

static inline int load_ring(void **state)
{
	struct err err;
	int fd = mkstemp(keys_path);
	(void)state;
	if (fd < 0 || write(fd, keys_text, sizeof(keys_text) - 1) != sizeof(keys_text) - 1 ||
		close(fd) < 0)
		return -1;
	return jwt_ring_load(&ring, keys_path, &err) ? 0 : -1;
}

static inline int unload_ring(void **state)
{
	(void)state;
	jwt_ring_wipe(&ring);
	return unlink(keys_path);
}

/* ---- forging ---- */

static inline void base64url(const void *bytes, size_t n, struct strbuf *out)
{
	unsigned char text[8192];
	int length = EVP_EncodeBlock(text, bytes, (int)n);
	while (length && text[length - 1] == '=')
		length--;
	for (int i = 0; i < length; i++)
		strbuf_putc(out, text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i]);
}

struct forgery {
	const char *header, *claims;
	const EVP_MD *digest; /* NULL: no signature */
	const void *key;
	size_t key_n;
};

static inline const char *forge(const struct forgery *f)
{
	static struct strbuf token;
	unsigned char signature[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	strbuf_free(&token);
	base64url(f->header, strlen(f->header), &token);
	strbuf_putc(&token, '.');
	base64url(f->claims, strlen(f->claims), &token);
	if (f->digest)
		assert_non_null(HMAC(f->digest, f->key, (int)f->key_n,
			(const unsigned char *)token.p, token.n, signature, &n));
	strbuf_putc(&token, '.');
	base64url(signature, n, &token);
	return token.p;
}

/* Signed as we sign, with another header or other claims. */
static inline const char *forge_signed(const char *header, const char *claims)
{
	return forge(&(struct forgery){
		header, claims, EVP_sha256(), ring.key[1].secret, JWT_SECRET_BYTES});
}

static inline const char *issue(enum jwt_use use, const struct jwt_claims *claims)
{
	static char token[JWT_TEXT_BYTES];
	struct err err;
	if (!jwt_issue(&ring, use, claims, token, &err))
		fail_msg("%s", err.text);
	return token;
}

#endif
