/* Tokens: what the wrapper around libjwt issues, and all that it does not take. */
#include <jansson.h>
#include <openssl/pem.h>

#include "common/arena.h"
#include "tests/unit/common/jwt_forge.h"

static bool verify(const char *token, struct jwt_claims *claims, struct err *err)
{
	*err = (struct err){.kind = ERR_NONE};
	return jwt_verify(&ring, JWT_ACCESS, str_of(token), NOW_US, claims, err);
}

static void assert_refused(const char *token, const char *why)
{
	struct jwt_claims claims;
	struct err err;
	if (verify(token, &claims, &err))
		fail_msg("%s: taken", why);
	assert_int_equal(err.kind, ERR_AUTH);
	assert_string_equal(err.code, "token_invalid");
}

static void assert_mine(const struct jwt_claims *claims)
{
	assert_int_equal(claims->user_id, mine.user_id);
	assert_int_equal(claims->session_id, mine.session_id);
	assert_int_equal(claims->version, mine.version);
	assert_int_equal(claims->issued_s, mine.issued_s);
	assert_int_equal(claims->expires_s, mine.expires_s);
	assert_string_equal(claims->id, mine.id);
}

/* ---- what is taken ---- */

static void test_what_is_issued_is_taken(void **state)
{
	(void)state;
	struct jwt_claims claims;
	struct err err;
	assert_true(verify(issue(JWT_ACCESS, &mine), &claims, &err));
	assert_mine(&claims);
}

/* Not only our own two halves agree with each other: this is the token, to the byte. */
static void test_a_token_is_what_the_standard_says(void **state)
{
	(void)state;
	char issued[JWT_TEXT_BYTES];
	(void)snprintf(issued, sizeof(issued), "%s", issue(JWT_ACCESS, &mine));
	assert_string_equal(issued, forge_signed(HEADER, CLAIMS));
}

static void test_old_keys_still_verify(void **state)
{
	(void)state;
	struct jwt_claims claims;
	struct err err;
	struct forgery old = {"{\"alg\":\"HS256\",\"kid\":\"oldest00\",\"typ\":\"JWT\"}", CLAIMS,
		EVP_sha256(), ring.key[0].secret, JWT_SECRET_BYTES};
	assert_true(verify(forge(&old), &claims, &err));
	assert_mine(&claims);
	old.key = ring.key[1].secret;
	assert_refused(forge(&old), "one key's name, another key's signature");
}

static void test_claims_that_nobody_asked_for_do_no_harm(void **state)
{
	(void)state;
	struct jwt_claims claims;
	struct err err;
	char more[512];
	(void)snprintf(more, sizeof(more), "{\"admin\":true,%s", CLAIMS + 1);
	assert_true(verify(forge_signed(HEADER, more), &claims, &err));
}

static void test_clocks_may_differ_by_the_leeway(void **state)
{
	static const struct {
		int64_t now_s;
		const char *code; /* NULL: taken */
	} cases[] = {
		{NOW_S - JWT_LEEWAY_S - 1, "token_invalid"},
		{NOW_S - JWT_LEEWAY_S, NULL},
		{NOW_S + 1800 + JWT_LEEWAY_S - 1, NULL},
		{NOW_S + 1800 + JWT_LEEWAY_S, "token_expired"},
		{INT64_MAX / US_PER_S, "token_expired"},
		{0, "token_invalid"},
	};
	(void)state;
	const char *token = issue(JWT_ACCESS, &mine);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jwt_claims claims;
		struct err err;
		if (jwt_verify(&ring, JWT_ACCESS, str_of(token), cases[i].now_s * US_PER_S, &claims,
			    &err) != !cases[i].code)
			fail_msg("case %zu", i);
		if (cases[i].code)
			assert_string_equal(err.code, cases[i].code);
	}
}

/* ---- what is not ---- */

