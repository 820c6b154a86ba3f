/* libjwt, held tight: see jwt.h. Written for its API of 1.10, which 1.17 still has. */
#include <limits.h>
#include <stdlib.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/evp.h>

#include "common/clock.h"
#include "common/jwt.h"

#include "common/base.h"

static const char issuer[] = "ccs";
static const char *const audiences[JWT_USE__N] = {
	[JWT_ACCESS] = "ccs-api",
	[JWT_REFRESH] = "ccs-refresh",
};

/* What every number in JSON can hold. */
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)

enum number { SUB, SID, VER, IAT, NBF, EXP, NUMBER__N };
static const char *const number_names[NUMBER__N] = {"sub", "sid", "ver", "iat", "nbf", "exp"};

_Static_assert(LONG_MAX >= NUMBER_MAX, "libjwt takes numbers as long");

/* ---- memory ---- */

/* libjwt frees with free() what jansson has allocated. A worker's jansson takes its memory from an
 * arena, so it gets the C library's for as long as libjwt is at work. */
struct allocators {
	json_malloc_t take;
	json_free_t give;
};

static struct allocators use_libc(void)
{
	struct allocators kept;
	json_get_alloc_funcs(&kept.take, &kept.give);
	json_set_alloc_funcs(malloc, free);
	return kept;
}

static void use_again(struct allocators kept)
{
	json_set_alloc_funcs(kept.take, kept.give);
}

/* ---- issuing ---- */

/* The token's text; NULL when libjwt refuses. Its caller frees it. */
static char *sign(const struct jwt_key *key, jwt_t *jwt)
{
	if (jwt_add_header(jwt, "kid", key->kid) != 0 ||
		jwt_set_alg(jwt, JWT_ALG_HS256, key->secret, JWT_SECRET_BYTES) != 0)
		return NULL;
	return jwt_encode_str(jwt);
}

static bool add_claims(jwt_t *jwt, enum jwt_use use, const struct jwt_claims *claims)
{
	const int64_t numbers[NUMBER__N] = {
		[SUB] = (int64_t)claims->user_id,
		[SID] = (int64_t)claims->session_id,
		[VER] = (int64_t)claims->version,
		[IAT] = claims->issued_s,
		[NBF] = claims->issued_s,
		[EXP] = claims->expires_s,
	};
	bool ok = jwt_add_grant(jwt, "iss", issuer) == 0 &&
		  jwt_add_grant(jwt, "aud", audiences[use]) == 0 &&
		  jwt_add_grant(jwt, "jti", claims->id) == 0;
	for (enum number i = 0; ok && i < NUMBER__N; i++)
		ok = jwt_add_grant_int(jwt, number_names[i], numbers[i]) == 0;
	return ok;
}

bool jwt_issue(const struct jwt_ring *ring, enum jwt_use use, const struct jwt_claims *claims,
	char out[JWT_TEXT_BYTES], struct err *err)
{
	const struct jwt_key *key = jwt_ring_signer(ring);
	jwt_t *jwt = NULL;

	if (!key)
		return fail(err, ERR_INTERNAL,
			"there is no key to sign a token with: `ccsctl jwt-key init` makes one");
	struct allocators kept = use_libc();
	char *text = jwt_new(&jwt) == 0 && add_claims(jwt, use, claims) ? sign(key, jwt) : NULL;
	bool ok = text && str_copy(out, JWT_TEXT_BYTES, str_of(text));
	jwt_free(jwt);
	free(text);
	use_again(kept);
	return ok || fail(err, ERR_INTERNAL, "libjwt makes no token that fits");
}

bool jwt_key_head(struct jwt_key *key, struct err *err)
{
	jwt_t *jwt = NULL;
	struct str rest, head = {NULL, 0};

	struct allocators kept = use_libc();
	char *text = jwt_new(&jwt) == 0 ? sign(key, jwt) : NULL;
	rest = str_of(text);
	bool ok = text && str_split(&rest, '.', &head) &&
		  str_copy(key->head, sizeof(key->head), head);
	jwt_free(jwt);
	free(text);
	use_again(kept);
	return ok || fail(err, ERR_INTERNAL, "libjwt makes no token with key %s", key->kid);
}

/* ---- verifying ---- */

static bool is_base64url(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool jwt_is_token(struct str text)
{
	struct str part;
	int parts = 0;

	if (text.n > JWT_MAX_BYTES)
		return false;
	for (; str_split(&text, '.', &part); parts++) {
		if (part.n == 0)
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!is_base64url(part.p[i]))
				return false;
	}
	return parts == 3;
}

