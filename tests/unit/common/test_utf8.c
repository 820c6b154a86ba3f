/* What counts as UTF-8: the edges of Unicode's table 3-7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/utf8.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static void test_edges(void **state)
{
	static const struct {
		const char *text;
		size_t valid; /* bytes of its beginning */
	} cases[] = {
		{"", 0},
		{"plain", 5},
		{"\x7f", 1},
		{"\x80", 0},
		{"\xc1\xbf", 0}, /* overlong */
		{"\xc2\x80", 2},
		{"\xdf\xbf", 2},
		{"\xe0\x9f\xbf", 0}, /* overlong */
		{"\xe0\xa0\x80", 3},
		{"\xed\x9f\xbf", 3},
		{"\xed\xa0\x80", 0}, /* surrogate */
		{"\xee\x80\x80", 3},
		{"\xf0\x8f\xbf\xbf", 0}, /* overlong */
		{"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\xf4\x90\x80\x80", 0}, /* beyond the last plane */
		{"\xf5\x80\x80\x80", 0},
		{"a\xc3", 1}, /* cut */
		{"a\xe2\x82", 1},
		{"a\xf0\x9f\x98", 1},
		{"a\xc3(", 1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str text = str_of(cases[i].text);
		if (utf8_prefix(text) != cases[i].valid)
			fail_msg("case %zu: %zu bytes", i, utf8_prefix(text));
		assert_true(utf8_is_text(text) == (cases[i].valid == text.n));
	}
}

static void test_a_nul_is_no_text(void **state)
{
	(void)state;
	assert_false(utf8_is_text(STR("a\0b")));
	assert_true(utf8_is_text(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_a_nul_is_no_text),
	};
	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