static void test_only_our_header(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"None\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"none\",\"typ\":\"JWT\"}",
		"{\"alg\":\"none\"}",
		"{\"alg\":\"HS512\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"hs256\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"RS256\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"newest01\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"../../../dev/null\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":[\"newest00\"],\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"jku\":\"https://evil/"
		"\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"newest00\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"newest00\",\"typ\":\"JWE\"}",
		"{ \"alg\":\"HS256\",\"kid\":\"newest00\",\"typ\":\"JWT\"}",
		"{}",
		"[]",
		"x",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		assert_refused(forge_signed(headers[i], CLAIMS), headers[i]);
}

static void test_only_our_algorithm(void **state)
{
	(void)state;
	struct forgery f = {
		"{\"alg\":\"none\",\"kid\":\"newest00\",\"typ\":\"JWT\"}", CLAIMS, NULL, NULL, 0};
	assert_refused(forge(&f), "no signature, and says so");
	f.header = HEADER;
	assert_refused(forge(&f), "no signature");
	f = (struct forgery){"{\"alg\":\"HS512\",\"kid\":\"newest00\",\"typ\":\"JWT\"}", CLAIMS,
		EVP_sha512(), ring.key[1].secret, JWT_SECRET_BYTES};
	assert_refused(forge(&f), "HS512 by our key");
	f.header = HEADER;
	assert_refused(forge(&f), "HS512 that says HS256");
	f.digest = EVP_sha384();
	assert_refused(forge(&f), "HS384 that says HS256");
}

static void test_no_other_secret(void **state)
{
	(void)state;
	static const char short_key[] = "k";
	struct forgery f = {HEADER, CLAIMS, EVP_sha256(), short_key, 0};
	assert_refused(forge(&f), "the empty key");
	f.key_n = 1;
	assert_refused(forge(&f), "a key of one byte");
	f.key = "newest00";
	f.key_n = 8;
	assert_refused(forge(&f), "the key's name");
	f.key = ring.key[1].secret;
	f.key_n = JWT_SECRET_BYTES - 1;
	assert_refused(forge(&f), "our key, cut");

	/* What an HS256 verifier that was given a public key would fall for. */
	char *pem = NULL;
	BIO *memory = BIO_new(BIO_s_mem());
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	assert_int_equal(PEM_write_bio_PUBKEY(memory, pair), 1);
	f.key_n = (size_t)BIO_get_mem_data(memory, &pem);
	f.key = pem;
	assert_refused(forge(&f), "a public key's PEM");
	EVP_PKEY_free(pair);
	BIO_free(memory);
}

/* In CLAIMS, "from" replaced by "to". */
static void with_change(const char *from, const char *to, char out[1024])
{
	const char *at = strstr(CLAIMS, from);
	assert_non_null(at);
	int before = (int)(at - CLAIMS);
	(void)snprintf(out, 1024, "%.*s%s%s", before, CLAIMS, to, at + strlen(from));
}

static void test_claims_of_the_wrong_kind(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"\"exp\":1795339800,", ""},
		{"\"exp\":1795339800", "\"exp\":1795339800.0"},
		{"\"exp\":1795339800", "\"exp\":1.7953398e9"},
		{"\"exp\":1795339800", "\"exp\":1e30"},
		{"\"exp\":1795339800", "\"exp\":\"1795339800\""},
		{"\"exp\":1795339800", "\"exp\":null"},
		{"\"exp\":1795339800", "\"exp\":true"},
		{"\"exp\":1795339800", "\"exp\":-1795339800"},
		{"\"exp\":1795339800", "\"exp\":0"},
		{"\"exp\":1795339800", "\"exp\":9007199254740992"},
		{"\"exp\":1795339800", "\"exp\":99999999999999999999"},
		{"\"exp\":1795339800", "\"exp\":1795338000"}, /* not after iat */
		{"\"iat\":1795338000,", ""},
		{"\"iat\":1795338000", "\"iat\":\"1795338000\""},
		{"\"nbf\":1795338000,", ""},
		{"\"nbf\":1795338000", "\"nbf\":1795339000"}, /* not yet */
		{"\"nbf\":1795338000", "\"nbf\":1795338000.5"},
		{"\"iss\":\"ccs\",", ""},
		{"\"iss\":\"ccs\"", "\"iss\":\"CCS\""},
		{"\"iss\":\"ccs\"", "\"iss\":[\"ccs\"]"},
		{"\"iss\":\"ccs\"", "\"iss\":\"ccs\\u0000\""},
		{"\"aud\":\"ccs-api\",", ""},
		{"\"aud\":\"ccs-api\"", "\"aud\":\"ccs-refresh\""},
		{"\"aud\":\"ccs-api\"", "\"aud\":[\"ccs-api\"]"},
		{"\"aud\":\"ccs-api\"", "\"aud\":\"https://example.com\""},
		{"\"sub\":7,", ""},
		{"\"sub\":7", "\"sub\":\"7\""},
		{"\"sub\":7", "\"sub\":7.0"},
		{"\"sub\":7", "\"sub\":-7"},
		{"\"sub\":7", "\"sub\":0"},
		{"\"sub\":7", "\"sub\":{\"id\":7}"},
		{"\"sid\":21,", ""},
		{"\"sid\":21", "\"sid\":\"21\""},
		{",\"ver\":3", ""},
		{"\"ver\":3", "\"ver\":\"3\""},
		{"\"jti\":\"0123456789abcdef\",", ""},
		{"\"jti\":\"0123456789abcdef\"", "\"jti\":5"},
		{"\"jti\":\"0123456789abcdef\"", "\"jti\":\"0123456789abcdefg\""},
		{CLAIMS, "[]"},
		{CLAIMS, "{}"},
		{CLAIMS, "7"},
		{CLAIMS, "not JSON"},
	};
	(void)state;
	char claims[1024];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		with_change(cases[i].from, cases[i].to, claims);
		assert_refused(forge_signed(HEADER, claims), claims);
	}
}

