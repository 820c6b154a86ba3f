/* What args encodes, rows decodes: the same binary form in both directions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql/args.h"
#include "sql/rows.h"

#include "common/base.h"

/* One row whose columns are the parameters, as if PostgreSQL had sent them back. */
static struct rows echo(const struct sql_args *args)
{
	PGresAttDesc columns[SQL_ARGS_MAX] = {{0}};
	struct libpq_args wire;
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	char name[] = "column";

	args_to_libpq(args, &wire);
	for (int i = 0; i < wire.n; i++)
		columns[i] = (PGresAttDesc){.name = name, .format = 1, .typid = wire.type[i]};
	assert_true(PQsetResultAttrs(result, wire.n, columns));
	for (int i = 0; i < wire.n; i++) {
		/* PQsetvalue copies; it only lacks a const. */
		char *copy = wire.value[i] ? memcpy(malloc((size_t)wire.length[i] + 1),
						     wire.value[i], (size_t)wire.length[i])
					   : NULL;
		assert_true(PQsetvalue(result, 0, i, copy, copy ? wire.length[i] : -1));
		free(copy);
	}
	return (struct rows){result, PQntuples(result)};
}

static void test_numbers_times_and_nulls_return(void **state)
{
	(void)state;
	const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(1) << 40};
	const int64_t times[] = {
		0, 1, -1, INT64_C(1795338000000000), INT64_MAX, INT64_MIN + 1, INT64_MIN};
	struct sql_args args = SQL_ARGS_INIT;

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		arg_i64(&args, numbers[i]);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		arg_time(&args, times[i]);
	arg_bool(&args, true);
	arg_bool(&args, false);
	arg_i64_or_null(&args, 7, true);
	struct rows rows = echo(&args);
	int column = 0;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		assert_int_equal(row_i64(&rows, 0, column++), numbers[i]);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		assert_int_equal(row_time(&rows, 0, column++), times[i]);
	assert_true(row_is_null(&rows, 0, column - 1));
	assert_true(row_bool(&rows, 0, column++));
	assert_false(row_bool(&rows, 0, column++));
	assert_true(row_is_null(&rows, 0, column));
	assert_int_equal(row_i64(&rows, 0, column), 0);
	rows_free(&rows);
	args_free(&args);
}

static void test_text_returns_and_empty_is_not_null(void **state)
{
	(void)state;
	struct sql_args args = SQL_ARGS_INIT;
	char small[4];

	arg_text(&args, STR(""));
	arg_text(&args, STR("h\303\251"));
	arg_text_or_null(&args, (struct str){NULL, 0});
	arg_bytes(&args, "a\0b", 3);
	struct rows rows = echo(&args);
	assert_false(row_is_null(&rows, 0, 0));
	assert_int_equal(row_text(&rows, 0, 0).n, 0);
	assert_true(str_eq(row_text(&rows, 0, 1), STR("h\303\251")));
	assert_true(row_is_null(&rows, 0, 2));
	assert_true(str_eq(row_bytes(&rows, 0, 3), STR("a\0b")));
	assert_true(row_copy(&rows, 0, 1, small, sizeof(small)));
	assert_string_equal(small, "h\303\251");
	assert_false(row_copy(&rows, 0, 1, small, 3));
	assert_true(row_copy(&rows, 0, 2, small, sizeof(small)));
	assert_string_equal(small, "");
	rows_free(&rows);
	args_free(&args);
}

static void test_only_empty_text_is_not_null_either(void **state)
{
	(void)state;
	struct sql_args args = SQL_ARGS_INIT;
	struct libpq_args wire;

	args_to_libpq(NULL, &wire);
	assert_int_equal(wire.n, 0);
	arg_text(&args, STR(""));
	args_to_libpq(&args, &wire);
	assert_non_null(wire.value[0]);
	args_free(&args);
}

static void test_lists_return_with_nulls_and_when_empty(void **state)
{
	(void)state;
	struct sql_args args = SQL_ARGS_INIT;
	struct str element;

	struct sql_array array = arg_array(&args, TEXTOID);
	array_text(&array, STR("one"));
	array_text(&array, (struct str){NULL, 0});
	array_text(&array, STR(""));
	array_end(&array);
	array = arg_array(&args, TEXTOID);
	array_end(&array);
	arg_null(&args, TEXTARRAYOID);
	struct rows rows = echo(&args);

	struct row_list list = row_list(&rows, 0, 0);
	assert_true(row_list_next(&list, &element));
	assert_true(str_eq(element, STR("one")));
	assert_true(row_list_next(&list, &element));
	assert_null(element.p);
	assert_true(row_list_next(&list, &element));
	assert_int_equal(element.n, 0);
	assert_non_null(element.p);
	assert_false(row_list_next(&list, &element));
	list = row_list(&rows, 0, 1);
	assert_false(row_list_next(&list, &element));
	list = row_list(&rows, 0, 2);
	assert_false(row_list_next(&list, &element));
	rows_free(&rows);
	args_free(&args);
}

