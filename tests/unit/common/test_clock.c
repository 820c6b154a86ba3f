/* Times as text, beside what libc makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static void check(int64_t s, int64_t us)
{
	char expected[64], got[CLOCK_TEXT_BYTES];
	time_t seconds = (time_t)s;
	struct tm utc;
	gmtime_r(&seconds, &utc);
	size_t n = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(expected + n, sizeof(expected) - n, "Z");
	assert_string_equal(clock_utc(s * US_PER_S + us, got), expected);
	(void)snprintf(expected + n, sizeof(expected) - n, ".%03dZ", (int)(us / US_PER_MS));
	assert_string_equal(clock_utc_ms(s * US_PER_S + us, got), expected);
}

static void test_edges(void **state)
{
	(void)state;
	static const int64_t moments[] = {
		0, 1, -1, 951782399, 951782400, 1640995200, 4107542400, -2208988800, 253402300799};
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		check(moments[i], 0);
		check(moments[i], 999999);
		check(moments[i], 1000);
	}
}

static void test_any_moment_of_four_digit_years(void **state)
{
	(void)state;
	srandom(7);
	for (int i = 0; i < 100000; i++)
		check(random() * 100 - 20000000000, random() % US_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_any_moment_of_four_digit_years),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
