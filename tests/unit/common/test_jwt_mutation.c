/* A hundred thousand changes of good tokens, as transport, typing and malice make them. None is taken, unless it has
 * become, byte for byte, one that was issued. Dice with a fixed seed: a failure comes again. */
#include <inttypes.h>

#include "tests/unit/common/jwt_forge.h"

enum { MUTATIONS = 100000, TEXT_BYTES = 2 * JWT_TEXT_BYTES, PARTS = 3 };

#define OLD_HEADER "{\"alg\":\"HS256\",\"kid\":\"oldest00\",\"typ\":\"JWT\"}"
#define REFRESH_CLAIMS                                                                             \
	"{\"aud\":\"ccs-refresh\",\"exp\":1795339800,\"iat\":1795338000,\"iss\":\"ccs\","          \
	"\"jti\":\"fedcba9876543210\",\"nbf\":1795338000,\"sid\":21,\"sub\":7,\"ver\":3}"
#define OTHER_CLAIMS                                                                               \
	"{\"aud\":\"ccs-api\",\"exp\":1795339800,\"iat\":1795338000,\"iss\":\"ccs\","              \
	"\"jti\":\"0123456789ABCDEF\",\"nbf\":1795338000,\"sid\":22,\"sub\":8,\"ver\":1}"

/* Two keys, two users, both purposes: so that parts of one can be put into another. */
static struct good {
	const char *header, *claims;
	int key;
	enum jwt_use use;
	char text[JWT_TEXT_BYTES];
} goods[] = {
	{HEADER, CLAIMS, 1, JWT_ACCESS, ""},
	{HEADER, REFRESH_CLAIMS, 1, JWT_REFRESH, ""},
	{HEADER, OTHER_CLAIMS, 1, JWT_ACCESS, ""},
	{OLD_HEADER, CLAIMS, 0, JWT_ACCESS, ""},
};

static int make_goods(void **state)
{
	if (load_ring(state) != 0)
		return -1;
	for (struct good *good = goods; good < goods + ARRAY_LEN(goods); good++) {
		const struct forgery f = {good->header, good->claims, EVP_sha256(),
			ring.key[good->key].secret, JWT_SECRET_BYTES};
		if (!str_copy(good->text, sizeof(good->text), str_of(forge(&f))))
			return -1;
	}
	return 0;
}

static uint64_t dice;

static uint32_t roll(uint32_t sides)
{
	dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(dice >> 33) % sides;
}

#define ONE_OF(list) ((list)[roll(ARRAY_LEN(list))])

/* ---- ways to change it ---- */

static struct str change_text(struct str text, char out[TEXT_BYTES])
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/{}\":, \n";
	size_t n = text.n, at = roll((uint32_t)n), other = roll((uint32_t)n);
	char letter = letters[roll(sizeof(letters) - 1)];

	memcpy(out, text.p, n);
	switch (roll(7)) {
	case 0:
		out[at] = letter;
		break;
	case 1:
		out[at] = (char)(out[at] ^ 1 << roll(8));
		break;
	case 2:
		memmove(out + at, out + at + 1, n - at - 1);
		n--;
		break;
	case 3:
		memmove(out + at + 1, out + at, n - at);
		out[at] = letter;
		n++;
		break;
	case 4:
		out[at] = text.p[other];
		out[other] = text.p[at];
		break;
	case 5:
		n = at;
		break;
	default: /* a piece of it, once more */
		other = MIN(other, n - at);
		memcpy(out + n, text.p + at, other);
		n += other;
	}
	return (struct str){out, n};
}

static struct str change_characters(const struct good *good, char out[TEXT_BYTES])
{
	return change_text(str_of(good->text), out);
}

static struct str part(const struct good *good, uint32_t which)
{
	struct str rest = str_of(good->text), found = {NULL, 0};
	for (uint32_t i = 0; i <= which; i++)
		assert_true(str_split(&rest, '.', &found));
	return found;
}

/* Parts of whichever token, in any order. */
static struct str change_parts(const struct good *good, char out[TEXT_BYTES])
{
	size_t n = 0;
	for (uint32_t i = 0; i < PARTS; i++) {
		const struct good *from = roll(2) ? good : &ONE_OF(goods);
		struct str one = part(from, roll(8) ? i : roll(PARTS));
		memcpy(out + n, one.p, one.n);
		n += one.n;
		out[n++] = '.';
	}
	return (struct str){out, n - 1};
}

