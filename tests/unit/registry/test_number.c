/* Numbers as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "registry/number.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

/* A client of this region, with these words for its regions and types. */
struct client_of {
	struct shm_policy policy;
	struct number_rules rules;
};

static const struct number_rules *client_of(
	struct client_of *client, const char *region, const char *regions, const char *types)
{
	client->rules = (struct number_rules){region, NUMBER_CHECK_FULL, &client->policy};
	assert_true(policy_read(&client->policy, str_of(regions), str_of(types)));
	return &client->rules;
}

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
		{"0044 20 7946 0018", "IN", "00442079460018", "442079460018", 2},
		{"(202) 555-0100", "US", "2025550100", "12025550100", 1},
		{"+1 (202) 555-0100", "IN", "+12025550100", "12025550100", 1},
		{"015112345678", "DE", "015112345678", "4915112345678", 2},
		/* Italy keeps its leading zeros. */
		{"02 3661 8300", "IT", "0236618300", "390236618300", 2},
		{"+39 02 3661 8300", "IN", "+390236618300", "390236618300", 2},
		{"06 6982", "IT", "066982", "39066982", 2},
		/* Argentina: 15 behind the area code at home, 9 before it from abroad. */
		{"011 15 2345-6789", "AR", "0111523456789", "5491123456789", 2},
		{"+54 9 11 2345 6789", "IN", "+5491123456789", "5491123456789", 2},
		{"+54 11 2345 6789", "AR", "+541123456789", "541123456789", 2},
		/* Mexico has given up the 1 of mobile numbers. */
		{"+52 222 123 4567", "IN", "+522221234567", "522221234567", 2},
		{"222 123 4567", "MX", "2221234567", "522221234567", 2},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client_of client;
		struct number n;
		struct err err;
		assert_true(number_accept(client_of(&client, cases[i].region, "all", "default"),
			str_of(cases[i].given), &n, &err));
		assert_string_equal(n.number, cases[i].number);
		assert_string_equal(n.e164, cases[i].e164);
		assert_int_equal(n.plan.country_digits, cases[i].country_digits);
	}
}

