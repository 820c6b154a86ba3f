/* What a handler reads of a request. */
#include "tests/unit/fcgi/request.h"

#include "common/base.h"

static void test_decodes_the_query(void **state)
{
	struct request *r = *state;
	assert_true(request_get(r, "/", "a=1&b=x%20y+z&c=&d&e=%C3%A9%26%3D&&f=a=b"));
	assert_int_equal(r->req.query_n, 6);
	assert_true(str_eq(req_query(&r->req, "a"), STR("1")));
	assert_true(str_eq(req_query(&r->req, "b"), STR("x y z")));
	assert_true(str_eq(req_query(&r->req, "c"), STR("")));
	assert_non_null(req_query(&r->req, "c").p);
	assert_non_null(req_query(&r->req, "d").p);
	assert_true(str_eq(req_query(&r->req, "e"), STR("\303\251&=")));
	assert_true(str_eq(req_query(&r->req, "f"), STR("a=b")));
	assert_null(req_query(&r->req, "A").p);
	assert_null(req_query(&r->req, "g").p);
}

static void test_refuses_what_is_no_query(void **state)
{
	static const char *const queries[] = {"a=%", "a=%4", "a=%4x", "a=%zz", "%00=1", "a=%00",
		"a=%ff", "a=%c3", "a=%ed%a0%80", "a=%c0%80", "a=1&a=2", "x=1&%78=2"};
	struct request *r = *state;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		if (request_get(r, "/", queries[i]))
			fail_msg("%s: taken", queries[i]);
		assert_int_equal(r->err.kind, ERR_INPUT);
		assert_true(strlen(r->req.request_id) > 0);
	}
}

static void test_a_query_has_an_end(void **state)
{
	struct request *r = *state;
	struct strbuf query = STRBUF_INIT;
	for (int i = 0; i <= REQ_QUERY_MAX; i++)
		strbuf_printf(&query, "p%d=&", i);
	assert_false(request_get(r, "/", query.p));
	strbuf_free(&query);
	assert_int_equal(r->err.kind, ERR_INPUT);
}

static void test_numbers_and_switches(void **state)
{
	struct request *r = *state;
	uint64_t page = 1, size = 50;
	bool strict = false, no = true;

	assert_true(request_get(r, "/", "page=3&size=0&strict&no=0&maybe=2"));
	assert_true(req_query_u64(&r->req, "page", 1, 100, &page, &r->err));
	assert_int_equal(page, 3);
	assert_false(req_query_u64(&r->req, "size", 1, 100, &size, &r->err));
	assert_string_equal(r->err.text, "size must be a whole number from 1 to 100");
	assert_int_equal(size, 50);
	assert_true(req_query_u64(&r->req, "absent", 1, 100, &size, &r->err));
	assert_int_equal(size, 50);
	assert_true(req_query_bool(&r->req, "strict", &strict, &r->err) && strict);
	assert_true(req_query_bool(&r->req, "no", &no, &r->err) && !no);
	assert_false(req_query_bool(&r->req, "maybe", &no, &r->err));
}

static void test_keeps_a_harmless_id_and_makes_one_else(void **state)
{
	static const char *const bad[] = {"", "a b", "a\"b", "a\nb", "\303\251",
		"0123456789012345678901234567890123456789012345678901234567890123456789"};
	struct request *r = *state;

	request_begin(r, "GET", "/", "");
	request_env(r, "REQUEST_ID", "order-17.3_A");
	assert_true(request_read(r));
	assert_string_equal(r->req.request_id, "order-17.3_A");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		request_begin(r, "GET", "/", "");
		request_env(r, "REQUEST_ID", bad[i]);
		assert_true(request_read(r));
		assert_int_equal(strlen(r->req.request_id), 24);
	}
}

static bool body_is(struct request *r, const char *body, json_t **object)
{
	assert_true(request_get(r, "/", ""));
	r->req.body = str_of(body);
	return req_json(&r->req, object, &r->err);
}

static void test_a_body_is_an_object(void **state)
{
	static const char *const bad[] = {"{", "[]", "1", "\"a\"", "null", "{\"a\":1,\"a\":2}",
		"{} x", "{\"a\":1e999}", "{\"a\":99999999999999999999}", "{\"a\":\"\\ud800\"}",
		"{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}"};
	struct request *r = *state;
	json_t *object;

	assert_true(body_is(r, "", &object));
	assert_int_equal(json_object_size(object), 0);
	assert_true(body_is(r, " {\"a\": 1}\n", &object));
	assert_int_equal(json_integer_value(json_object_get(object, "a")), 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (body_is(r, bad[i], &object))
			fail_msg("%s: taken", bad[i]);
		assert_int_equal(r->err.kind, ERR_INPUT);
		assert_string_equal(r->err.code, "invalid_json");
	}
}

static void test_a_small_body_cannot_eat_the_host(void **state)
{
	enum { PAIRS = 60000 }; /* 120 KB of "[]," want 2.7 MB of jansson */
	struct request *r = *state;
	char *body = malloc(PAIRS * 3 + 16), *p = body;
	json_t *object;

	p = stpcpy(p, "{\"a\":[");
	for (int i = 0; i < PAIRS; i++)
		p = stpcpy(p, "[],");
	(void)stpcpy(p - 1, "]}");
	assert_false(body_is(r, body, &object));
	assert_int_equal(r->err.kind, ERR_TOO_LARGE);
	free(body);
}

