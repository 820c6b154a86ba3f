/* Words of a client. */
#include "shm/tenant.h"
#include "tests/unit/shm/rig.h"

static void test_words_are_made_once_and_found_again(void **state)
{
	struct rig *rig = *state;
	assert_null(tenant_find(&rig->seg, 5, false));
	struct shm_tenant *words = tenant_find(&rig->seg, 5, true);
	assert_non_null(words);
	assert_ptr_equal(tenant_find(&rig->seg, 5, true), words);
	assert_ptr_equal(tenant_find(&rig->seg, 5, false), words);
	assert_true(tenant_find(&rig->seg, 6, true) != words);
	assert_null(tenant_find(&rig->seg, 0, true));
}

static void test_a_full_table_says_so(void **state)
{
	struct rig *rig = *state;
	uint32_t n;
	(void)seg_tenants(&rig->seg, &n);
	for (uint64_t id = 1; id <= n; id++)
		assert_non_null(tenant_find(&rig->seg, id, true));
	uint64_t generation;
	assert_null(tenant_find(&rig->seg, n + 1, true));
	assert_false(tenant_generation(&rig->seg, n + 1, &generation));
	assert_false(tenant_changed(&rig->seg, n + 1));
	assert_non_null(tenant_find(&rig->seg, n, false));
}

static void test_readers_make_no_words(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct err err;
	assert_ok(segment_init(&reader, rig->conf.common_node, &err), &err);
	assert_ok(segment_attach_in(&reader, &err), &err);
	assert_null(tenant_find(&reader, 5, true));
	assert_non_null(tenant_find(&rig->seg, 5, true));
	assert_non_null(tenant_find(&reader, 5, false));
	assert_false(tenant_changed(&reader, 5));
	segment_close(&reader);
}

static void test_a_change_moves_the_generation(void **state)
{
	struct rig *rig = *state;
	uint64_t before, after;
	assert_true(tenant_generation(&rig->seg, 5, &before));
	assert_true(tenant_changed(&rig->seg, 5));
	assert_true(tenant_generation(&rig->seg, 5, &after));
	assert_true(after == before + 1);
	assert_true(tenant_generation(&rig->seg, 6, &after));
	assert_true(after == before); /* others are not touched */
}

static void test_generations_of_two_lives_of_in_differ(void **state)
{
	struct rig *rig = *state;
	uint64_t before, after;
	bool adopted;
	struct err err;
	assert_true(tenant_generation(&rig->seg, 5, &before));
	segment_remove(&rig->seg);
	assert_ok(segment_create_or_adopt(&rig->seg, &rig->conf, &adopted, &err), &err);
	assert_true(tenant_generation(&rig->seg, 5, &after));
	assert_true(after != before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_words_are_made_once_and_found_again),
		RIG_TEST(test_a_full_table_says_so),
		RIG_TEST(test_readers_make_no_words),
		RIG_TEST(test_a_change_moves_the_generation),
		RIG_TEST(test_generations_of_two_lives_of_in_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
