/* Who may connect, and who must go: keys against a directory in every state. */
#include "relay/auth.h"
#include "shm/directory.h"
#include "shm/scope.h"
#include "shm/tenant.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

#define NOW_US INT64_C(1795337990250000)

static struct segment reader;
static struct rig *rig;
static char key[TOKEN_KEY_CHARS + 1];
static struct shm_client client;
static struct jwt_ring ring;

static struct digest digest_of_key(void)
{
	return digest_of(str_of(key));
}

static void put_client(void)
{
	assert_true(tenant_generation(&rig->seg, client.id, &client.generation));
	assert_non_null(dir_put_client(&rig->seg, &client));
}

static void put_key(int64_t expires_us)
{
	struct shm_key row = {.digest = digest_of_key(),
		.id = 1,
		.client_id = 7,
		.expires_us = expires_us,
		.scopes = SCOPE_READ};
	assert_non_null(dir_put_key(&rig->seg, &row));
}

static char ring_path[64];

static void make_ring(void)
{
	struct err err;
	(void)snprintf(ring_path, sizeof(ring_path), "/tmp/ccs-relay-jwt-%d", (int)getpid());
	assert_ok(jwt_ring_create(ring_path, &err), &err);
	assert_ok(jwt_ring_load(&ring, ring_path, &err), &err);
}

/* A dispatcher that lives, and one client with one key. The relay's handle is read-only. */
static int open_world(void **state)
{
	struct err err;
	if (rig_open(state) != 0)
		return -1;
	rig = *state;
	(void)segment_begin_epoch(&rig->seg);
	token_new_key(key);
	client = (struct shm_client){.id = 7, .is_active = 1, .status = CLIENT_ACTIVE};
	put_key(0);
	put_client();
	segment_set_ready(&rig->seg, true);
	segment_beat(&rig->seg, clock_mono_us());
	rig_reader(rig, &reader);
	assert_ok(segment_attach_in(&reader, &err), &err);
	make_ring();
	return 0;
}

static int close_world(void **state)
{
	segment_close(&reader);
	(void)unlink(ring_path);
	return rig_close(state);
}

static const char *why(enum err_kind kind, const struct err *err)
{
	assert_int_equal(err->kind, kind);
	return err->code ? err->code : err_kind_name(err->kind);
}

static enum auth_standing still(int64_t now_us, const struct identity *identity, struct err *err)
{
	return auth_still(&reader, &ring, now_us, identity, err);
}

/* ---- which credential ---- */

static bool identify_from(const char *header, const char *authorization, const char *query,
	struct identity *identity, struct err *err)
{
	struct credentials from = {.header = str_of(header),
		.authorization = str_of(authorization),
		.query = str_of(query)};
	return auth_identify(&reader, &ring, &from, NOW_US, identity, err);
}

static const char *bearer(const char *text)
{
	static char out[JWT_TEXT_BYTES + 16];
	(void)snprintf(out, sizeof(out), "bearer  %s ", text);
	return out;
}

static void test_three_ways_to_send_a_key(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_ok(identify_from(key, "", "", &identity, &err), &err);
	assert_ok(identify_from("", bearer(key), "", &identity, &err), &err);
	assert_ok(identify_from("", "", key, &identity, &err), &err);
	assert_ok(identify_from(key, bearer(key), key, &identity, &err), &err);
}