struct body {
	struct str accountcode;
	int64_t count;
};

static const struct field fields[] = {
	{.name = "accountcode",
		.type = FIELD_TEXT,
		.min = 1,
		.max = 10,
		.help = "",
		.offset = offsetof(struct body, accountcode)},
	{.name = "count",
		.type = FIELD_NUMBER,
		.is_required = true,
		.min = 1,
		.max = 9,
		.help = "",
		.offset = offsetof(struct body, count)},
};

static bool fields_are(struct request *r, const char *body, struct body *into)
{
	assert_true(request_get(r, "/", ""));
	r->req.body = str_of(body);
	return req_fields(&r->req, fields, ARRAY_LEN(fields), into, &r->err);
}

static void test_fields_are_typed_and_named(void **state)
{
	static const struct {
		const char *body, *names;
	} bad[] = {
		{"{}", "count"},
		{"{\"count\":\"1\"}", "count"},
		{"{\"count\":1.0}", "count"},
		{"{\"count\":10}", "count"},
		{"{\"count\":1,\"accountcode\":7}", "accountcode"},
		{"{\"count\":1,\"accountcode\":\"01234567890\"}", "accountcode"},
	};
	struct request *r = *state;
	struct body into;

	assert_true(fields_are(r, "{\"count\":3,\"more\":[1]}", &into));
	assert_int_equal(into.count, 3);
	assert_null(into.accountcode.p);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (fields_are(r, bad[i].body, &into))
			fail_msg("%s: taken", bad[i].body);
		assert_int_equal(r->err.kind, ERR_INPUT);
		assert_non_null(strstr(r->err.text, bad[i].names));
	}
}

/* ---- forms ---- */

struct sign_in {
	struct str name, word;
};

static const struct field form_fields[] = {
	{.name = "name",
		.type = FIELD_TEXT,
		.is_required = true,
		.min = 1,
		.max = 20,
		.help = "",
		.offset = offsetof(struct sign_in, name)},
	{.name = "word",
		.type = FIELD_TEXT,
		.min = 1,
		.max = 20,
		.help = "",
		.offset = offsetof(struct sign_in, word)},
};

static bool form_is(struct request *r, const char *type, const char *body, struct sign_in *into)
{
	request_begin(r, "POST", "/", "");
	request_env(r, "CONTENT_TYPE", type);
	assert_true(request_read(r));
	r->req.body = str_of(body);
	return req_fields_or_form(&r->req, form_fields, ARRAY_LEN(form_fields), into, &r->err);
}

#define FORM "application/x-www-form-urlencoded"

static void test_a_form_is_as_good_as_json(void **state)
{
	static const struct {
		const char *type, *body;
	} cases[] = {
		{FORM, "name=a+b%26c&word=%C3%A9&scope="},
		{FORM "; charset=UTF-8", "word=%c3%a9&name=a%20b%26c"},
		{"APPLICATION/X-WWW-Form-Urlencoded ;x", "&name=a+b%26c&&word=\xc3\xa9&"},
		{"application/json", "{\"name\":\"a b&c\",\"word\":\"\\u00e9\",\"x\":1}"},
		{"", "{\"name\":\"a b&c\",\"word\":\"\\u00e9\"}"},
	};
	struct request *r = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sign_in into;
		if (!form_is(r, cases[i].type, cases[i].body, &into))
			fail_msg("case %zu: %s", i, r->err.text);
		assert_true(str_eq(into.name, STR("a b&c")));
		assert_true(str_eq(into.word, STR("\xc3\xa9")));
	}
}

static void test_refuses_what_is_no_form(void **state)
{
	static const char *const bad[] = {"", "name", "name=", "name=a&name=b", "name=%",
		"name=%z1", "name=a%00b", "name=%ff", "NAME=a", "name=a&word=123456789012345678901",
		"{\"name\":\"a\"}"};
	struct request *r = *state;
	struct sign_in into;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (form_is(r, FORM, bad[i], &into))
			fail_msg("%s: taken", bad[i]);
		assert_int_equal(r->err.kind, ERR_INPUT);
	}
	assert_false(form_is(r, "text/plain", "name=a", &into));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decodes_the_query),
		cmocka_unit_test(test_refuses_what_is_no_query),
		cmocka_unit_test(test_a_query_has_an_end),
		cmocka_unit_test(test_numbers_and_switches),
		cmocka_unit_test(test_keeps_a_harmless_id_and_makes_one_else),
		cmocka_unit_test(test_a_body_is_an_object),
		cmocka_unit_test(test_a_small_body_cannot_eat_the_host),
		cmocka_unit_test(test_fields_are_typed_and_named),
		cmocka_unit_test(test_a_form_is_as_good_as_json),
		cmocka_unit_test(test_refuses_what_is_no_form),
	};
	return cmocka_run_group_tests_name("req", tests, request_open, request_close);
}
