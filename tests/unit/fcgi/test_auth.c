/* Who asks, by which credential, from the segment. */
#include "fcgi/auth.h"
#include "shm/directory.h"
#include "shm/scope.h"
#include "shm/tenant.h"
#include "tests/unit/fcgi/request.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

/* A dispatcher's segment with one client, and a fast worker that has attached it. */
struct world {
	struct rig *rig;
	struct request *request;
	struct app app;
	struct shm_client client;
	char key[TOKEN_KEY_CHARS + 1];
	char other_key[TOKEN_KEY_CHARS + 1]; /* of nobody */
	struct shm_user user;
	struct jwt_claims claims; /* of a session that goes on */
};

static void put_client(struct world *w)
{
	assert_true(tenant_generation(&w->rig->seg, w->client.id, &w->client.generation));
	assert_non_null(dir_put_client(&w->rig->seg, &w->client));
}

static void put_key(struct world *w, int64_t expires_us)
{
	const struct shm_key key = {.digest = digest_of(str_of(w->key)),
		.id = 1,
		.client_id = w->client.id,
		.expires_us = expires_us,
		.scopes = SCOPE_READ};
	assert_non_null(dir_put_key(&w->rig->seg, &key));
}

static bool load_ring(struct world *w)
{
	char path[] = "/tmp/ccs-auth-XXXXXX";
	struct err err;
	int fd = mkstemp(path);
	bool ok = fd >= 0 && close(fd) == 0 && unlink(path) == 0 && jwt_ring_create(path, &err) &&
		  jwt_ring_load(&w->app.ring, path, &err);
	(void)unlink(path);
	w->app.ring.checked_mono_us = INT64_MAX; /* the file is gone: never look for it */
	return ok;
}

static int open_world(void **state)
{
	static struct world w;
	struct err err;
	void *part;

	if (rig_open(&part) != 0)
		return -1;
	w = (struct world){.rig = part,
		.client = {.id = 7, .is_active = 1, .weight = 1},
		.user = {.id = 70, .client_id = 7, .version = 2},
		.claims = {70, 5, 2, NOW_US / US_PER_S, NOW_US / US_PER_S + 60, "id"}};
	w.rig->conf.api_request_memory_bytes = 1024 * 1024;
	assert_true(str_copy(w.client.accountcode, sizeof(w.client.accountcode), STR("ACME")));
	token_new_key(w.key);
	token_new_key(w.other_key);
	(void)segment_begin_epoch(&w.rig->seg);
	put_client(&w);
	put_key(&w, 0);
	assert_non_null(dir_put_user(&w.rig->seg, &w.user));
	segment_beat(&w.rig->seg, clock_mono_us());
	segment_set_ready(&w.rig->seg, true);
	if (!app_open(&w.app, &w.rig->conf, POOL_FAST, &err) || !load_ring(&w))
		return -1;
	(void)request_open(&part);
	w.request = part;
	*state = &w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	void *request = w->request, *rig = w->rig;
	app_close(&w->app);
	(void)request_close(&request);
	return rig_close(&rig);
}

static enum auth_verdict ask_with(struct world *w, const char *key)
{
	request_begin(w->request, "GET", "/", "");
	request_env(w->request, "HTTP_X_API_KEY", key);
	assert_true(request_read(w->request));
	app_turn(&w->app);
	return auth_check(&w->app, &w->request->req, &w->request->err);
}

static void assert_refused(struct world *w, enum auth_verdict verdict, const char *code)
{
	assert_int_equal(verdict, AUTH_REFUSED);
	assert_string_equal(w->request->err.code, code);
}

/* Known, so that it can be counted, but not let in. */
static void assert_not_admitted(struct world *w, enum auth_verdict verdict)
{
	assert_int_equal(verdict, AUTH_OK);
	assert_false(auth_admits(w->request->req.client, &w->request->err));
	assert_int_equal(w->request->err.kind, ERR_FORBIDDEN);
	assert_string_equal(w->request->err.code, "client_inactive");
}

