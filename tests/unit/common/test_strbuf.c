/* Growing text: numbers, formats that do not fit at first, JSON strings. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/strbuf.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static void test_whole_numbers_are_what_printf_makes(void **state)
{
	(void)state;
	static const int64_t numbers[] = {
		0, 1, -1, 9, 10, -10, 99, 100, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
	struct strbuf sb = STRBUF_INIT;
	char expected[32];
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		strbuf_reset(&sb);
		strbuf_i64(&sb, numbers[i]);
		(void)snprintf(expected, sizeof(expected), "%" PRId64, numbers[i]);
		assert_string_equal(sb.p, expected);
		strbuf_reset(&sb);
		strbuf_u64(&sb, (uint64_t)numbers[i]);
		(void)snprintf(expected, sizeof(expected), "%" PRIu64, (uint64_t)numbers[i]);
		assert_string_equal(sb.p, expected);
		assert_int_equal(sb.n, strlen(expected));
	}
	strbuf_free(&sb);
}

/* At every length around the room that is there: one byte less, none, one more. */
static void test_a_format_that_does_not_fit_grows_it(void **state)
{
	(void)state;
	for (int width = 1; width < 2000; width++) {
		struct strbuf sb = STRBUF_INIT;
		strbuf_puts(&sb, "ab");
		strbuf_printf(&sb, "%*d", width, 7);
		strbuf_putc(&sb, 'c');
		assert_int_equal(sb.n, (size_t)width + 3);
		assert_int_equal(strlen(sb.p), sb.n);
		assert_int_equal(sb.p[sb.n - 2], '7');
		strbuf_free(&sb);
	}
}

static void test_json_escapes(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	strbuf_json(&sb, STR("a\"b\\c\n\x01\x7f/\xc3\xa9"));
	assert_string_equal(sb.p, "\"a\\\"b\\\\c\\u000a\\u0001\\u007f/\xc3\xa9\"");
	strbuf_consume(&sb, 1);
	assert_int_equal(sb.p[0], 'a');
	strbuf_free(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_numbers_are_what_printf_makes),
		cmocka_unit_test(test_a_format_that_does_not_fit_grows_it),
		cmocka_unit_test(test_json_escapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
