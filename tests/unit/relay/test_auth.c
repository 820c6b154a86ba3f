/* Who may connect, and who must go: keys against a directory in every state. */
#include "relay/auth.h"
#include "shm/directory.h"
#include "shm/tenant.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

#define NOW_US INT64_C(1795337990250000)

static struct segment reader;
static struct rig *rig;
static char key[TOKEN_KEY_CHARS + 1];
static struct shm_client client;

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
	struct shm_key row = {
		.digest = digest_of_key(), .id = 1, .client_id = 7, .expires_us = expires_us};
	assert_non_null(dir_put_key(&rig->seg, &row));
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
	return 0;
}

static int close_world(void **state)
{
	segment_close(&reader);
	return rig_close(state);
}

static const char *why(enum err_kind kind, const struct err *err)
{
	assert_int_equal(err->kind, kind);
	return err->code ? err->code : err_kind_name(err->kind);
}

/* ---- which credential ---- */

static bool choose(const char *header, const char *authorization, const char *query,
	struct str *credential, struct err *err)
{
	struct credentials from = {str_of(header), str_of(authorization), str_of(query)};
	return auth_choose(&from, credential, err);
}

static void test_three_ways_to_send_a_key(void **state)
{
	(void)state;
	struct str credential;
	struct err err;
	assert_true(choose("k1", "", "", &credential, &err));
	assert_true(str_eq(credential, STR("k1")));
	assert_true(choose("", "Bearer k2", "", &credential, &err));
	assert_true(str_eq(credential, STR("k2")));
	assert_true(choose("", "bearer  k2 ", "", &credential, &err));
	assert_true(str_eq(credential, STR("k2")));
	assert_true(choose("", "", "k3", &credential, &err));
	assert_true(str_eq(credential, STR("k3")));
	assert_true(choose("k1", "Bearer k1", "k1", &credential, &err));
}

static void test_none_and_two(void **state)
{
	(void)state;
	struct str credential;
	struct err err;
	assert_false(choose("", "", "", &credential, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_missing");
	assert_false(choose("", "Basic abc", "", &credential, &err));
	assert_string_equal(why(ERR_AUTH, &err), "key_missing");
	assert_false(choose("k1", "", "k3", &credential, &err));
	assert_string_equal(why(ERR_INPUT, &err), "two_identities");
}

/* ---- whose it is ---- */

static const char *refusal(enum err_kind kind)
{
	struct identity identity;
	struct err err;
	assert_false(auth_identify(&reader, str_of(key), NOW_US, &identity, &err));
	return why(kind, &err);
}

static void test_a_good_key(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_ok(auth_identify(&reader, str_of(key), NOW_US, &identity, &err), &err);
	assert_int_equal(identity.client_id, 7);
	assert_int_equal(auth_still(&reader, NOW_US, &identity, &err), STANDING_GOOD);
}

static void test_no_key_at_all(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_false(auth_identify(&reader, STR("secret"), NOW_US, &identity, &err));
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
	assert_ok(auth_identify(&reader, str_of(key), NOW_US, &identity, &err), &err);
	assert_true(tenant_changed(&rig->seg, 7));
	assert_int_equal(auth_still(&reader, NOW_US, &identity, &err), STANDING_UNKNOWN);
	assert_true(dir_remove_key(&rig->seg, &digest));
	put_client();
	assert_int_equal(auth_still(&reader, NOW_US, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "key_unknown");
}

static void test_a_change_that_leaves_the_key_leaves_the_standing(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	assert_ok(auth_identify(&reader, str_of(key), NOW_US, &identity, &err), &err);
	assert_true(tenant_changed(&rig->seg, 7));
	client.rate_limit = 5;
	put_client();
	assert_int_equal(auth_still(&reader, NOW_US, &identity, &err), STANDING_GOOD);
	segment_beat(&rig->seg, clock_mono_us() - 10 * US_PER_S);
	assert_int_equal(auth_still(&reader, NOW_US, &identity, &err), STANDING_UNKNOWN);
}

static void test_a_key_expires_while_it_is_in_use(void **state)
{
	(void)state;
	struct identity identity;
	struct err err;
	put_key(NOW_US + US_PER_S);
	put_client();
	assert_ok(auth_identify(&reader, str_of(key), NOW_US, &identity, &err), &err);
	assert_int_equal(auth_still(&reader, NOW_US, &identity, &err), STANDING_GOOD);
	assert_int_equal(auth_still(&reader, NOW_US + US_PER_S, &identity, &err), STANDING_LOST);
	assert_string_equal(why(ERR_AUTH, &err), "key_expired");
}

#define AUTH_TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_ways_to_send_a_key),
		cmocka_unit_test(test_none_and_two),
		AUTH_TEST(test_a_good_key),
		AUTH_TEST(test_no_key_at_all),
		AUTH_TEST(test_expired),
		AUTH_TEST(test_inactive_clients),
		AUTH_TEST(test_what_cannot_be_known_now_is_busy),
		AUTH_TEST(test_no_segment_is_busy),
		AUTH_TEST(test_a_revoked_key_loses_its_standing),
		AUTH_TEST(test_a_change_that_leaves_the_key_leaves_the_standing),
		AUTH_TEST(test_a_key_expires_while_it_is_in_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
