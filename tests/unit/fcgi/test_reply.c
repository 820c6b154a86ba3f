/* Answers: JSON member by member, and the envelope of errors. */
#include "tests/unit/fcgi/request.h"

#include "fcgi/put.h"
#include "fcgi/reply.h"

#include "common/base.h"

static void test_commas_go_between(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	(void)state;
	put_object(&sb, NULL);
	put_array(&sb, "empty");
	put_end(&sb, ']');
	put_text(&sb, "text", STR("a\"[{:\n"));
	put_array(&sb, "list");
	put_i64(&sb, NULL, -1);
	put_text(&sb, NULL, STR("[:{"));
	put_object(&sb, NULL);
	put_end(&sb, '}');
	put_end(&sb, ']');
	put_name(&sb, STR("a\"b"));
	put_object(&sb, NULL);
	put_tenth(&sb, "rate", 80);
	put_bool(&sb, "on", true);
	put_end(&sb, '}');
	put_text(&sb, "none", (struct str){NULL, 0});
	put_time(&sb, "never", INT64_MIN);
	put_time(&sb, "at", NOW_US);
	put_raw(&sb, "raw", STR("{\"x\":1e200000}"));
	put_u64(&sb, "big", 9007199254740991);
	put_end(&sb, '}');
	assert_string_equal(sb.p,
		"{\"empty\":[],\"text\":\"a\\\"[{:\\u000a\",\"list\":[-1,\"[:{\",{}],"
		"\"a\\\"b\":{\"rate\":80.0,\"on\":true},\"none\":null,\"never\":null,"
		"\"at\":\"2026-11-22T08:59:50Z\",\"raw\":{\"x\":1e200000},\"big\":"
		"9007199254740991}");
	strbuf_free(&sb);
}

static json_t *envelope(struct request *r, struct reply *reply)
{
	arena_reset(r->arena);
	json_t *object = json_loadb(reply->body.p, reply->body.n, 0, NULL);
	assert_non_null(object);
	assert_int_equal(json_integer_value(json_object_get(object, "status_code")), reply->status);
	assert_true(json_is_string(json_object_get(object, "detail")));
	assert_string_equal(
		json_string_value(json_object_get(object, "request_id")), r->req.request_id);
	return object;
}

static void test_every_kind_has_a_status(void **state)
{
	static const int wanted[ERR_KIND__N] = {
		500, 400, 401, 403, 404, 405, 409, 412, 428, 413, 429, 503, 500};
	struct request *r = *state;
	struct reply reply = REPLY_INIT;

	assert_true(request_get(r, "/", ""));
	for (enum err_kind kind = ERR_NONE; kind < ERR_KIND__N; kind++) {
		fail_code(&r->err, kind, NULL, "why");
		reply_reset(&reply);
		strbuf_puts(&reply.body, "{\"half\":");
		reply_error(&reply, &r->req, &r->err);
		assert_int_equal(reply.status, wanted[kind]);
		(void)envelope(r, &reply);
	}
	reply_free(&reply);
}

static void test_what_is_ours_is_not_shown(void **state)
{
	struct request *r = *state;
	struct reply reply = REPLY_INIT;

	assert_true(request_get(r, "/", ""));
	fail_code(&r->err, ERR_INTERNAL, NULL, "relation secret does not exist");
	reply_error(&reply, &r->req, &r->err);
	assert_null(strstr(reply.body.p, "secret"));
	assert_string_equal(
		json_string_value(json_object_get(envelope(r, &reply), "code")), "internal_error");
	reply_free(&reply);
}

static void test_busy_and_limited_say_when(void **state)
{
	struct request *r = *state;
	struct reply reply = REPLY_INIT;

	assert_true(request_get(r, "/", ""));
	fail_code(&r->err, ERR_LIMIT, NULL, "slow down");
	r->err.retry_after_s = 17;
	reply_error(&reply, &r->req, &r->err);
	assert_string_equal(reply.headers.p, "Retry-After: 17\r\n");
	reply_reset(&reply);
	fail_code(&r->err, ERR_BUSY, NULL, "starting");
	reply_error(&reply, &r->req, &r->err);
	assert_string_equal(reply.headers.p, "Retry-After: 2\r\n");
	reply_free(&reply);
}

/* An err's text is cut at its buffer's end, perhaps inside a character. */
static void test_a_cut_text_is_still_json(void **state)
{
	struct request *r = *state;
	struct reply reply = REPLY_INIT;
	char text[400];

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 2 ? '\251' : '\303';
	text[sizeof(text) - 1] = '\0';
	assert_true(request_get(r, "/", ""));
	fail_code(&r->err, ERR_INPUT, "odd", "x%s", text);
	reply_error(&reply, &r->req, &r->err);
	assert_string_equal(json_string_value(json_object_get(envelope(r, &reply), "code")), "odd");
	fail_code(&r->err, ERR_INPUT, "even", "%s", text);
	reply_error(&reply, &r->req, &r->err);
	(void)envelope(r, &reply);
	reply_free(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commas_go_between),
		cmocka_unit_test(test_every_kind_has_a_status),
		cmocka_unit_test(test_what_is_ours_is_not_shown),
		cmocka_unit_test(test_busy_and_limited_say_when),
		cmocka_unit_test(test_a_cut_text_is_still_json),
	};
	return cmocka_run_group_tests_name("reply", tests, request_open, request_close);
}