static void test_none_and_two(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_false(identify_from("", "", "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_missing");
	assert_false(identify_from("", "Basic abc", "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_missing");
	assert_false(identify_from(key, "", "other", &identity, &err));
	assert_string_equal(why(ERR_INPUT, &err), "two_identities");
}

/* A certificate is in the directory as a key is; nginx names it where there is nothing else. */
static void test_a_certificate_where_there_is_no_key(void **state)
{
	(void)state;
	char hex[2 * DIGEST_BYTES + 1];
	struct digest digest = digest_of_key();
	struct credentials from = {.certificate = STR("")};
	struct identity identity;
	struct err err;
	hex_encode(digest.b, DIGEST_BYTES, hex);
	from.certificate = str_of(hex);
	assert_ok(auth_identify(&reader, &ring, &from, NOW_US, &identity, &err), &err);
	assert_int_equal(identity.client_id, 7);
	from.header = STR("secret");
	assert_false(auth_identify(&reader, &ring, &from, NOW_US, &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_malformed");
	from = (struct credentials){.certificate = STR("abc")};
	assert_false(auth_identify(&reader, &ring, &from, NOW_US, &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_malformed");
	/* Only there: whoever sends it as a key knows nothing secret. */
	assert_false(identify_from(hex, "", "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_malformed");
}

/* ---- whose it is ---- */

static const char *refusal(enum err_kind kind)
{
	struct identity identity;
	struct err err;
	assert_false(identify_from(key, "", "", &identity, &err));
	return why(kind, &err);
}

static void test_a_good_key(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_ok(identify_from(key, "", "", &identity, &err), &err);
	assert_int_equal(identity.client_id, 7);
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_GOOD);
}

static void test_no_key_at_all(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_false(identify_from("secret", "", "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_malformed");
	token_new_key(key);
	assert_string_equal(refusal(ERR_AUTH), "key_unknown");
}

static void test_expired(void **state)
{
	(void)state;
	put_key(NOW_US);
	assert_string_equal(refusal(ERR_AUTH), "key_expired");
}

static void test_a_key_that_may_not_read(void **state)
{
	struct shm_key row = {.digest = digest_of_key(),
		.id = 1,
		.client_id = 7,
		.scopes = SCOPE_ALL & ~SCOPE_READ};
	(void)state;
	assert_non_null(dir_put_key(&rig->seg, &row));
	assert_string_equal(refusal(ERR_FORBIDDEN), "scope_missing");
}

static void test_inactive_clients(void **state)
{
	(void)state;
	client.is_active = 0;
	put_client();
	assert_string_equal(refusal(ERR_FORBIDDEN), "client_inactive");
	client.is_active = 1;
	client.status = CLIENT_SUSPENDED;
	put_client();
	assert_string_equal(refusal(ERR_FORBIDDEN), "client_inactive");
}

static void test_what_cannot_be_known_now_is_busy(void **state)
{
	(void)state;
	assert_true(tenant_changed(&rig->seg, 7));
	assert_string_equal(refusal(ERR_BUSY), "unavailable");
	put_client();
	segment_beat(&rig->seg, clock_mono_us() - 10 * US_PER_S);
	assert_string_equal(refusal(ERR_BUSY), "unavailable");
	token_new_key(key); /* unknown, but nobody is there who would know it */
	assert_string_equal(refusal(ERR_BUSY), "unavailable");
}

static void test_no_segment_is_busy(void **state)
{
	(void)state;
	segment_close(&reader);
	assert_string_equal(refusal(ERR_BUSY), "unavailable");
}

/* ---- while the connection is open ---- */

static void test_a_revoked_key_loses_its_standing(void **state)
{
	(void)state;
	struct identity identity;
	struct digest digest = digest_of_key();
	struct err err;
	assert_ok(identify_from(key, "", "", &identity, &err), &err);
	assert_true(tenant_changed(&rig->seg, 7));
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_UNKNOWN);
	assert_true(dir_remove_key(&rig->seg, &digest));
	put_client();
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "key_unknown");
}

static void test_a_change_that_leaves_the_key_leaves_the_standing(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_ok(identify_from(key, "", "", &identity, &err), &err);
	assert_true(tenant_changed(&rig->seg, 7));
	client.rate_limit = 5;
	put_client();
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_GOOD);
	segment_beat(&rig->seg, clock_mono_us() - 10 * US_PER_S);
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_UNKNOWN);
}

static void test_a_key_expires_while_it_is_in_use(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	put_key(NOW_US + US_PER_S);
	put_client();
	assert_ok(identify_from(key, "", "", &identity, &err), &err);
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_GOOD);
	assert_int_equal(still(NOW_US + US_PER_S, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "key_expired");
}

/* ---- tokens ---- */

static const struct jwt_claims CLAIMS = {.user_id = 70,
	.session_id = 5,
	.version = 2,
	.issued_s = NOW_US / US_PER_S - 10,
	.expires_s = NOW_US / US_PER_S + 600,
	.id = "0123456789abcdef"};

static const char *token_of(const struct jwt_claims *claims, enum jwt_use use)
{
	static char token[JWT_TEXT_BYTES];
	struct err err;
	assert_ok(jwt_issue(&ring, use, claims, token, &err), &err);
	return token;
}

static void put_user(uint64_t ended)
{
	struct shm_user user = {.id = 70, .client_id = 7, .version = 2, .ended = {ended}};
	assert_non_null(dir_put_user(&rig->seg, &user));
	put_client();
}

static void test_a_token_opens_as_a_key_does(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	put_user(0);
	assert_ok(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err),
		&err);
	assert_int_equal(identity.client_id, 7);
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_GOOD);
	put_user(CLAIMS.session_id);
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "session_ended");
}

static void test_a_connection_ends_with_its_token(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	put_user(0);
	assert_ok(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err),
		&err);
	int64_t end_us = (CLAIMS.expires_s + JWT_LEEWAY_S) * US_PER_S;
	assert_int_equal(still(end_us - 1, &identity, &err), STANDING_GOOD);
	assert_int_equal(still(end_us, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "token_expired");
}

