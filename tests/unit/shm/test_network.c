/* Networks of a key: what is one, and who is in it. */
#include "shm/network.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

static bool admits(const char *networks, const char *address)
{
	struct shm_key key = {.id = 1};
	assert_true(net_list_read(str_of(networks), &key));
	return net_admits(&key, str_of(address));
}

static void test_without_networks_anywhere(void **state)
{
	(void)state;
	assert_true(admits("", "192.0.2.1"));
	assert_true(admits("", "no address"));
}

static void test_who_is_inside(void **state)
{
	(void)state;
	assert_true(admits("192.0.2.0/24", "192.0.2.255"));
	assert_false(admits("192.0.2.0/24", "192.0.3.0"));
	assert_true(admits("192.0.2.128/25", "192.0.2.128"));
	assert_false(admits("192.0.2.128/25", "192.0.2.127"));
	assert_true(admits("192.0.2.7", "192.0.2.7"));
	assert_false(admits("192.0.2.7", "192.0.2.6"));
	assert_true(admits("0.0.0.0/0", "203.0.113.9"));
	assert_false(admits("0.0.0.0/0", "2001:db8::1"));
	assert_true(admits("::/0", "203.0.113.9"));
	assert_true(admits("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(admits("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(admits("10.0.0.0/8 2001:db8::/32", "2001:db8::1"));
	assert_true(admits("192.0.2.0/24", "::ffff:192.0.2.9"));
}

static void test_who_has_no_address_is_outside(void **state)
{
	(void)state;
	assert_false(admits("192.0.2.0/24", ""));
	assert_false(admits("192.0.2.0/24", "192.0.2"));
	assert_false(admits("0.0.0.0/0", "unix:"));
}

static void test_what_is_no_network(void **state)
{
	static const char *const bad[] = {"", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1",
		"192.0.2.17/24", "2001:db8::/129", "2001:db8::1/64", "localhost", "192.0.2.0/2 4",
		"1.2.3.4.5", "192.0.2.0/24/8"};
	struct shm_network network;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (net_read(str_of(bad[i]), &network))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_what_cannot_be_read_admits_nobody(void **state)
{
	struct shm_key key = {.id = 1};
	(void)state;
	assert_false(net_list_read(STR("192.0.2.0/24 elsewhere"), &key));
	assert_false(net_admits(&key, STR("192.0.2.1")));
	assert_false(
		net_list_read(STR("1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4 5.5.5.5 6.6.6.6 7.7.7.7 8.8.8.8 "
				  "9.9.9.9"),
			&key));
	assert_false(net_admits(&key, STR("1.1.1.1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_networks_anywhere),
		cmocka_unit_test(test_who_is_inside),
		cmocka_unit_test(test_who_has_no_address_is_outside),
		cmocka_unit_test(test_what_is_no_network),
		cmocka_unit_test(test_what_cannot_be_read_admits_nobody),
	};
	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