/* Any text in the place of a part, rightly encoded. */
static struct str put_part(
	const struct good *good, uint32_t which, struct str text, char out[TEXT_BYTES])
{
	struct strbuf token = STRBUF_INIT;
	for (uint32_t i = 0; i < PARTS; i++) {
		strbuf_puts(&token, i ? "." : "");
		if (i == which)
			base64url(text.p, text.n, &token);
		else
			strbuf_str(&token, part(good, i));
	}
	size_t n = token.n;
	assert_true(n <= TEXT_BYTES);
	memcpy(out, token.p, n);
	strbuf_free(&token);
	return (struct str){out, n};
}

static const char *const headers[] = {
	"{\"alg\":\"none\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
	"{\"alg\":\"NONE\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS384\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS512\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
	"{\"alg\":\"RS256\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
	"{\"alg\":\"ES256\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS256\",\"kid\":\"newest0\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS256\",\"kid\":\"\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS256\",\"kid\":\"/dev/null\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS256\",\"kid\":null,\"typ\":\"JWT\"}",
	"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
	"{\"alg\":\"HS256\",\"kid\":\"newest00\",\"typ\":\"JWE\"}",
	"{\"alg\":\"HS256\",\"kid\":\"newest00\"}",
	"{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"kid\":\"newest00\",\"typ\":"
	"\"JWT\"}",
	"{\"alg\":\"HS256\",\"crit\":[],\"kid\":\"newest00\",\"typ\":\"JWT\"}",
	"{\"typ\":\"JWT\",\"kid\":\"newest00\",\"alg\":\"HS256\"}",
};

static struct str change_header(const struct good *good, char out[TEXT_BYTES])
{
	char text[TEXT_BYTES];
	struct str header =
		roll(2) ? change_text(str_of(good->header), text) : str_of(ONE_OF(headers));
	return put_part(good, 0, header, out);
}

/* In claims as we write them, another value of this name. Terminated. */
static struct str put_value(
	const char *claims, const char *name, const char *value, char out[TEXT_BYTES])
{
	char quoted[8];
	struct strbuf text = STRBUF_INIT;

	(void)snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	const char *at = strstr(claims, quoted) + strlen(quoted);
	strbuf_add(&text, claims, (size_t)(at - claims));
	strbuf_puts(&text, value);
	strbuf_puts(
		&text, at + (*at == '"' ? strcspn(at + 1, "\"") + 2 : strspn(at, "0123456789")));
	assert_true(str_copy(out, TEXT_BYTES, strbuf_view(&text)));
	strbuf_free(&text);
	return str_of(out);
}

/* Another number, or other bytes, under the signature of what was there. */
static struct str change_claims(const struct good *good, char out[TEXT_BYTES])
{
	static const char *const names[] = {"exp", "iat", "nbf", "sid", "sub", "ver"};
	char text[TEXT_BYTES], number[16];

	(void)snprintf(number, sizeof(number), "%" PRIu32, roll(INT32_MAX));
	struct str claims = roll(2) ? change_text(str_of(good->claims), text)
				    : put_value(good->claims, ONE_OF(names), number, text);
	return put_part(good, 1, claims, out);
}

/* Header and claims as they like, signed with what an attacker may try: everything but the secret with SHA-256. */
static struct str sign_otherwise(const struct good *good, char out[TEXT_BYTES])
{
	static const uint8_t zeros[JWT_SECRET_BYTES];
	const uint8_t *secret = ring.key[good->key].secret;
	const struct forgery signatures[] = {
		{NULL, NULL, NULL, NULL, 0},
		{NULL, NULL, EVP_sha256(), zeros, 0},
		{NULL, NULL, EVP_sha256(), zeros, 1},
		{NULL, NULL, EVP_sha256(), zeros, sizeof(zeros)},
		{NULL, NULL, EVP_sha256(), "newest00", 8},
		{NULL, NULL, EVP_sha256(), keys_text, sizeof(keys_text) - 1},
		{NULL, NULL, EVP_sha256(), secret, JWT_SECRET_BYTES - 1},
		{NULL, NULL, EVP_sha256(), ring.key[1 - good->key].secret, JWT_SECRET_BYTES},
		{NULL, NULL, EVP_sha1(), secret, JWT_SECRET_BYTES},
		{NULL, NULL, EVP_sha384(), secret, JWT_SECRET_BYTES},
		{NULL, NULL, EVP_sha512(), secret, JWT_SECRET_BYTES},
	};
	struct forgery f = ONE_OF(signatures);
	char text[TEXT_BYTES + 1];
	struct str claims = change_text(str_of(good->claims), text);