/* Whether a token has expired needs no directory. */
static void test_a_token_expires_while_the_dispatcher_is_away(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	put_user(0);
	assert_ok(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err),
		&err);
	segment_beat(&rig->seg, clock_mono_us() - 10 * US_PER_S);
	int64_t end_us = (CLAIMS.expires_s + JWT_LEEWAY_S) * US_PER_S;
	assert_int_equal(still(end_us - 1, &identity, &err), STANDING_UNKNOWN);
	assert_int_equal(still(end_us, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "token_expired");
}

/* What `ccsctl jwt-key retire` promises holds for connections that are open, too. */
static void test_a_retired_key_takes_its_connections_with_it(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	put_user(0);
	assert_ok(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err),
		&err);
	assert_ok(jwt_ring_rotate(ring_path, &err), &err);
	ring.checked_mono_us = 0;
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_GOOD);
	assert_ok(jwt_ring_retire(ring_path, str_of(identity.token.kid), &err), &err);
	ring.checked_mono_us = 0;
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "token_invalid");
}

/* Of so many sessions that the directory does not hold them all, this one may have ended, too. */
static void test_more_sessions_end_than_the_directory_holds(void **state)
{
	(void)state;
	struct shm_user user = {.id = 70,
		.client_id = 7,
		.version = 2,
		.ended = {14, 13, 12, 11},
		.unsure_until_us = NOW_US,
		.unsure_up_to_id = 14};
	struct jwt_claims newer = CLAIMS;
	struct identity identity;
	struct err err;
	put_user(0);
	assert_ok(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err),
		&err);
	assert_non_null(dir_put_user(&rig->seg, &user));
	put_client();
	assert_int_equal(still(NOW_US, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "token_outdated");
	assert_false(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "token_outdated");

	newer.issued_s = NOW_US / US_PER_S + JWT_LEEWAY_S; /* clocks may differ by so much */
	assert_false(identify_from("", bearer(token_of(&newer, JWT_ACCESS)), "", &identity, &err));
	assert_string_equal(why(ERR_BUSY, &err), "unavailable");
	user.unsure_until_us -= US_PER_S;
	assert_non_null(dir_put_user(&rig->seg, &user));
	assert_ok(
		identify_from("", bearer(token_of(&newer, JWT_ACCESS)), "", &identity, &err), &err);
}

static void test_tokens_that_open_nothing(void **state)
{
	(void)state;
	struct identity identity;
	struct jwt_claims old = CLAIMS;
	struct err err;
	put_user(0);
	old.issued_s -= 3600;
	old.expires_s -= 3600;
	assert_false(identify_from("", bearer(token_of(&old, JWT_ACCESS)), "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "token_expired");
	assert_false(
		identify_from("", bearer(token_of(&CLAIMS, JWT_REFRESH)), "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "token_invalid");
	/* only as a bearer's: in the place of a key it is none */
	assert_false(identify_from(token_of(&CLAIMS, JWT_ACCESS), "", "", &identity, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_malformed");
	assert_true(dir_remove_user(&rig->seg, 70));
	assert_false(identify_from("", bearer(token_of(&CLAIMS, JWT_ACCESS)), "", &identity, &err));
	assert_string_equal(why(ERR_BUSY, &err), "unavailable");
}

#define AUTH_TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUTH_TEST(test_three_ways_to_send_a_key),
		AUTH_TEST(test_none_and_two),
		AUTH_TEST(test_a_certificate_where_there_is_no_key),
		AUTH_TEST(test_a_good_key),
		AUTH_TEST(test_no_key_at_all),
		AUTH_TEST(test_expired),
		AUTH_TEST(test_a_key_that_may_not_read),
		AUTH_TEST(test_inactive_clients),
		AUTH_TEST(test_what_cannot_be_known_now_is_busy),
		AUTH_TEST(test_no_segment_is_busy),
		AUTH_TEST(test_a_revoked_key_loses_its_standing),
		AUTH_TEST(test_a_change_that_leaves_the_key_leaves_the_standing),
		AUTH_TEST(test_a_key_expires_while_it_is_in_use),
		AUTH_TEST(test_a_token_opens_as_a_key_does),
		AUTH_TEST(test_a_connection_ends_with_its_token),
		AUTH_TEST(test_a_token_expires_while_the_dispatcher_is_away),
		AUTH_TEST(test_a_retired_key_takes_its_connections_with_it),
		AUTH_TEST(test_more_sessions_end_than_the_directory_holds),
		AUTH_TEST(test_tokens_that_open_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
