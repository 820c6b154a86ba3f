/* Which numbers a client may call. */
#include "tests/unit/shm/rig.h"

#include "shm/policy.h"

static struct shm_policy policy_of(const char *regions, const char *types)
{
	struct shm_policy policy = {.check = NUMBER_CHECK_FULL};
	assert_true(policy_read(&policy, str_of(regions), str_of(types)));
	assert_int_equal(policy.check, NUMBER_CHECK_FULL);
	return policy;
}

static enum policy_verdict judge(
	const struct shm_policy *policy, enum number_type type, const char *region)
{
	return policy_judge(policy,
		(struct shm_plan){.type = (uint8_t)type, .region = region_code(str_of(region))});
}

static void test_regions_have_codes_and_texts(void **state)
{
	(void)state;
	char text[REGION_TEXT_BYTES];
	static const char *const regions[] = {"AA", "IN", "US", "ZZ", "001"};
	for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
		uint16_t code = region_code(str_of(regions[i]));
		assert_true(code > 0 && code < 64 * SHM_REGION_WORDS);
		assert_string_equal(region_text(code, text), regions[i]);
	}
	static const char *const none[] = {"", "I", "in", "IND", "I1", "002", "all"};
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(region_code(str_of(none[i])), 0);
	assert_string_equal(region_text(0, text), "");
	assert_string_equal(region_text(UINT16_MAX, text), "");
}

static void test_only_what_is_named_may_be_called(void **state)
{
	(void)state;
	struct shm_policy policy = policy_of("IN US", "default");
	assert_int_equal(judge(&policy, NUMBER_TYPE_MOBILE, "IN"), POLICY_FINE);
	assert_int_equal(judge(&policy, NUMBER_TYPE_TOLL_FREE, "US"), POLICY_FINE);
	assert_int_equal(judge(&policy, NUMBER_TYPE_FIXED_LINE, "JM"), POLICY_REGION_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE_MOBILE, ""), POLICY_REGION_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE_PREMIUM, "IN"), POLICY_TYPE_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE_SHARED_COST, "IN"), POLICY_TYPE_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE_SATELLITE, "001"), POLICY_TYPE_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE_SHORT, "IN"), POLICY_TYPE_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE_UNCHECKED, ""), POLICY_FINE);

	policy = policy_of("GB", "mobile premium");
	assert_int_equal(judge(&policy, NUMBER_TYPE_PREMIUM, "GB"), POLICY_FINE);
	assert_int_equal(judge(&policy, NUMBER_TYPE_FIXED_LINE, "GB"), POLICY_TYPE_DENIED);
}

static void test_all_is_all_but_emergency_numbers(void **state)
{
	(void)state;
	struct shm_policy policy = policy_of("all", "all");
	for (int type = NUMBER_TYPE_UNCHECKED; type < NUMBER_TYPE_EMERGENCY; type++)
		assert_int_equal(judge(&policy, (enum number_type)type, "JM"), POLICY_FINE);
	assert_int_equal(judge(&policy, NUMBER_TYPE_EMERGENCY, "IN"), POLICY_TYPE_DENIED);
	assert_int_equal(judge(&policy, NUMBER_TYPE__N, "IN"), POLICY_TYPE_DENIED);
}

static void test_nothing_read_allows_nothing(void **state)
{
	(void)state;
	struct shm_policy empty = {.check = 0};
	assert_int_equal(judge(&empty, NUMBER_TYPE_MOBILE, "IN"), POLICY_TYPE_DENIED);
	assert_int_equal(policy_judge(&empty, (struct shm_plan){.type = 255, .region = UINT16_MAX}),
		POLICY_TYPE_DENIED);
}

static void test_unknown_words_change_nothing(void **state)
{
	(void)state;
	static const char *const words[][2] = {{"IN XX1", "default"}, {"", "default"},
		{"IN", "emergency"}, {"IN", "unchecked"}, {"IN", ""}, {"in", "default"}};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct shm_policy policy = policy_of("GB", "premium"), before = policy;
		assert_false(policy_read(&policy, str_of(words[i][0]), str_of(words[i][1])));
		assert_memory_equal(&policy, &before, sizeof(policy));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regions_have_codes_and_texts),
		cmocka_unit_test(test_only_what_is_named_may_be_called),
		cmocka_unit_test(test_all_is_all_but_emergency_numbers),
		cmocka_unit_test(test_nothing_read_allows_nothing),
		cmocka_unit_test(test_unknown_words_change_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
