/* Whole requests through libfcgi, as nginx would send them over a kept connection: the test is both
 * ends of a socketpair.
 *
 *   test                                   worker
 *   BEGIN PARAMS... PARAMS STDIN STDIN  →  FCGX_Accept_r, serve, FCGX_Finish_r
 *                                       ←  STDOUT... END
 */
#include <fcgiapp.h>
#include <sys/socket.h>

#include "fcgi/serve.h"
#include "tests/unit/fcgi/request.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

enum { RECORD_BEGIN = 1, RECORD_END = 3, RECORD_PARAMS = 4, RECORD_STDIN = 5, RECORD_STDOUT = 6 };
enum { HEADER_BYTES = 8, ANSWER_BYTES = 65536 };

struct link {
	struct conf conf;
	struct app app;
	struct reply reply;
	FCGX_Request fcgx;
	int test_fd;
	struct strbuf out;	   /* records to be sent */
	char answer[ANSWER_BYTES]; /* STDOUT of the last request */
	size_t answer_n;
};

static void record(struct link *l, int type, const void *bytes, size_t n)
{
	const uint8_t header[HEADER_BYTES] = {
		1, (uint8_t)type, 0, 1, (uint8_t)(n >> 8), (uint8_t)n, 0, 0};
	strbuf_add(&l->out, header, sizeof(header));
	strbuf_add(&l->out, bytes, n);
}

static void param(struct link *l, const char *name, const char *value)
{
	struct strbuf sb = STRBUF_INIT;
	assert_true(strlen(name) < 128 && strlen(value) < 128);
	strbuf_putc(&sb, (char)strlen(name));
	strbuf_putc(&sb, (char)strlen(value));
	strbuf_puts(&sb, name);
	strbuf_puts(&sb, value);
	record(l, RECORD_PARAMS, sb.p, sb.n);
	strbuf_free(&sb);
}

static void read_all(int fd, void *to, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t k = recv(fd, (char *)to + got, n - got, 0);
		assert_true(k > 0);
		got += (size_t)k;
	}
}

static void read_answer(struct link *l)
{
	uint8_t header[HEADER_BYTES], scrap[UINT16_MAX];
	l->answer_n = 0;
	do {
		read_all(l->test_fd, header, sizeof(header));
		size_t n = (size_t)(header[4] << 8 | header[5]);
		read_all(l->test_fd, scrap, n + header[6]);
		if (header[1] != RECORD_STDOUT)
			continue;
		assert_true(l->answer_n + n < ANSWER_BYTES);
		memcpy(l->answer + l->answer_n, scrap, n);
		l->answer_n += n;
	} while (header[1] != RECORD_END);
	l->answer[l->answer_n] = '\0';
}

/* One request and its answer. length NULL = no CONTENT_LENGTH. */
static void ask(
	struct link *l, const char *method, const char *path, const char *length, const char *body)
{
	static const uint8_t keep[8] = {0, 1, 1}; /* responder, keep the connection */

	strbuf_reset(&l->out);
	record(l, RECORD_BEGIN, keep, sizeof(keep));
	param(l, "REQUEST_METHOD", method);
	param(l, "DOCUMENT_URI", path);
	param(l, "QUERY_STRING", "");
	param(l, "REQUEST_ID", "the-id");
	if (length)
		param(l, "CONTENT_LENGTH", length);
	record(l, RECORD_PARAMS, NULL, 0);
	if (body)
		record(l, RECORD_STDIN, body, strlen(body));
	record(l, RECORD_STDIN, NULL, 0);
	assert_int_equal(send(l->test_fd, l->out.p, l->out.n, 0), l->out.n);

	assert_int_equal(FCGX_Accept_r(&l->fcgx), 0);
	serve(&l->app, &l->fcgx, &l->reply);
	FCGX_Finish_r(&l->fcgx);
	read_answer(l);
	assert_true(l->fcgx.ipcFd >= 0);
}

static bool says(const struct link *l, const char *text)
{
	return strstr(l->answer, text) != NULL;
}

