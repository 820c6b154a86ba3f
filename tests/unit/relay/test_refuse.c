/* The HTTP answer to who is not let in: the same envelope as the API's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "relay/refuse.h"

#include <cmocka.h>

#include "common/base.h"

#define NOW_US INT64_C(1795337990250000)

static const char *refusal(const struct err *err, const char *request_id)
{
	static struct strbuf sb;
	strbuf_reset(&sb);
	refuse_text(&sb, str_of(request_id), err, NOW_US);
	return sb.p;
}

static void test_a_whole_response(void **state)
{
	(void)state;
	struct err err = {.kind = ERR_AUTH, .code = "key_unknown", .text = "nobody has \"this\""};
	assert_string_equal(refusal(&err, "r-1"),
		"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: "
		"125\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\nX-Request-Id: r-1\r\n"
		"WWW-Authenticate: Bearer realm=\"ccs\", ApiKey realm=\"ccs\"\r\n\r\n"
		"{\"detail\":\"nobody has \\\"this\\\"\",\"status_code\":401,\"timestamp\":"
		"\"2026-11-22T08:59:50Z\",\"code\":\"key_unknown\",\"request_id\":\"r-1\"}");
	const char *text = refusal(&err, "r-1");
	assert_int_equal(strlen(strstr(text, "\r\n\r\n") + 4), 125);
}

static void test_try_again_says_when(void **state)
{
	(void)state;
	struct err busy = {.kind = ERR_BUSY, .text = "away"};
	struct err limit = {.kind = ERR_LIMIT, .text = "too many"};
	assert_non_null(strstr(refusal(&busy, ""), "HTTP/1.1 503 "));
	assert_non_null(strstr(refusal(&busy, ""), "\r\nRetry-After: 2\r\n"));
	assert_non_null(strstr(refusal(&limit, ""), "HTTP/1.1 429 "));
	assert_non_null(strstr(refusal(&limit, ""), "\r\nRetry-After: 2\r\n"));
}

static void test_a_request_id_adds_no_header(void **state)
{
	(void)state;
	struct err err = {.kind = ERR_INPUT, .text = "no"};
	assert_null(strstr(refusal(&err, "x\r\nSet-Cookie: a=b"), "Set-Cookie"));
	assert_null(strstr(refusal(&err, "a\"b"), "a\"b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_response),
		cmocka_unit_test(test_try_again_says_when),
		cmocka_unit_test(test_a_request_id_adds_no_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
