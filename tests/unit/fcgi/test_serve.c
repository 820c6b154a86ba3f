/* Whole requests through libfcgi, as nginx would send them over a kept connection: the test is both
 * ends of a socketpair. */
#include <fcgiapp.h>

#include "fcgi/serve.h"
#include "tests/unit/fcgi/peer.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

struct link {
	struct conf conf;
	struct app app;
	struct reply reply;
	FCGX_Request fcgx;
	struct peer peer;
};

/* One request and its answer. length NULL = no CONTENT_LENGTH. */
static void ask(
	struct link *l, const char *method, const char *path, const char *length, const char *body)
{
	peer_begin(&l->peer, true);
	peer_param(&l->peer, "REQUEST_METHOD", method);
	peer_param(&l->peer, "DOCUMENT_URI", path);
	peer_param(&l->peer, "QUERY_STRING", "");
	peer_param(&l->peer, "REQUEST_ID", "the-id");
	if (length)
		peer_param(&l->peer, "CONTENT_LENGTH", length);
	peer_body(&l->peer, body, body ? strlen(body) : 0);
	peer_send(&l->peer);

	assert_true(fcgx_accept(&l->fcgx));
	assert_true(serve(&l->app, &l->fcgx, &l->reply));
	FCGX_Finish_r(&l->fcgx);
	(void)peer_answer(&l->peer);
	assert_true(l->fcgx.ipcFd >= 0);
}

static bool says(const struct link *l, const char *text)
{
	return strstr(l->peer.answer.p, text) != NULL;
}

static int open_link(void **state)
{
	static struct link l;
	int pair[2];
	struct err err;

	rig_conf(&l.conf);
	l.conf.api_request_memory_bytes = 4 * 1024 * 1024;
	l.conf.api_max_body_bytes = 1000;
	assert_true(str_copy(
		l.conf.common_environment, sizeof(l.conf.common_environment), STR("test")));
	if (!app_open(&l.app, &l.conf, POOL_FAST, &err) || FCGX_Init() != 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	l.reply = REPLY_INIT;
	l.peer.fd = pair[0];
	fcgx_take(&l.fcgx, pair[1]);
	*state = &l;
	return 0;
}

static int close_link(void **state)
{
	struct link *l = *state;
	peer_free(&l->peer); /* first: libfcgi waits for the other side to close */
	FCGX_Free(&l->fcgx, 1);
	segment_remove(l->app.segment);
	app_close(&l->app);
	reply_free(&l->reply);
	return 0;
}

static void test_answers_with_headers_and_json(void **state)
{
	struct link *l = *state;
	ask(l, "GET", "/api/v1/monitoring/status", NULL, NULL);
	assert_true(says(l, "Status: 200 OK\r\nContent-Type: application/json\r\n"));
	assert_true(says(l, "X-Request-Id: the-id\r\n"));
	assert_true(says(l, "Cache-Control: no-store\r\n"));
	assert_true(says(l, "\r\n\r\n{\"status\":\"running\",\"version\":\"" CCS_VERSION
			    "\",\"environment\":\"test\"}"));
}

static void test_errors_are_in_the_envelope(void **state)
{
	struct link *l = *state;
	ask(l, "GET", "/api/v1/nothing", NULL, NULL);
	assert_true(says(l, "Status: 404 Not Found\r\n"));
	assert_true(says(l, "\"status_code\":404") && says(l, "\"request_id\":\"the-id\""));
	ask(l, "DELETE", "/api/v1/monitoring/status/", NULL, NULL);
	assert_true(says(l, "Status: 405 Method Not Allowed\r\n") &&
		    says(l, "Allow: GET, HEAD, OPTIONS\r\n"));
	ask(l, "GET", "/api/v1/clients/me", NULL, NULL);
	assert_true(says(l, "Status: 401 Unauthorized\r\n") && says(l, "WWW-Authenticate: "));
}

static void test_health_without_a_dispatcher(void **state)
{
	struct link *l = *state;
	ask(l, "GET", "/api/v1/monitoring/health", NULL, NULL);
	assert_true(
		says(l, "Status: 503 Service Unavailable\r\n") && says(l, "Retry-After: 1\r\n"));
	assert_true(says(l, "\"status\":\"unhealthy\"") && says(l, "\"segment\":\"failing\"") &&
		    says(l, "\"dispatcher\":\"unknown\"") &&
		    says(l, "the dispatcher has not started"));
}

static void test_work_of_other_pools_is_passed_on(void **state)
{
	struct link *l = *state;
	ask(l, "POST", "/api/v1/controls/setup-channels/", "2", "{}");
	assert_string_equal(l->peer.answer.p, "X-Accel-Redirect: @ccs_sql\r\n\r\n");
	ask(l, "POST", "/api/v1/queues/quickcall/", "2", "{}");
	assert_string_equal(l->peer.answer.p, "X-Accel-Redirect: @ccs_call\r\n\r\n");
	ask(l, "POST", "/api/v1/auth/login", "2", "{}");
	assert_string_equal(l->peer.answer.p, "X-Accel-Redirect: @ccs_login\r\n\r\n");
}

/* A body that nobody reads would be taken for the beginning of the next request. */
static void test_bodies(void **state)
{
	static const struct {
		const char *length, *body, *status;
	} cases[] = {
		{"2", "{}", "Status: 200 OK\r\n"},
		{"3", "{}", "Status: 400 Bad Request\r\n"},
		{"1", "{}", "Status: 200 OK\r\n"},
		{"", "{}", "Status: 200 OK\r\n"},
		{NULL, "{}", "Status: 200 OK\r\n"},
		{"x", "{}", "Status: 400 Bad Request\r\n"},
		{"-1", NULL, "Status: 400 Bad Request\r\n"},
		{"65537", "{}", "Status: 413 Content Too Large\r\n"},
		{"99999999999999999999", "{}", "Status: 400 Bad Request\r\n"},
	};
	struct link *l = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(l, "GET", "/api/v1/monitoring/status", cases[i].length, cases[i].body);
		if (!says(l, cases[i].status))
			fail_msg("case %zu: %s", i, l->peer.answer.p);
		ask(l, "GET", "/api/v1/monitoring/status", NULL, NULL);
		assert_true(says(l, "Status: 200 OK\r\n"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_with_headers_and_json),
		cmocka_unit_test(test_errors_are_in_the_envelope),
		cmocka_unit_test(test_health_without_a_dispatcher),
		cmocka_unit_test(test_work_of_other_pools_is_passed_on),
		cmocka_unit_test(test_bodies),
	};
	return cmocka_run_group_tests_name("serve", tests, open_link, close_link);
}