static int open_link(void **state)
{
	static struct link l;
	int pair[2];
	struct err err;

	rig_conf(&l.conf);
	l.conf.api_request_memory_bytes = 4 * 1024 * 1024;
	l.conf.api_max_body_bytes = 1000;
	(void)strcpy(l.conf.common_environment, "test");
	if (!app_open(&l.app, &l.conf, POOL_FAST, &err) || FCGX_Init() != 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -1;
	l.reply = REPLY_INIT;
	l.test_fd = pair[0];
	(void)FCGX_InitRequest(&l.fcgx, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	l.fcgx.ipcFd = pair[1];
	l.fcgx.keepConnection = 1;
	*state = &l;
	return 0;
}

static int close_link(void **state)
{
	struct link *l = *state;
	FCGX_Free(&l->fcgx, 1);
	close(l->test_fd);
	segment_remove(l->app.segment);
	app_close(&l->app);
	reply_free(&l->reply);
	strbuf_free(&l->out);
	return 0;
}

static void test_answers_with_headers_and_json(void **state)
{
	struct link *l = *state;
	ask(l, "GET", "/api/v1/monitoring/status", NULL, NULL);
	assert_true(says(l, "Status: 200\r\nContent-Type: application/json\r\n"));
	assert_true(says(l, "X-Request-Id: the-id\r\n"));
	assert_true(says(l, "Cache-Control: no-store\r\n"));
	assert_true(says(l, "\r\n\r\n{\"status\":\"running\",\"version\":\"" CCS_VERSION
			    "\",\"environment\":\"test\"}"));
}

static void test_errors_are_in_the_envelope(void **state)
{
	struct link *l = *state;
	ask(l, "GET", "/api/v1/nothing", NULL, NULL);
	assert_true(says(l, "Status: 404\r\n"));
	assert_true(says(l, "\"status_code\":404") && says(l, "\"request_id\":\"the-id\""));
	ask(l, "DELETE", "/api/v1/monitoring/status/", NULL, NULL);
	assert_true(says(l, "Status: 405\r\n") && says(l, "Allow: GET, HEAD\r\n"));
	ask(l, "GET", "/api/v1/clients/me", NULL, NULL);
	assert_true(says(l, "Status: 401\r\n") && says(l, "WWW-Authenticate: "));
}

static void test_health_without_a_dispatcher(void **state)
{
	struct link *l = *state;
	ask(l, "GET", "/api/v1/monitoring/health", NULL, NULL);
	assert_true(says(l, "Status: 503\r\n") && says(l, "Retry-After: 1\r\n"));
	assert_true(says(l, "\"status\":\"unhealthy\"") && says(l, "\"dispatcher\":\"failing\""));
}

static void test_work_of_other_pools_is_passed_on(void **state)
{
	struct link *l = *state;
	ask(l, "POST", "/api/v1/queues/quickcall/", "2", "{}");
	assert_string_equal(l->answer, "X-Accel-Redirect: @ccs_sql\r\n\r\n");
	ask(l, "POST", "/api/v1/auth/login", "2", "{}");
	assert_string_equal(l->answer, "X-Accel-Redirect: @ccs_login\r\n\r\n");
}

/* A body that nobody reads would be taken for the beginning of the next request. */
static void test_bodies(void **state)
{
	static const struct {
		const char *length, *body, *status;
	} cases[] = {
		{"2", "{}", "Status: 200\r\n"},
		{"3", "{}", "Status: 400\r\n"},
		{"1", "{}", "Status: 200\r\n"},
		{"", "{}", "Status: 200\r\n"},
		{NULL, "{}", "Status: 200\r\n"},
		{"x", "{}", "Status: 400\r\n"},
		{"-1", NULL, "Status: 400\r\n"},
		{"65537", "{}", "Status: 413\r\n"},
		{"99999999999999999999", "{}", "Status: 400\r\n"},
	};
	struct link *l = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(l, "GET", "/api/v1/monitoring/status", cases[i].length, cases[i].body);
		if (!says(l, cases[i].status))
			fail_msg("case %zu: %s", i, l->answer);
		ask(l, "GET", "/api/v1/monitoring/status", NULL, NULL);
		assert_true(says(l, "Status: 200\r\n"));
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