static void test_a_token_is_for_one_purpose(void **state)
{
	(void)state;
	struct jwt_claims claims;
	struct err err;
	const char *refresh = issue(JWT_REFRESH, &mine);
	assert_refused(refresh, "a refresh token as access token");
	assert_true(jwt_verify(&ring, JWT_REFRESH, str_of(refresh), NOW_US, &claims, &err));
	assert_false(jwt_verify(
		&ring, JWT_REFRESH, str_of(issue(JWT_ACCESS, &mine)), NOW_US, &claims, &err));
}

static void test_what_is_no_token(void **state)
{
	static const char *const texts[] = {"", ".", "..", "...", "a.b", "a.b.", ".b.c", "a..c",
		"a.b.c.d", "a.b.c ", "a b.c.d", "a.b.c=", "a.b.c\n", "a+b.c.d", "a/b.c.d",
		"\xc3\xa9.b.c", "ccs_live_0123456789"};
	(void)state;
	char longest[JWT_MAX_BYTES + 2];
	struct str text = {longest, sizeof(longest) - 1};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_false(jwt_is_token(str_of(texts[i])));
		assert_refused(texts[i], texts[i]);
	}
	memset(longest, 'A', sizeof(longest));
	longest[10] = longest[100] = '.';
	assert_false(jwt_is_token(text));
	text.n--;
	assert_true(jwt_is_token(text));
	longest[text.n] = '\0';
	assert_refused(longest, "parts of nothing");
	assert_false(jwt_is_token((struct str){NULL, 0}));
	assert_false(jwt_is_token(STR("a.b.c\0")));
}

static void test_without_keys_nothing_is_issued_or_taken(void **state)
{
	(void)state;
	struct jwt_ring empty = {.n = 0};
	struct jwt_claims claims;
	char token[JWT_TEXT_BYTES] = "before";
	struct err err;
	assert_false(jwt_issue(&empty, JWT_ACCESS, &mine, token, &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_string_equal(token, "before");
	assert_false(jwt_verify(
		&empty, JWT_ACCESS, str_of(issue(JWT_ACCESS, &mine)), NOW_US, &claims, &err));
	assert_string_equal(err.code, "token_invalid");
}

/* ---- the coupling: libjwt, jansson and our arena ---- */

static void test_libjwt_and_the_arena_keep_apart(void **state)
{
	(void)state;
	struct arena *arena = arena_new(1024 * 1024);
	json_malloc_t before, during;
	json_free_t give_before, give_during;
	struct jwt_claims claims;
	struct err err;

	json_get_alloc_funcs(&before, &give_before);
	arena_serve_jansson(arena);
	json_get_alloc_funcs(&during, &give_during);
	for (int i = 0; i < 1000; i++) {
		const char *token = issue(JWT_ACCESS, &mine);
		assert_true(verify(token, &claims, &err));
		assert_refused(forge_signed(HEADER, "{\"a\":[1,2"), "not JSON");
		arena_reset(arena);
	}
	json_malloc_t after;
	json_free_t give_after;
	json_get_alloc_funcs(&after, &give_after);
	assert_true(after == during && give_after == give_during);
	assert_int_equal(arena_used(arena), 0);
	json_set_alloc_funcs(before, give_before);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_issued_is_taken),
		cmocka_unit_test(test_a_token_is_what_the_standard_says),
		cmocka_unit_test(test_old_keys_still_verify),
		cmocka_unit_test(test_claims_that_nobody_asked_for_do_no_harm),
		cmocka_unit_test(test_clocks_may_differ_by_the_leeway),
		cmocka_unit_test(test_only_our_header),
		cmocka_unit_test(test_only_our_algorithm),
		cmocka_unit_test(test_no_other_secret),
		cmocka_unit_test(test_claims_of_the_wrong_kind),
		cmocka_unit_test(test_a_token_is_for_one_purpose),
		cmocka_unit_test(test_what_is_no_token),
		cmocka_unit_test(test_without_keys_nothing_is_issued_or_taken),
		cmocka_unit_test(test_libjwt_and_the_arena_keep_apart),
	};
	return cmocka_run_group_tests_name("common/jwt", tests, load_ring, unload_ring);
}
