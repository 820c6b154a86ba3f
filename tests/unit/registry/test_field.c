/* Input by a table of fields: types, limits, and errors that name the field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "registry/field.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

struct pet {
	struct str name, colour;
	int64_t age, is_tame;
	struct str_list tricks;
};

#define AT(member) offsetof(struct pet, member)

static const struct field fields[] = {
	{.name = "name",
		.type = FIELD_TEXT,
		.is_required = true,
		.min = 1,
		.max = 5,
		.chars = "-",
		.help = "1 to 5 letters, digits or '-'",
		.offset = AT(name)},
	{.name = "colour",
		.type = FIELD_TEXT,
		.may_be_empty = true,
		.min = 3,
		.max = 10,
		.help = "3 to 10 bytes",
		.offset = AT(colour)},
	{.name = "age",
		.type = FIELD_NUMBER,
		.min = 0,
		.max = 30,
		.help = "in years",
		.offset = AT(age)},
	{.name = "is_tame", .type = FIELD_BOOL, .help = "true or false", .offset = AT(is_tame)},
	{.name = "tricks",
		.type = FIELD_LIST,
		.min = 1,
		.max = 4,
		.chars = "",
		.help = "words",
		.offset = AT(tricks)},
};

static struct pet pet;
static struct err err;

static int start_empty(void **state)
{
	(void)state;
	fields_clear(fields, ARRAY_LEN(fields), &pet);
	err = (struct err){0};
	return 0;
}

/* Reads and checks; the document stays alive in *state. */
static bool takes(void **state, const char *text)
{
	json_decref(*state);
	*state = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_non_null(*state);
	start_empty(NULL);
	return fields_from_json(fields, ARRAY_LEN(fields), *state, &pet, &err) &&
	       fields_check(fields, ARRAY_LEN(fields), &pet, &err);
}

static int drop_document(void **state)
{
	json_decref(*state);
	*state = NULL;
	return 0;
}

static void assert_refused(void **state, const char *text, const char *code, const char *named)
{
	assert_false(takes(state, text));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.code, code);
	assert_non_null(strstr(err.text, named));
}

static void test_reads_every_type(void **state)
{
	assert_true(takes(state,
		"{\"name\":\"rex\",\"age\":3,\"is_tame\":true,\"tricks\":[\"sit\",\"roll\"]}"));
	assert_true(str_eq(pet.name, STR("rex")));
	assert_int_equal(pet.age, 3);
	assert_int_equal(pet.is_tame, 1);
	assert_int_equal(pet.tricks.n, 2);
	assert_true(str_eq(pet.tricks.v[1], STR("roll")));
	assert_null(pet.colour.p);
}

static void test_absent_and_null_are_not_given(void **state)
{
	assert_true(takes(state, "{\"name\":\"rex\",\"age\":null}"));
	assert_int_equal(pet.age, FIELD_NOT_GIVEN);
	assert_int_equal(pet.is_tame, FIELD_NOT_GIVEN);
	assert_false(pet.tricks.is_given);
}

static void test_empty_text_means_none_only_where_allowed(void **state)
{
	assert_true(takes(state, "{\"name\":\"rex\",\"colour\":\"\"}"));
	assert_non_null(pet.colour.p);
	assert_true(takes(state, "{\"name\":\"rex\",\"colour\":null}"));
	assert_int_equal(pet.colour.n, 0);
	assert_non_null(pet.colour.p);
	assert_refused(state, "{\"name\":\"\"}", "invalid_field", "name");
}

static void test_every_wrong_type_names_the_field(void **state)
{
	assert_refused(state, "{\"name\":7}", "invalid_field", "name must be text");
	assert_refused(state, "{\"name\":null}", "invalid_field", "name must be text");
	assert_refused(state, "{\"name\":\"rex\",\"age\":\"3\"}", "invalid_field",
		"age must be a whole number");
	assert_refused(state, "{\"name\":\"rex\",\"age\":3.5}", "invalid_field",
		"age must be a whole number");
	assert_refused(state, "{\"name\":\"rex\",\"is_tame\":1}", "invalid_field",
		"is_tame must be true or false");
	assert_refused(state, "{\"name\":\"rex\",\"tricks\":\"sit\"}", "invalid_field",
		"tricks must be a list");
	assert_refused(state, "{\"name\":\"rex\",\"tricks\":[1]}", "invalid_field",
		"tricks must hold only text");
	assert_false(takes(state, "[]"));
	assert_non_null(strstr(err.text, "one JSON object"));
}