	text[claims.n] = '\0';
	f.header = roll(2) ? good->header : ONE_OF(headers);
	f.claims = roll(2) ? good->claims : text;
	struct str token = str_of(forge(&f));
	memcpy(out, token.p, token.n);
	return (struct str){out, token.n};
}

static struct str (*const ways[])(const struct good *, char[TEXT_BYTES]) = {
	change_characters,
	change_parts,
	change_header,
	change_claims,
	sign_otherwise,
};

/* ---- none is taken ---- */

static bool is_issued(struct str token, enum jwt_use use)
{
	for (const struct good *good = goods; good < goods + ARRAY_LEN(goods); good++)
		if (good->use == use && str_eq(token, str_of(good->text)))
			return true;
	return false;
}

static bool is_taken(struct str token, enum jwt_use use)
{
	struct jwt_claims claims = {.user_id = 99};
	struct err err = {.kind = ERR_NONE};
	bool taken = jwt_verify(&ring, use, token, NOW_US, &claims, &err);
	if (!taken) {
		assert_int_equal(err.kind, ERR_AUTH);
		assert_int_equal(claims.user_id, 99);
	}
	return taken;
}

static void test_no_mutation_is_taken(void **state)
{
	int taken = 0, refused[ARRAY_LEN(ways)] = {0};
	char out[TEXT_BYTES];
	(void)state;

	dice = 20261122;
	for (int i = 0; i < MUTATIONS; i++) {
		uint32_t way = (uint32_t)i % ARRAY_LEN(ways);
		struct str token = ways[way](&ONE_OF(goods), out);
		enum jwt_use use = roll(2) ? JWT_ACCESS : JWT_REFRESH;
		bool issued = is_issued(token, use);
		if (is_taken(token, use) != issued)
			fail_msg("%s: %.*s", issued ? "refused" : "taken", (int)token.n, token.p);
		taken += issued;
		refused[way] += !issued;
	}
	for (size_t way = 0; way < ARRAY_LEN(ways); way++)
		assert_in_range(refused[way], MUTATIONS / ARRAY_LEN(ways) / 2, MUTATIONS);
	assert_in_range(taken, 1, MUTATIONS / 10); /* parts that fell into place again */
}

/* Every bit of a token, and every length. The bits of the last character that stand for no bit of the signature count as
 * well. */
static void test_no_single_bit_is_left_out(void **state)
{
	char text[JWT_TEXT_BYTES];
	(void)state;
	for (const struct good *good = goods; good < goods + ARRAY_LEN(goods); good++) {
		size_t n = strlen(good->text);
		assert_true(is_taken(str_of(good->text), good->use));
		memcpy(text, good->text, n + 1);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
			if (is_taken((struct str){text, n}, good->use))
				fail_msg("bit %zu: taken", bit);
			text[bit / 8] = good->text[bit / 8];
		}
		for (size_t length = 0; length < n; length++)
			if (is_taken((struct str){text, length}, good->use))
				fail_msg("the first %zu bytes: taken", length);
	}
}

/* ---- our own signature below claims that are not ours ---- */

/* Any text names a token. */
static bool is_name(const char *name, const char *value)
{
	return strcmp(name, "jti") == 0 && strcmp(value, "\"7\"") == 0;
}

static void test_no_claim_is_of_another_kind(void **state)
{
	static const char *const names[] = {
		"aud", "iss", "jti", "exp", "iat", "nbf", "sid", "sub", "ver"};
	static const char *const values[] = {"null", "true", "false", "0", "-1", "0.0", "1.5",
		"1795339800.0", "1e9", "1E400", "9007199254740992", "9223372036854775807",
		"9223372036854775808", "-9223372036854775809", "01", "0x10", "NaN", "\"7\"",
		"\"1795339800\\u0000\"", "\"\\ud800\"", "\"ccs-api and some more\"", "[]", "[7]",
		"[\"ccs-api\"]", "{}", "{\"a\":7}", "7,\"sub\":7", "\"ccs\",\"iss\":\"ccs\"", "",
		"7}", "7 7"};
	char text[TEXT_BYTES];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (size_t j = 0; j < ARRAY_LEN(values); j++) {
			(void)put_value(CLAIMS, names[i], values[j], text);
			if (is_taken(str_of(forge_signed(HEADER, text)), JWT_ACCESS) !=
				is_name(names[i], values[j]))
				fail_msg("%s", text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_mutation_is_taken),
		cmocka_unit_test(test_no_single_bit_is_left_out),
		cmocka_unit_test(test_no_claim_is_of_another_kind),
	};
	return cmocka_run_group_tests_name("common/jwt_mutation", tests, make_goods, unload_ring);
}
