/* Results of calls: what is taken, what holds, and what a kill leaves. */
#include "shm/calls.h"
#include "shm/result.h"
#include "tests/unit/shm/rig.h"

static struct call_table calls;
static uint32_t slot;

static int open_table(void **state)
{
	if (rig_open(state) != 0)
		return -1;
	call_table_open(&calls, &((struct rig *)*state)->seg);
	slot = call_take(&calls, &(struct call_identity){1, 3, 9, 1}, &(struct shm_call){0});
	return 0;
}

static int close_table(void **state)
{
	call_table_close(&calls);
	return rig_close(state);
}

static enum result_verdict add(struct rig *rig, const char *name, const char *value)
{
	enum result_verdict verdict = result_add(&rig->seg, slot, str_of(name), str_of(value));
	assert_true(result_is_sane(&rig->seg, slot));
	return verdict;
}

static void assert_json(struct rig *rig, const char *expected)
{
	struct strbuf json = STRBUF_INIT;
	result_json(result_log(&rig->seg, slot), &json);
	assert_string_equal(json.p, expected);
	strbuf_free(&json);
}

static void test_later_ones_win(void **state)
{
	struct rig *rig = *state;
	struct str value;
	assert_json(rig, "{}");
	assert_int_equal(add(rig, "digit", "5"), RESULT_TAKEN);
	assert_int_equal(add(rig, "name", "a: \"b\" \xc3\xa9"), RESULT_TAKEN);
	assert_int_equal(add(rig, "digit", "7"), RESULT_TAKEN);
	assert_int_equal(add(rig, "digit", "7"), RESULT_KNOWN);
	assert_int_equal(add(rig, "empty", ""), RESULT_TAKEN);
	assert_json(rig, "{\"name\":\"a: \\\"b\\\" \xc3\xa9\",\"digit\":\"7\",\"empty\":\"\"}");
	assert_true(result_find(result_log(&rig->seg, slot), STR("digit"), &value));
	assert_true(str_eq(value, STR("7")));
	assert_false(result_find(result_log(&rig->seg, slot), STR("digi"), &value));
}

static void test_what_is_refused(void **state)
{
	struct rig *rig = *state;
	char name[RESULT_NAME_MAX + 2], value[RESULT_VALUE_MAX + 2];
	memset(name, 'n', sizeof(name));
	memset(value, 'v', sizeof(value));
	name[sizeof(name) - 1] = value[sizeof(value) - 1] = '\0';
	static const char *const names[] = {"", "a b", "a-b", "a:b", "\xc3\xa9"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(add(rig, names[i], "1"), RESULT_BAD_NAME);
	assert_int_equal(add(rig, name, "1"), RESULT_BAD_NAME);
	static const char *const values[] = {"a\nb", "a\tb", "\x7f", "\xff", "\xc3"};
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_int_equal(add(rig, "a", values[i]), RESULT_BAD_VALUE);
	assert_int_equal(add(rig, "a", value), RESULT_BAD_VALUE);
	name[RESULT_NAME_MAX] = value[RESULT_VALUE_MAX] = '\0';
	assert_int_equal(add(rig, name, value), RESULT_TAKEN);
}

static void test_so_many_and_no_more(void **state)
{
	struct rig *rig = *state;
	char name[16];
	for (int i = 0; i < RESULT_KEYS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(add(rig, name, "1"), RESULT_TAKEN);
	}
	assert_int_equal(add(rig, "more", "1"), RESULT_TOO_MANY);
	assert_int_equal(add(rig, "k0", "2"), RESULT_TAKEN);
}

/* Whatever is told, its JSON fits an event. */
static void test_all_together_are_short(void **state)
{
	struct rig *rig = *state;
	char value[RESULT_VALUE_MAX + 1], name[16];
	enum result_verdict verdict = RESULT_TAKEN;
	struct strbuf json = STRBUF_INIT;
	memset(value, '"', sizeof(value)); /* two bytes each */
	value[RESULT_VALUE_MAX] = '\0';
	for (int i = 0; verdict == RESULT_TAKEN; i++) {
		(void)snprintf(name, sizeof(name), "k%d", i);
		verdict = add(rig, name, value);
	}
	assert_int_equal(verdict, RESULT_TOO_LONG);
	result_json(result_log(&rig->seg, slot), &json);
	assert_true(json.n > 1000 && json.n <= RESULT_JSON_MAX);
	strbuf_free(&json);
	/* Replaced ones are not given back. */
	verdict = RESULT_TAKEN;
	for (int i = 0; verdict == RESULT_TAKEN && i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		verdict = add(rig, "step", name);
	}
	assert_int_equal(verdict, RESULT_TOO_LONG);
}

/* A kill between the bytes and their count. */
static void test_half_of_an_addition_is_none(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(add(rig, "digit", "5"), RESULT_TAKEN);
	struct shm_result *result = &seg_results(&rig->seg, NULL)[slot];
	memcpy(result->text + result->n, "digit:6", 7);
	assert_json(rig, "{\"digit\":\"5\"}");
	assert_int_equal(add(rig, "digit", "6"), RESULT_TAKEN);
	assert_json(rig, "{\"digit\":\"6\"}");
}

static void test_the_next_call_in_the_slot_has_none(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(add(rig, "digit", "5"), RESULT_TAKEN);
	call_release(&calls, slot);
	slot = call_take(&calls, &(struct call_identity){2, 3, 9, 1}, &(struct shm_call){0});
	assert_json(rig, "{}");
}

#define TABLE_TEST(test) cmocka_unit_test_setup_teardown(test, open_table, close_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(test_later_ones_win),
		TABLE_TEST(test_what_is_refused),
		TABLE_TEST(test_so_many_and_no_more),
		TABLE_TEST(test_all_together_are_short),
		TABLE_TEST(test_half_of_an_addition_is_none),
		TABLE_TEST(test_the_next_call_in_the_slot_has_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