static void test_every_limit_names_the_field(void **state)
{
	assert_refused(state, "{}", "missing_field", "name is missing");
	assert_refused(state, "{\"name\":\"toolong\"}", "invalid_field", "name does not fit");
	assert_refused(state, "{\"name\":\"a b\"}", "invalid_field", "name does not fit");
	assert_refused(state, "{\"name\":\"a\\u0000b\"}", "invalid_field", "name does not fit");
	assert_refused(state, "{\"name\":\"rex\",\"colour\":\"a\\nb\"}", "invalid_field",
		"colour does not fit");
	assert_refused(state, "{\"name\":\"rex\",\"age\":31}", "invalid_field", "age is 31");
	assert_refused(state, "{\"name\":\"rex\",\"age\":-1}", "invalid_field", "age is -1");
	assert_refused(state, "{\"name\":\"rex\",\"tricks\":[\"ok\",\"barking\"]}", "invalid_field",
		"tricks[1]");
}

static void test_unknown_member_is_refused(void **state)
{
	assert_refused(state, "{\"name\":\"rex\",\"nmae\":\"x\"}", "unknown_field", "\"nmae\"");
}

static void test_too_long_a_list_is_refused(void **state)
{
	json_t *list = json_array();
	for (int i = 0; i <= STR_LIST_MAX; i++)
		json_array_append_new(list, json_string("sit"));
	json_t *document = json_pack("{s:s, s:o}", "name", "rex", "tricks", list);
	char *text = json_dumps(document, 0);
	assert_refused(state, text, "invalid_field", "tricks has more than");
	free(text);
	json_decref(document);
}

static void test_reads_words_of_a_command_line(void **state)
{
	(void)state;
	assert_true(field_from_text(&fields[0], STR("rex"), &pet, &err));
	assert_true(field_from_text(&fields[2], STR("12"), &pet, &err));
	assert_true(field_from_text(&fields[3], STR("no"), &pet, &err));
	assert_true(field_from_text(&fields[4], STR("sit"), &pet, &err));
	assert_true(field_from_text(&fields[4], STR("roll"), &pet, &err));
	assert_true(fields_check(fields, ARRAY_LEN(fields), &pet, &err));
	assert_int_equal(pet.age, 12);
	assert_int_equal(pet.is_tame, 0);
	assert_int_equal(pet.tricks.n, 2);
	assert_false(field_from_text(&fields[2], STR("-1"), &pet, &err));
	assert_false(field_from_text(&fields[2], STR("12x"), &pet, &err));
	assert_false(field_from_text(&fields[3], STR("perhaps"), &pet, &err));
}

static void test_a_change_needs_only_what_it_changes(void **state)
{
	(void)state;
	assert_true(fields_check_given(fields, ARRAY_LEN(fields), &pet, &err));
	assert_false(fields_check(fields, ARRAY_LEN(fields), &pet, &err));
	assert_false(field_is_given(&fields[0], &pet));
	assert_true(field_from_text(&fields[0], STR(""), &pet, &err));
	assert_true(field_is_given(&fields[0], &pet));
	assert_false(fields_check_given(fields, ARRAY_LEN(fields), &pet, &err));
	assert_true(field_from_text(&fields[0], STR("rex"), &pet, &err));
	assert_true(field_from_text(&fields[4], STR("sit"), &pet, &err));
	assert_true(field_is_given(&fields[4], &pet));
	assert_true(fields_check_given(fields, ARRAY_LEN(fields), &pet, &err));
}

static void test_bad_utf8_of_a_command_line_is_refused(void **state)
{
	(void)state;
	assert_true(field_from_text(&fields[0], STR("rex"), &pet, &err));
	assert_true(field_from_text(&fields[1], STR("gr\303\274n"), &pet, &err));
	assert_true(fields_check(fields, ARRAY_LEN(fields), &pet, &err));
	assert_true(field_from_text(&fields[1], STR("gr\374n"), &pet, &err));
	assert_false(fields_check(fields, ARRAY_LEN(fields), &pet, &err));
	assert_non_null(strstr(err.text, "colour"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_every_type, start_empty, drop_document),
		cmocka_unit_test_setup_teardown(
			test_absent_and_null_are_not_given, start_empty, drop_document),
		cmocka_unit_test_setup_teardown(
			test_empty_text_means_none_only_where_allowed, start_empty, drop_document),
		cmocka_unit_test_setup_teardown(
			test_every_wrong_type_names_the_field, start_empty, drop_document),
		cmocka_unit_test_setup_teardown(
			test_every_limit_names_the_field, start_empty, drop_document),
		cmocka_unit_test_setup_teardown(
			test_unknown_member_is_refused, start_empty, drop_document),
		cmocka_unit_test_setup_teardown(
			test_too_long_a_list_is_refused, start_empty, drop_document),
		cmocka_unit_test_setup(test_reads_words_of_a_command_line, start_empty),
		cmocka_unit_test_setup(test_a_change_needs_only_what_it_changes, start_empty),
		cmocka_unit_test_setup(test_bad_utf8_of_a_command_line_is_refused, start_empty),
	};
	return cmocka_run_group_tests_name("registry/field", tests, NULL, NULL);
}
