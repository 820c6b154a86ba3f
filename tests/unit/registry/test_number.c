/* Numbers as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "registry/number.h"

#include "common/base.h"

static void spelling_goes_and_digits_stay(void **state)
{
	static const struct {
		const char *given, *region, *number, *e164;
		uint32_t country_digits;
	} cases[] = {
		{"9876543210", "IN", "9876543210", "919876543210", 2},
		{" 98765-432.10", "IN", "9876543210", "919876543210", 2},
		{"+91 98765 43210", "IN", "+919876543210", "919876543210", 2},
		{"+91 98765 43210", "DE", "+919876543210", "919876543210", 2},
		{"09876543210", "IN", "09876543210", "919876543210", 2},
		{"919876543210", "IN", "919876543210", "919876543210", 2},
		{"(202) 555-0100", "US", "2025550100", "12025550100", 1},
		{"+1 (202) 555-0100", "IN", "+12025550100", "12025550100", 1},
		{"015112345678", "DE", "015112345678", "4915112345678", 2},
		{"02 3661 8300", "IT", "0236618300", "390236618300", 2},
		{"100", "IN", "100", "", 0},
		{"1111111111", "IN", "1111111111", "", 0},
		{"9876543210", "ZZ", "9876543210", "", 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct number n;
		assert_int_equal(number_read(str_of(cases[i].given), &n), NUMBER_FINE);
		assert_string_equal(n.e164, "");
		number_look_up(&n, cases[i].region);
		assert_string_equal(n.number, cases[i].number);
		assert_string_equal(n.e164, cases[i].e164);
		assert_int_equal(n.country_digits, cases[i].country_digits);
	}
}

static void what_is_no_number_is_refused_and_leaves_the_output_alone(void **state)
{
	static const struct {
		const char *given;
		enum number_fault fault;
	} cases[] = {
		{"", NUMBER_EMPTY},
		{" () ", NUMBER_EMPTY},
		{"12", NUMBER_FEW},
		{"+12", NUMBER_FEW},
		{"+", NUMBER_FEW},
		{"1234567890123456", NUMBER_MANY},
		{"+1234567890123456", NUMBER_MANY},
		{"98765x3210", NUMBER_STRANGE},
		{"98765+3210", NUMBER_STRANGE},
		{"++9876543210", NUMBER_STRANGE},
		{"9876543210\r\nVariable: x=1", NUMBER_STRANGE},
		{"9876543210,1", NUMBER_STRANGE},
		{"\xd9\xa1\xd9\xa2\xd9\xa3", NUMBER_STRANGE}, /* Arabic-Indic digits */
		{"1-2-3-4-5-6-7-8-9-1-2-3-4-5-6-7-8-9-1-23", NUMBER_SPELT_LONG},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct number n = {.number = "unchanged"};
		assert_int_equal(number_read(str_of(cases[i].given), &n), cases[i].fault);
		assert_string_equal(n.number, "unchanged");
	}
}

static void limits_are_inclusive(void **state)
{
	(void)state;
	struct number n;
	assert_int_equal(number_read(STR("123"), &n), NUMBER_FINE);
	assert_int_equal(number_read(STR("+123456789012345"), &n), NUMBER_FINE);
	assert_string_equal(n.number, "+123456789012345");
	struct str longest = STR("1-2-3-4-5-6-7-8-9-1-2-3-4-5------------");
	assert_int_equal(longest.n, NUMBER_GIVEN_BYTES);
	assert_int_equal(number_read(longest, &n), NUMBER_FINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spelling_goes_and_digits_stay),
		cmocka_unit_test(what_is_no_number_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(limits_are_inclusive),
	};
	number_plan_load();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