static void every_number_has_a_kind_and_a_region(void **state)
{
	static const struct {
		const char *given, *home, *type, *region;
	} cases[] = {
		{"9876543210", "IN", "mobile", "IN"},
		{"022 2345 6789", "IN", "fixed_line", "IN"},
		{"1800 123 4567", "IN", "toll_free", "IN"},
		{"+44 20 7946 0018", "IN", "fixed_line", "GB"},
		{"+44 7912 345678", "IN", "mobile", "GB"},
		{"+44 909 8790000", "IN", "premium", "GB"},
		{"+49 180 1234567", "IN", "shared_cost", "DE"},
		{"+44 70 1234 5678", "IN", "personal", "GB"},
		{"+44 76 4012 3456", "IN", "pager", "GB"},
		{"+44 56 1234 5678", "IN", "voip", "GB"},
		{"+44 55 1234 5678", "IN", "uan", "GB"},
		{"+41 86 012 345 6789", "IN", "voicemail", "CH"},
		/* +1 is 25 countries. */
		{"+1 202 555 0100", "IN", "fixed_or_mobile", "US"},
		{"+1 416 555 0100", "US", "fixed_or_mobile", "CA"},
		{"416 555 0100", "US", "fixed_or_mobile", "CA"},
		{"876 210 1234", "US", "mobile", "JM"},
		{"+1 787 234 5678", "US", "fixed_or_mobile", "PR"},
		{"+1 900 234 5678", "US", "premium", "US"},
		/* What they share is a client's own. */
		{"800 234 5678", "US", "toll_free", "US"},
		{"800 234 5678", "CA", "toll_free", "CA"},
		{"800 234 5678", "JM", "toll_free", "JM"},
		{"+1 800 234 5678", "IN", "toll_free", "US"},
		/* Neighbours under one code. */
		{"+7 701 000 9998", "RU", "mobile", "KZ"},
		{"+44 1481 256789", "GB", "fixed_line", "GG"},
		{"+39 06 698 12345", "IT", "fixed_line", "VA"},
		/* No country. */
		{"+870 301 234 567", "IN", "satellite", "001"},
		{"+881 612 345 678", "IN", "satellite", "001"},
		{"+882 34 21 234", "IN", "satellite", "001"},
		{"+883 510 000 000 094", "IN", "satellite", "001"},
		{"+800 1234 5678", "IN", "toll_free", "001"},
		{"+808 1234 5678", "IN", "shared_cost", "001"},
		{"+979 123 456 789", "IN", "premium", "001"},
		/* Short numbers, as they are dialled there. */
		{"1909", "IN", "short", "IN"},
		{"411", "US", "short", "US"},
		{"118 500", "GB", "short", "GB"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client_of client;
		struct number n;
		struct err err;
		char region[REGION_TEXT_BYTES];
		if (!number_accept(client_of(&client, cases[i].home, "all", "all"),
			    str_of(cases[i].given), &n, &err))
			fail_msg("%s %s", cases[i].given, err.text);
		const char *type = number_type_name(n.plan.type);
		if (strcmp(type, cases[i].type) != 0)
			fail_msg("%s is %s, not %s", cases[i].given, type, cases[i].type);
		assert_string_equal(region_text(n.plan.region, region), cases[i].region);
	}
}

static void what_may_not_be_called_is_told_apart(void **state)
{
	static const struct {
		const char *given, *home, *regions, *types, *code, *text;
	} cases[] = {
		{"1111111111", "IN", "IN", "default", "invalid_number",
			"is not a valid number in IN"},
		{"9876543210", "ZZ", "all", "all", "invalid_number", "is not a valid number in ZZ"},
		{"+999 12345678", "IN", "all", "all", "invalid_number", "is not a valid number"},
		{"+1909", "IN", "all", "all", "invalid_number", "is not a valid number"},
		{"876 523 0123", "US", "US", "default", "number_denied",
			"is a number of region JM; this account may not call there"},
		{"0044 7912 345678", "IN", "IN", "default", "number_denied",
			"is a number of region GB; this account may not call there"},
		{"+44 909 8790000", "GB", "GB", "default", "number_denied",
			"is a premium number of GB; this account may not call premium numbers"},
		{"0180 1234567", "DE", "DE", "default,premium", "number_denied",
			"is a shared_cost number of DE; this account may not call shared_cost "
			"numbers"},
		{"+870 301 234 567", "IN", "all", "default", "number_denied",
			"is a satellite number of 001; this account may not call satellite "
			"numbers"},
		{"+870 301 234 567", "IN", "IN", "all", "number_denied",
			"is a number of region 001; this account may not call there"},
		{"1909", "IN", "IN", "default", "number_denied",
			"is a short number of IN; this account may not call short numbers"},
		/* Nobody ever. */
		{"112", "IN", "all", "all", "number_denied",
			"is an emergency number, which is never called"},
		{"911", "IN", "all", "all", "number_denied",
			"is an emergency number, which is never called"},
		{"100", "IN", "all", "all", "number_denied",
			"is an emergency number, which is never called"},
		{"999", "GB", "all", "all", "number_denied",
			"is an emergency number, which is never called"},
		{"+911", "US", "all", "all", "number_denied",
			"is an emergency number, which is never called"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct client_of client;
		struct number n = {.number = "unchanged"};
		struct err err;
		char types[40];
		assert_true(str_copy(types, sizeof(types), str_of(cases[i].types)));
		for (char *p = types; *p; p++)
			*p = *p == ',' ? ' ' : *p;
		assert_false(
			number_accept(client_of(&client, cases[i].home, cases[i].regions, types),
				str_of(cases[i].given), &n, &err));
		assert_int_equal(err.kind, ERR_INPUT);
		assert_string_equal(err.code, cases[i].code);
		assert_string_equal(err.text, cases[i].text);
		assert_string_equal(n.number, "unchanged");
	}
}

static void by_syntax_only_emergency_numbers_are_refused(void **state)
{
	static const char *const fine[] = {"1111111111", "1001", "900 234 5678", "+8701234"};
	static const char *const denied[] = {"112", "9-1-1", "100", "+112"};
	struct client_of client;
	struct number n;
	struct err err;
	(void)state;
	(void)client_of(&client, "IN", "IN", "default");
	client.rules.check = NUMBER_CHECK_SYNTAX;
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		assert_true(number_accept(&client.rules, str_of(fine[i]), &n, &err));
		assert_string_equal(n.e164, "");
		assert_int_equal(n.plan.type, NUMBER_TYPE_UNCHECKED);
		assert_int_equal(n.plan.region, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
		assert_false(number_accept(&client.rules, str_of(denied[i]), &n, &err));
		assert_string_equal(err.code, "number_denied");
	}
	assert_false(number_accept(&client.rules, STR("12"), &n, &err));
	assert_string_equal(err.code, "invalid_number");
	assert_string_equal(err.text, "has fewer than 3 digits; send 3 to 15");
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
		cmocka_unit_test(every_number_has_a_kind_and_a_region),
		cmocka_unit_test(what_may_not_be_called_is_told_apart),
		cmocka_unit_test(by_syntax_only_emergency_numbers_are_refused),
		cmocka_unit_test(what_is_no_number_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(limits_are_inclusive),
	};
	number_plan_load();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
