// Expressions over digits as a table, beside regexec.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <regex.h>

#include "registry/digit_machine.h"

extern "C" {
#include <cmocka.h>
}

// Of the kinds that numbering plans hold.
static const std::vector<std::string> expressions = {
	"\\d{3}",
	"[2-57]\\d{1,3}",
	"1|2[0-46-9]|33(?:4|5[12])",
	"(?:1\\d?|2(?:3|4)*)5",
	"0?(?:(11|2)15)?",
	"12+3",
	"(?:[13]{2}){2}",
	"900\\d|90[1-9]",
	"",
	"\\d",
};

static std::string some_digits(std::mt19937 &dice)
{
	std::string made;
	for (size_t n = dice() % 6; n > 0; n--)
		made += static_cast<char>('0' + dice() % 6 % 5);
	return made;
}

// The same as POSIX writes it, and for all of the digits.
static std::string posix(std::string expression)
{
	for (const auto &[ours, theirs] : {std::pair{"\\d", "[0-9]"}, {"(?:", "("}})
		for (size_t at; (at = expression.find(ours)) != std::string::npos;)
			expression.replace(at, std::string(ours).size(), theirs);
	return "^(" + expression + ")$";
}

static void all_at_once_match_what_each_matches(void **)
{
	DigitMachine machine;
	std::vector<regex_t> each(expressions.size());
	for (size_t i = 0; i < expressions.size(); i++) {
		assert_true(machine.add(expressions[i], static_cast<unsigned>(i)));
		assert_int_equal(
			regcomp(&each[i], posix(expressions[i]).c_str(), REG_EXTENDED | REG_NOSUB),
			0);
	}
	machine.build();
	std::mt19937 dice(7);
	for (int round = 0; round < 20000; round++) {
		std::string digits = some_digits(dice);
		uint32_t expected = 0;
		for (size_t i = 0; i < each.size(); i++)
			expected |=
				regexec(&each[i], digits.c_str(), 0, nullptr, 0) == 0 ? 1u << i : 0;
		if (machine.match(digits) != expected)
			fail_msg("%s is %x, not %x", digits.c_str(), machine.match(digits),
				expected);
	}
	for (regex_t &one : each)
		regfree(&one);
}

static void the_front_is_matched_in_one_way_or_not_at_all(void **)
{
	static const struct {
		const char *expression, *digits;
		size_t n;
	} cases[] = {{"0", "0123", 1}, {"0", "123", 0}, {"0", "0", 1}, {"00|011", "0112", 3},
		{"0(?:1|2)?", "0123", DigitMachine::AMBIGUOUS}, {"0(?:1|2)?", "034", 1},
		{"1|([2-9]\\d{2})$", "234", 3}, {"1|([2-9]\\d{2})$", "2345", 0},
		{"1|([2-9]\\d{2})$", "1234", 1}, {"0?", "123", DigitMachine::AMBIGUOUS},
		{"0", "", 0}};
	for (const auto &one : cases) {
		DigitMachine machine;
		assert_true(machine.add(one.expression, 0));
		machine.build();
		if (machine.match_front(one.digits) != one.n)
			fail_msg("%s in front of %s: %zu", one.expression, one.digits,
				machine.match_front(one.digits));
	}
}

static void what_is_not_known_is_refused(void **)
{
	for (const char *expression : {"a", "\\w", "[^1]", "1{2", "1{2,1}", "(?=1)", "(1", "1)",
		     "[12", ".", "1{0}", "^1", "\\", "[a]", "1**"}) {
		DigitMachine machine;
		if (machine.add(expression, 0))
			fail_msg("%s is taken", expression);
	}
}

int main()
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_at_once_match_what_each_matches),
		cmocka_unit_test(the_front_is_matched_in_one_way_or_not_at_all),
		cmocka_unit_test(what_is_not_known_is_refused),
	};
	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