static void test_one_credential(void **state)
{
	static const struct {
		const char *header, *bearer, *query, *found; /* found NULL: refused */
	} cases[] = {
		{"h", NULL, "", "h"},
		{NULL, "Bearer b", "", "b"},
		{NULL, "bearer  b ", "", "b"},
		{NULL, NULL, "x-api-key=q", "q"},
		{"s", "Bearer s", "x-api-key=s", "s"},
		{"h", "Basic dXNlcjpw", "", "h"},
		{"", NULL, "x-api-key=q", "q"},
		{"h", "Bearer b", "", NULL},
		{"h", NULL, "x-api-key=q", NULL},
		{NULL, "Bearer b", "x-api-key=q", NULL},
		{NULL, "Basic dXNlcjpw", "", ""},
		{NULL, "Bearer", "", ""},
		{NULL, NULL, "X-API-KEY=q", ""},
		{NULL, NULL, "x-api-key=", ""},
		{NULL, NULL, "", ""},
	};
	struct request *r = ((struct world *)*state)->request;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str found;
		request_begin(r, "GET", "/", cases[i].query);
		if (cases[i].header)
			request_env(r, "HTTP_X_API_KEY", cases[i].header);
		if (cases[i].bearer)
			request_env(r, "HTTP_AUTHORIZATION", cases[i].bearer);
		assert_true(request_read(r));
		if (auth_credential(&r->req, &found, &r->err) != (cases[i].found != NULL))
			fail_msg("case %zu", i);
		if (cases[i].found)
			assert_true(str_eq(found, str_of(cases[i].found)));
	}
}

static void test_known_by_the_directory(void **state)
{
	struct world *w = *state;
	assert_int_equal(ask_with(w, w->key), AUTH_OK);
	assert_int_equal(w->request->req.source, AUTH_SEGMENT);
	assert_int_equal(w->request->req.client->id, 7);
	assert_true(own_accountcode(&w->request->req, STR("ACME"), &w->request->err));
	assert_true(own_accountcode(&w->request->req, (struct str){NULL, 0}, &w->request->err));
	assert_true(own_client_id(&w->request->req, 7, &w->request->err));
	assert_false(own_client_id(&w->request->req, 8, &w->request->err));
	assert_false(own_accountcode(&w->request->req, STR("acme"), &w->request->err));
	assert_int_equal(w->request->err.kind, ERR_FORBIDDEN);
}

static void test_typing_errors_cost_no_look_up(void **state)
{
	struct world *w = *state;
	char key[TOKEN_KEY_CHARS + 1];
	memcpy(key, w->key, sizeof(key));
	key[20] = key[20] == 'a' ? 'b' : 'a';
	assert_refused(w, ask_with(w, key), "key_malformed");
	assert_refused(w, ask_with(w, "secret"), "key_malformed");
	assert_int_equal(w->request->err.kind, ERR_AUTH);
}

static void test_what_the_directory_does_not_know_goes_to_sql(void **state)
{
	struct world *w = *state;
	assert_int_equal(ask_with(w, w->other_key), AUTH_ASK_SQL);
}

static void test_a_change_voids_the_directory_until_it_is_read_again(void **state)
{
	struct world *w = *state;
	app_client_changed(&w->app, w->client.id);
	assert_int_equal(ask_with(w, w->key), AUTH_ASK_SQL);
	put_client(w);
	assert_int_equal(ask_with(w, w->key), AUTH_OK);
}

static void test_a_silent_dispatcher_is_not_believed(void **state)
{
	struct world *w = *state;
	segment_beat(&w->rig->seg, clock_mono_us() - (SEGMENT_STALE_MS + 1) * US_PER_MS);
	assert_int_equal(ask_with(w, w->key), AUTH_ASK_SQL);
	segment_beat(&w->rig->seg, clock_mono_us());
	assert_int_equal(ask_with(w, w->key), AUTH_OK);
}

static void test_expired_and_inactive(void **state)
{
	struct world *w = *state;
	put_key(w, NOW_US);
	assert_refused(w, ask_with(w, w->key), "key_expired");
	put_key(w, NOW_US + 1);
	assert_int_equal(ask_with(w, w->key), AUTH_OK);

	w->client.is_active = 0;
	put_client(w);
	assert_not_admitted(w, ask_with(w, w->key));
	w->client.is_active = 1;
	w->client.status = CLIENT_SUSPENDED;
	put_client(w);
	assert_not_admitted(w, ask_with(w, w->key));
	w->client.status = CLIENT_PAUSED;
	put_client(w);
	assert_int_equal(ask_with(w, w->key), AUTH_OK);
	assert_true(auth_admits(w->request->req.client, &w->request->err));
	assert_int_equal(w->request->req.scopes, SCOPE_READ);
}

/* ---- tokens ---- */

static const char *token_of(
	const struct world *w, enum jwt_use use, const struct jwt_claims *claims)
{
	static char token[JWT_TEXT_BYTES];
	struct err err;
	if (!jwt_issue(&w->app.ring, use, claims, token, &err))
		fail_msg("%s", err.text);
	return token;
}