static void test_arrays_of_all_types_have_the_server_s_form(void **state)
{
	(void)state;
	struct sql_args args = SQL_ARGS_INIT;
	struct libpq_args wire;

	struct sql_array array = arg_array(&args, INT8OID);
	array_i64(&array, 258);
	array_null(&array);
	array_end(&array);
	array = arg_array(&args, BOOLOID);
	array_bool(&array, true);
	array_end(&array);
	array = arg_array(&args, TIMESTAMPTZOID);
	array_time(&array, INT64_C(946684800000001));
	array_time(&array, INT64_MIN);
	array_end(&array);
	args_to_libpq(&args, &wire);

	/* dimensions, has nulls, element type, length, lower bound; elements */
	const char numbers[] = "\0\0\0\1\0\0\0\1\0\0\0\24\0\0\0\2\0\0\0\1"
			       "\0\0\0\10\0\0\0\0\0\0\1\2\377\377\377\377";
	assert_int_equal(wire.length[0], sizeof(numbers) - 1);
	assert_memory_equal(wire.value[0], numbers, sizeof(numbers) - 1);
	const char truths[] = "\0\0\0\1\0\0\0\0\0\0\0\20\0\0\0\1\0\0\0\1\0\0\0\1\1";
	assert_int_equal(wire.length[1], sizeof(truths) - 1);
	assert_memory_equal(wire.value[1], truths, sizeof(truths) - 1);
	const char times[] = "\0\0\0\1\0\0\0\1\0\0\4\240\0\0\0\2\0\0\0\1"
			     "\0\0\0\10\0\0\0\0\0\0\0\1\377\377\377\377";
	assert_int_equal(wire.length[2], sizeof(times) - 1);
	assert_memory_equal(wire.value[2], times, sizeof(times) - 1);
	args_free(&args);
}

static void test_args_can_be_used_again(void **state)
{
	(void)state;
	struct sql_args args = SQL_ARGS_INIT;

	arg_text(&args, STR("first"));
	args_reset(&args);
	arg_text(&args, STR("second"));
	struct rows rows = echo(&args);
	assert_int_equal(PQnfields(rows.result), 1);
	assert_true(str_eq(row_text(&rows, 0, 0), STR("second")));
	rows_free(&rows);
	args_free(&args);
}

static void test_float_and_small_integers_are_read(void **state)
{
	(void)state;
	PGresAttDesc columns[3] = {{0}};
	char name[] = "column", eighth[] = "\77\300\0\0\0\0\0\0", minus_two[] = "\377\376",
	     minus_three[] = "\377\377\377\375";
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	const Oid types[] = {FLOAT8OID, INT2OID, INT4OID};

	for (int i = 0; i < 3; i++)
		columns[i] = (PGresAttDesc){.name = name, .format = 1, .typid = types[i]};
	assert_true(PQsetResultAttrs(result, 3, columns));
	assert_true(PQsetvalue(result, 0, 0, eighth, 8));
	assert_true(PQsetvalue(result, 0, 1, minus_two, 2));
	assert_true(PQsetvalue(result, 0, 2, minus_three, 4));
	struct rows rows = {result, 1};
	assert_true(fabs(row_f64(&rows, 0, 0) - 0.125) < 1e-9);
	assert_int_equal(row_i64(&rows, 0, 1), -2);
	assert_int_equal(row_i64(&rows, 0, 2), -3);
	rows_free(&rows);
}

/* Our own bugs end the process: seen from a child. */
static void assert_ends(const struct rows *rows, int column, int how)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(STDERR_FILENO);
		if (how == 'i')
			(void)row_i64(rows, 0, column);
		else if (how == 't')
			(void)row_text(rows, 0, column);
		else if (how == 'b')
			(void)row_bytes(rows, 0, column);
		else
			(void)row_time(rows, 0, column);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_SOFTWARE);
}

static void test_a_column_read_as_what_it_is_not_ends_the_process(void **state)
{
	(void)state;
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, 7);
	arg_text(&args, STR("seven"));
	struct rows rows = echo(&args);
	assert_ends(&rows, 0, 't');
	assert_ends(&rows, 0, 'b');
	assert_ends(&rows, 0, '@');
	assert_ends(&rows, 1, 'i');
	assert_ends(&rows, 1, 'b');
	assert_ends(&rows, 2, 'i');
	rows_free(&rows);
	args_free(&args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_times_and_nulls_return),
		cmocka_unit_test(test_text_returns_and_empty_is_not_null),
		cmocka_unit_test(test_only_empty_text_is_not_null_either),
		cmocka_unit_test(test_lists_return_with_nulls_and_when_empty),
		cmocka_unit_test(test_arrays_of_all_types_have_the_server_s_form),
		cmocka_unit_test(test_args_can_be_used_again),
		cmocka_unit_test(test_float_and_small_integers_are_read),
		cmocka_unit_test(test_a_column_read_as_what_it_is_not_ends_the_process),
	};
	return cmocka_run_group_tests_name("sql/args and rows", tests, NULL, NULL);
}
