/* CSV in pieces of any size: what comes out does not depend on where they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/csv_reader.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

/* Records as "line|field|field;" one behind the other. */
static bool note(void *arg, const struct csv_record *record, struct err *err)
{
	struct strbuf *seen = arg;
	(void)err;
	strbuf_u64(seen, record->line);
	for (size_t i = 0; i < record->n; i++) {
		strbuf_putc(seen, '|');
		strbuf_str(seen, record->field[i]);
	}
	strbuf_putc(seen, ';');
	return true;
}

/* Pushes text in pieces of n bytes. */
static bool read_in_pieces(struct str text, size_t n, struct strbuf *seen, struct err *err)
{
	struct csv_reader csv;
	bool ok = true;

	csv_reader_begin(&csv, ',', note, seen);
	for (size_t at = 0; ok && at < text.n; at += n)
		ok = csv_reader_push(&csv, (struct str){text.p + at, MIN(n, text.n - at)}, err);
	ok = ok && csv_reader_finish(&csv, err);
	csv_reader_free(&csv);
	return ok;
}

static void reads(const char *text, const char *expected)
{
	struct err err;
	for (size_t n = 1; n <= strlen(text) + 1; n++) {
		struct strbuf seen = STRBUF_INIT;
		assert_true(read_in_pieces(str_of(text), n, &seen, &err));
		assert_string_equal(strbuf_view(&seen).p, expected);
		strbuf_free(&seen);
	}
}

static void refuses(struct str text, const char *code, const char *named)
{
	for (size_t n = 1; n <= text.n + 1; n++) {
		struct strbuf seen = STRBUF_INIT;
		struct err err;
		assert_false(read_in_pieces(text, n, &seen, &err));
		assert_string_equal(err.code, code);
		assert_non_null(strstr(err.text, named));
		strbuf_free(&seen);
	}
}

static void test_records(void **state)
{
	(void)state;
	reads("", "");
	reads("a,b\nc,d\n", "1|a|b;2|c|d;");
	reads("a,b\r\nc,d", "1|a|b;2|c|d;");
	reads("\n\r\na\n\n", "3|a;");
	reads(",\n\"\"\n", "1||;2|;");
	reads("\"a\"\"b\",\"c,\r\nd\"\ne\n", "1|a\"b|c,\r\nd;3|e;");
	reads(" a , b\n", "1| a | b;");
}

static void test_what_is_wrong_has_a_line(void **state)
{
	(void)state;
	refuses(STR("a\nb\"c\n"), "invalid_csv", "line 2 has a quote");
	refuses(STR("\"a\nb\"c"), "invalid_csv", "line 2 has text behind");
	refuses(STR("a\n\"b"), "invalid_csv", "begins on line 2");
	refuses(STR("a\rb"), "invalid_csv", "line 1 ends with CR");
	refuses(STR("a\n\xff\n"), "invalid_encoding", "line 2");
	refuses(STR("a\n\xc3,\xbc\n"), "invalid_encoding", "line 2");
	refuses(((struct str){"a\nb\0c\n", 6}), "invalid_encoding", "line 2");
}

static void test_a_record_has_an_end(void **state)
{
	struct strbuf text = STRBUF_INIT, seen = STRBUF_INIT;
	struct err err;
	(void)state;

	for (int i = 0; i < CSV_FIELDS_MAX; i++)
		strbuf_puts(&text, ",");
	assert_false(read_in_pieces(strbuf_view(&text), 7, &seen, &err));
	strbuf_reset(&text);
	for (int i = 0; i <= CSV_RECORD_BYTES; i++)
		strbuf_putc(&text, 'x');
	assert_false(read_in_pieces(strbuf_view(&text), 1000, &seen, &err));
	assert_string_equal(err.code, "invalid_csv");
	strbuf_free(&text);
	strbuf_free(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_what_is_wrong_has_a_line),
		cmocka_unit_test(test_a_record_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