static enum auth_verdict ask_with_token(struct world *w, const char *token)
{
	char header[JWT_TEXT_BYTES + 16];
	(void)snprintf(header, sizeof(header), "Bearer %s", token);
	request_begin(w->request, "GET", "/", "");
	request_env(w->request, "HTTP_AUTHORIZATION", header);
	assert_true(request_read(w->request));
	app_turn(&w->app);
	return auth_check(&w->app, &w->request->req, &w->request->err);
}

static enum auth_verdict ask_as(struct world *w, struct jwt_claims claims)
{
	return ask_with_token(w, token_of(w, JWT_ACCESS, &claims));
}

static void test_a_token_is_known_by_the_directory(void **state)
{
	struct world *w = *state;
	assert_int_equal(ask_as(w, w->claims), AUTH_OK);
	assert_int_equal(w->request->req.source, AUTH_SEGMENT);
	assert_int_equal(w->request->req.client->id, 7);
	assert_int_equal(w->request->req.token->session_id, 5);
	assert_int_equal(ask_with(w, w->key), AUTH_OK);
	assert_null(w->request->req.token);
}

static void test_a_token_that_is_not_good_costs_no_look_up(void **state)
{
	struct world *w = *state;
	struct jwt_claims old = w->claims;
	old.issued_s -= 3600;
	old.expires_s -= 3600;
	assert_refused(w, ask_as(w, old), "token_expired");
	assert_refused(w, ask_with_token(w, token_of(w, JWT_REFRESH, &w->claims)), "token_invalid");
	assert_refused(w, ask_with_token(w, "e30.e30.e30"), "token_invalid");
	assert_refused(w, ask_with_token(w, "e30.e30"), "key_malformed");
	assert_int_equal(w->request->err.kind, ERR_AUTH);
}

static void test_tokens_come_by_bearer_only(void **state)
{
	struct world *w = *state;
	assert_refused(w, ask_with(w, token_of(w, JWT_ACCESS, &w->claims)), "key_malformed");
}

static void test_a_session_that_is_over(void **state)
{
	struct world *w = *state;
	struct jwt_claims before = w->claims, other = w->claims;
	before.version--;
	other.session_id++;
	w->user.ended[0] = w->claims.session_id;
	assert_non_null(dir_put_user(&w->rig->seg, &w->user));
	assert_refused(w, ask_as(w, w->claims), "session_ended");
	assert_refused(w, ask_as(w, before), "session_ended");
	assert_int_equal(ask_as(w, other), AUTH_OK);
	w->user.ended[0] = 0;
	assert_non_null(dir_put_user(&w->rig->seg, &w->user));
	assert_int_equal(ask_as(w, w->claims), AUTH_OK);
}

static void test_a_token_of_which_the_directory_is_not_certain_goes_to_sql(void **state)
{
	struct world *w = *state;
	struct jwt_claims unknown = w->claims, newer = w->claims;
	unknown.user_id++;
	newer.version++;
	assert_int_equal(ask_as(w, unknown), AUTH_ASK_SQL);
	assert_int_equal(ask_as(w, newer), AUTH_ASK_SQL);
	app_client_changed(&w->app, w->client.id);
	assert_int_equal(ask_as(w, w->claims), AUTH_ASK_SQL);
	put_client(w);
	assert_int_equal(ask_as(w, w->claims), AUTH_OK);
}

static void test_a_token_of_an_inactive_client(void **state)
{
	struct world *w = *state;
	w->client.status = CLIENT_SUSPENDED;
	put_client(w);
	assert_not_admitted(w, ask_as(w, w->claims));
	w->client.status = CLIENT_ACTIVE;
	put_client(w);
	assert_int_equal(ask_as(w, w->claims), AUTH_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_credential),
		cmocka_unit_test(test_known_by_the_directory),
		cmocka_unit_test(test_typing_errors_cost_no_look_up),
		cmocka_unit_test(test_what_the_directory_does_not_know_goes_to_sql),
		cmocka_unit_test(test_a_change_voids_the_directory_until_it_is_read_again),
		cmocka_unit_test(test_a_silent_dispatcher_is_not_believed),
		cmocka_unit_test(test_expired_and_inactive),
		cmocka_unit_test(test_a_token_is_known_by_the_directory),
		cmocka_unit_test(test_a_token_that_is_not_good_costs_no_look_up),
		cmocka_unit_test(test_tokens_come_by_bearer_only),
		cmocka_unit_test(test_a_session_that_is_over),
		cmocka_unit_test(test_a_token_of_which_the_directory_is_not_certain_goes_to_sql),
		cmocka_unit_test(test_a_token_of_an_inactive_client),
	};
	return cmocka_run_group_tests_name("auth", tests, open_world, close_world);
}
