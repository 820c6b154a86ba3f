/* Hashing of passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "registry/password.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static void test_only_the_right_password_matches(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_BYTES];
	struct err err;

	assert_true(password_hash(STR("secure_password"), hash, &err));
	assert_memory_equal(hash, "$y$", 3);
	assert_true(password_matches(STR("secure_password"), hash));
	assert_false(password_matches(STR("secure_passwore"), hash));
	assert_false(password_matches(STR("secure_password "), hash));
	assert_false(password_matches(STR("secure_password\0x"), hash));
	assert_false(password_matches(STR(""), hash));
}

static void test_a_password_has_many_hashes(void **state)
{
	(void)state;
	char a[PASSWORD_HASH_BYTES], b[PASSWORD_HASH_BYTES];
	struct err err;

	assert_true(password_hash(STR("secure_password"), a, &err));
	assert_true(password_hash(STR("secure_password"), b, &err));
	assert_string_not_equal(a, b);
}

static void test_what_is_too_short_too_long_or_cut_by_nul_is_refused(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_BYTES] = "before", longest[PASSWORD_MAX_BYTES + 1];
	struct err err;

	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = 'x';
	assert_false(password_hash(STR("seven77"), hash, &err));
	assert_false(password_hash(STR("eight888\0"), hash, &err));
	assert_false(password_hash((struct str){longest, sizeof(longest)}, hash, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(hash, "before");
	assert_true(password_hash((struct str){longest, sizeof(longest) - 1}, hash, &err));
}

static void test_no_hash_matches_nothing(void **state)
{
	(void)state;
	assert_false(password_matches(STR("secure_password"), ""));
	assert_false(password_matches(STR("secure_password"), "*"));
	assert_false(password_matches(STR("secure_password"), "secure_password"));
}

/* Of the same kind and cost, so refusing takes the same time. */
static void test_nobodys_password_costs_what_everybodys_does(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_BYTES];
	struct err err;

	assert_true(password_hash(STR("secure_password"), hash, &err));
	const char *nobody = password_of_nobody();
	assert_memory_equal(nobody, hash, sizeof("$y$jAT$") - 1);
	assert_int_equal(strlen(nobody), strlen(hash));
	assert_false(password_matches(STR("secure_password"), nobody));
	assert_ptr_equal(password_of_nobody(), nobody);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_right_password_matches),
		cmocka_unit_test(test_a_password_has_many_hashes),
		cmocka_unit_test(test_what_is_too_short_too_long_or_cut_by_nul_is_refused),
		cmocka_unit_test(test_no_hash_matches_nothing),
		cmocka_unit_test(test_nobodys_password_costs_what_everybodys_does),
	};
	return cmocka_run_group_tests_name("registry/password", tests, NULL, NULL);
}
