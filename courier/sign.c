/* HMAC over what we send: see sign.h. */
#include "courier/sign.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/log.h"
#include "common/secret.h"
#include "common/token.h"

#include "common/base.h"

enum { MAC_BYTES = 32, BASE64_BYTES = 48 };

static void mac(const void *key, size_t key_n, struct str text, uint8_t out[MAC_BYTES])
{
	unsigned n = MAC_BYTES;
	if (!HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, out, &n))
		die("sign.hmac", "bytes=%zu", text.n);
}

void sign_body(struct strbuf *out, struct str secret, struct str body)
{
	uint8_t digest[MAC_BYTES];
	char hex[2 * MAC_BYTES + 1];

	mac(secret.p, secret.n, body, digest);
	hex_encode(digest, sizeof(digest), hex);
	strbuf_puts(out, hex);
}

static bool key_of(struct str secret, uint8_t key[SIGN_SECRET_BYTES], size_t *n)
{
	static const char prefix[] = "whsec_";
	size_t head = sizeof(prefix) - 1;

	if (secret.n <= head || secret.n >= SIGN_SECRET_BYTES ||
		memcmp(secret.p, prefix, head) != 0 || (secret.n - head) % 4)
		return false;
	int decoded = EVP_DecodeBlock(
		key, (const unsigned char *)secret.p + head, (int)(secret.n - head));
	if (decoded < 0)
		return false;
	*n = (size_t)decoded; /* padding counts as bytes there */
	for (size_t i = secret.n; i > head && secret.p[i - 1] == '='; i--)
		(*n)--;
	return true;
}

bool sign_standard(
	struct strbuf *out, struct str secret, struct str id, int64_t timestamp, struct str body)
{
	uint8_t key[SIGN_SECRET_BYTES], digest[MAC_BYTES];
	unsigned char base64[BASE64_BYTES];
	struct strbuf text = STRBUF_INIT;
	size_t n;

	if (!key_of(secret, key, &n))
		return false;
	strbuf_str(&text, id);
	strbuf_printf(&text, ".%" PRId64 ".", timestamp);
	strbuf_str(&text, body);
	mac(key, n, strbuf_view(&text), digest);
	strbuf_free(&text);
	secret_wipe(key, sizeof(key));
	(void)EVP_EncodeBlock(base64, digest, sizeof(digest));
	strbuf_printf(out, "v1,%s", (const char *)base64);
	return true;
}
