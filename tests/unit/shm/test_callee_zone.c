/* Zones of numbers, by what is known of some of them. */
#include "shm/callee_zone.h"
#include "tests/unit/shm/rig.h"

static void assert_zones(const char *e164, const char *const *names, uint32_t n)
{
	const struct zone *const *zones = NULL;
	uint32_t found = callee_zones(callee_zones_of(e164), &zones);
	if (found != n)
		fail_msg("%s is in %u zones, not %u", e164, found, n);
	for (uint32_t i = 0; i < n; i++)
		assert_ptr_equal(zones[i], zone_find(str_of(names[i])));
}

static void test_the_longest_prefix_counts(void **state)
{
	(void)state;
	assert_zones("919810000001", (const char *[]){"Asia/Kolkata"}, 1);
	assert_zones("12125550101", (const char *[]){"America/New_York"}, 1);
	assert_zones("13105550101", (const char *[]){"America/Los_Angeles"}, 1);
	assert_zones("442079460000", (const char *[]){"Europe/London"}, 1);
	assert_zones("9779841000000", (const char *[]){"Asia/Kathmandu"}, 1);
}

/* Toll-free numbers of North America, mobile numbers of Portugal: wherever they are. */
static void test_who_may_be_in_several_is_in_all(void **state)
{
	(void)state;
	const struct zone *const *zones = NULL;
	assert_true(callee_zones(callee_zones_of("18005550101"), &zones) > 20);
	assert_zones("351912345678", (const char *[]){"Atlantic/Azores", "Europe/Lisbon"}, 2);
}

static void test_what_nobody_knows_is_in_none(void **state)
{
	(void)state;
	static const char *const numbers[] = {"", "0", "091", "999", "8888888888", "x"};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_zones(numbers[i], NULL, 0);
	const struct zone *const *zones = NULL;
	assert_int_equal(callee_zones(UINT32_MAX, &zones), 0);
}

/* A zone that this machine lacks would close its numbers for ever. */
static void test_the_system_has_all_of_them(void **state)
{
	(void)state;
	const struct zone *const *zones = NULL;
	uint32_t lists = 0;
	for (uint32_t list = 1, n; (n = callee_zones(list, &zones)); list++, lists++)
		for (uint32_t i = 0; i < n; i++)
			if (!zones[i])
				fail_msg("zone %u of list %u is not there", i, list);
	assert_true(lists > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_longest_prefix_counts),
		cmocka_unit_test(test_who_may_be_in_several_is_in_all),
		cmocka_unit_test(test_what_nobody_knows_is_in_none),
		cmocka_unit_test(test_the_system_has_all_of_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