static bool is_signed(const char *token, const struct jwt_key *key)
{
	jwt_t *jwt = NULL;
	bool ok = jwt_decode(&jwt, token, key->secret, JWT_SECRET_BYTES) == 0 &&
		  jwt_get_alg(jwt) == JWT_ALG_HS256;
	jwt_free(jwt);
	return ok;
}

static unsigned char base64_of(char base64url)
{
	if (base64url == '-')
		return '+';
	return base64url == '_' ? '/' : (unsigned char)base64url;
}

/* A token's claims, or NULL. libjwt would take the last one of two with the same name. */
static json_t *claims_of(struct str token)
{
	unsigned char text[JWT_MAX_BYTES + 4], json[JWT_MAX_BYTES + 4];
	struct str part = {NULL, 0};
	int n = 0, padding = 0;

	(void)str_split(&token, '.', &part);
	(void)str_split(&token, '.', &part);
	for (; n < (int)part.n; n++)
		text[n] = base64_of(part.p[n]);
	for (; n % 4; padding++)
		text[n++] = '=';
	if (padding > 2 || EVP_DecodeBlock(json, text, n) < 0)
		return NULL;
	return json_loadb(
		(const char *)json, (size_t)(n / 4 * 3 - padding), JSON_REJECT_DUPLICATES, NULL);
}

static bool has_text(const json_t *claims, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(claims, name));
	return text && str_eq(str_of(text), str_of(wanted));
}

/* A claim of the wrong type is not converted: "1" and 1.0 are not 1. */
static bool read_claims(const json_t *claims, enum jwt_use use, struct jwt_claims *out)
{
	int64_t numbers[NUMBER__N];
	const char *id = json_string_value(json_object_get(claims, "jti"));

	if (!has_text(claims, "iss", issuer) || !has_text(claims, "aud", audiences[use]) || !id ||
		!str_copy(out->id, sizeof(out->id), str_of(id)))
		return false;
	for (enum number i = 0; i < NUMBER__N; i++) {
		const json_t *value = json_object_get(claims, number_names[i]);
		numbers[i] = json_integer_value(value);
		if (!json_is_integer(value) || numbers[i] < 1 || numbers[i] > NUMBER_MAX)
			return false;
	}
	if (numbers[NBF] != numbers[IAT] || numbers[EXP] <= numbers[IAT])
		return false;
	out->user_id = (uint64_t)numbers[SUB];
	out->session_id = (uint64_t)numbers[SID];
	out->version = (uint64_t)numbers[VER];
	out->issued_s = numbers[IAT];
	out->expires_s = numbers[EXP];
	return true;
}

static bool check_times(const struct jwt_claims *claims, int64_t now_us, struct err *err)
{
	int64_t now_s = now_us / US_PER_S;
	if (claims->issued_s > now_s + JWT_LEEWAY_S)
		return fail_code(err, ERR_AUTH, "token_invalid",
			"the token was issued in the future; is a clock wrong?");
	if (claims->expires_s <= now_s - JWT_LEEWAY_S)
		return fail_code(err, ERR_AUTH, "token_expired",
			"the token has expired; refresh it or sign in again");
	return true;
}

bool jwt_verify(struct jwt_ring *ring, enum jwt_use use, struct str token, int64_t now_us,
	struct jwt_claims *claims, struct err *err)
{
	char text[JWT_MAX_BYTES + 1];
	struct str head, rest = token;
	struct jwt_claims found = {0};

	if (!jwt_is_token(token) || !str_copy(text, sizeof(text), token))
		return fail_code(err, ERR_AUTH, "token_invalid", "this is no token");
	const struct jwt_key *key = str_split(&rest, '.', &head) ? jwt_ring_find(ring, head) : NULL;
	if (!key)
		return fail_code(err, ERR_AUTH, "token_invalid",
			"the token was not signed with a key of ours; sign in again");
	struct allocators kept = use_libc();
	bool was_signed = is_signed(text, key);
	json_t *json = was_signed ? claims_of(token) : NULL;
	bool is_ours = read_claims(json, use, &found);
	json_decref(json);
	use_again(kept);
	if (!was_signed)
		return fail_code(err, ERR_AUTH, "token_invalid", "the token's signature is wrong");
	if (!is_ours)
		return fail_code(err, ERR_AUTH, "token_invalid",
			"the token was made for something else; send the %s",
			use == JWT_ACCESS ? "access_token" : "refresh_token");
	if (!check_times(&found, now_us, err))
		return false;
	memcpy(found.kid, key->kid, sizeof(found.kid));
	*claims = found;
	return true;
}
