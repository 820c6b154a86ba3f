/* Which addresses are neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "fcgi/network.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static void test_neighbours(void **state)
{
	static const struct {
		const char *address, *network;
	} cases[] = {
		{"192.0.2.17", "192.0.2.0/24"},
		{"192.0.2.255", "192.0.2.0/24"},
		{"192.0.3.17", "192.0.3.0/24"},
		{"127.0.0.1", "127.0.0.0/24"},
		{"::ffff:192.0.2.17", "192.0.2.0/24"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::1", "2001:db8:1:3::/64"},
		{"::1", "::/64"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64"},
		{"unix:", "unknown"},
		{"", "unknown"},
		{"192.0.2.17, 10.0.0.1", "unknown"},
		{"192.0.2.256", "unknown"},
		{"a text that is longer than any address could ever be written down", "unknown"},
	};
	(void)state;
	char out[NETWORK_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str found = network_of(str_of(cases[i].address), out);
		assert_string_equal(out, cases[i].network);
		assert_true(str_eq(found, str_of(cases[i].network)));
	}
	(void)network_of((struct str){NULL, 0}, out);
	assert_string_equal(out, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbours),
	};
	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
