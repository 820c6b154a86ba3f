/* The insert body's scanner: what it accepts, what it hands on, what it says about the rest, and
 * which bodies are the same. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz_batch_scan.c"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { MANY = 1000000 };

struct seen {
	int n;
	struct batch_entry entry[8];
	char problem[8][256];
};

static bool remember(void *arg, const struct batch_entry *entry, struct err *err)
{
	struct seen *seen = arg;
	(void)err;
	assert_true(seen->n < (int)ARRAY_LEN(seen->entry));
	seen->entry[seen->n] = *entry;
	(void)snprintf(seen->problem[seen->n++], sizeof(seen->problem[0]), "%s",
		entry->problem ? entry->problem->text : "");
	return true;
}

static bool ignore(void *arg, const struct batch_entry *entry, struct err *err)
{
	(void)arg;
	(void)entry;
	(void)err;
	return true;
}

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void assert_text(struct str text, const char *expected)
{
	assert_non_null(text.p);
	assert_int_equal(text.n, strlen(expected));
	assert_memory_equal(text.p, expected, text.n);
}

static void entries_come_in_order_with_custom_data_as_it_was_sent(void **state)
{
	(void)state;
	const char *body =
		"{\"data\" : [{\"custom_data\": {\"b\" : 1e200000,\"a\":[ ]} , "
		"\"phone_number\":\"+91 98\"},\n"
		"{\"phone_number\":\"\\u0031\\/\\u00e9\",\"custom_data\":null,\"other\":{}} ], "
		"\"note\":[1],\"batch_id\": 9007199254740991}";
	struct seen seen = {.n = 0};
	struct batch_head head;
	struct err err;
	assert_true(batch_scan(str_of(body), MANY, arena, remember, &seen, &head, &err));
	assert_int_equal(head.batch_id, BATCH_ID_MAX);
	assert_int_equal(head.entries, 2);
	assert_text(seen.entry[0].phone_number, "+91 98");
	assert_text(seen.entry[0].custom_data, "{\"b\" : 1e200000,\"a\":[ ]}");
	assert_null(seen.entry[0].problem);
	assert_int_equal(seen.entry[1].index, 1);
	assert_text(seen.entry[1].phone_number, "1/\xc3\xa9");
	assert_null(seen.entry[1].custom_data.p);
}

/* A body's digest tells what it asks to show, and whether its batch or its last entry does; without it is what it always was. */
static void a_did_is_read_and_is_content(void **state)
{
	static const char *const bodies[] = {"{\"batch_id\":1,\"data\":[{\"phone_number\":\"1\"}]}",
		"{\"batch_id\":1,\"did\":null,\"data\":[{\"did\":null,\"phone_number\":\"1\"}]}",
		"{\"batch_id\":1,\"did\":\"+91\",\"data\":[{\"phone_number\":\"1\"}]}",
		"{\"batch_id\":1,\"data\":[{\"phone_number\":\"1\"}],\"did\":\"\\u002b91\"}",
		"{\"batch_id\":1,\"data\":[{\"phone_number\":\"1\",\"did\":\"+91\"}]}",
		"{\"batch_id\":1,\"data\":[{\"phone_number\":\"1\",\"did\":\"92\"}]}"};
	static const int same_as[] = {0, 0, 2, 2, 4, 5};
	struct batch_head heads[ARRAY_LEN(bodies)];
	struct err err;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct seen seen = {.n = 0};
		assert_true(batch_scan(
			str_of(bodies[i]), MANY, arena, remember, &seen, &heads[i], &err));
		if (same_as[i] == 2)
			assert_text(heads[i].settings.did, "+91");
		else
			assert_null(heads[i].settings.did.p);
		if (i >= 4)
			assert_text(seen.entry[0].did, i == 4 ? "+91" : "92");
		else
			assert_null(seen.entry[0].did.p);
		for (size_t k = 0; k <= i; k++)
			assert_true((heads[k].content.v == heads[i].content.v) ==
				    (same_as[k] == same_as[i]));
	}
}

static void what_is_wrong_with_one_entry_is_handed_on_with_it(void **state)
{
	(void)state;
	const char *body = "{\"batch_id\":1,\"data\":[{\"phone_number\":\"1\"},{\"phone_number\":"
			   "9876543210},{\"custom_data\":{}},"
			   "{\"phone_number\":\"2\",\"custom_data\":\"{}\"},\"9876543210\",{"
			   "\"phone_number\":null},{\"phone_number\":\"1\",\"did\":91}]}";
	static const char *const problems[] = {"",
		"phone_number of entry 1 is a number; send a string of 3 to 15 digits",
		"phone_number of entry 2 is missing; send 3 to 15 digits",
		"custom_data of entry 3 is a string; send an object or leave it out",
		"entry 4 of data is a string; send an object with phone_number",
		"phone_number of entry 5 is null; send a string of 3 to 15 digits",
		"did of entry 6 is a number; send a string or leave it out"};
	struct seen seen = {.n = 0};
	struct batch_head head;
	struct err err;
	assert_true(batch_scan(str_of(body), MANY, arena, remember, &seen, &head, &err));
	assert_int_equal(seen.n, ARRAY_LEN(problems));
	for (int i = 0; i < seen.n; i++)
		assert_string_equal(seen.problem[i], problems[i]);
}

static void a_wrong_body_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *body, *code, *text;
	} cases[] = {
		{"", "invalid_json",
			"the body is empty; send a JSON object with batch_id and data"},
		{" \n", "invalid_json",
			"the body is empty; send a JSON object with batch_id and data"},
		{"[1]", "invalid_type",
			"the body is an array; send an object with batch_id and data"},
		{"hello", "invalid_json",
			"the body is not valid JSON: something that begins no value at line 1, "
			"column 1"},
		{"{}", "missing_field",
			"batch_id is missing; send an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":1}", "missing_field", "data is missing; send an array of entries"},
		{"{\"batch_id\":1,\"data\":[]}", "invalid_value",
			"data is empty; send at least one entry"},
		{"{\"batch_id\":1,\"data\":{}}", "invalid_type",
			"data is an object; send an array of entries"},
		{"{\"batch_id\":1,\"data\":null}", "invalid_type",
			"data is null; send an array of entries"},
		{"{\"batch_id\":1,\"did\":91,\"data\":[{}]}", "invalid_field",
			"did must be text: the number that called people see; one of those that "
			"the account may show"},
		{"{\"batch_id\":\"1\"}", "invalid_type",
			"batch_id is a string; send an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":true}", "invalid_type",
			"batch_id is true or false; send an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":0}", "invalid_value",
			"batch_id must be an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":-1}", "invalid_value",
			"batch_id must be an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":1.5}", "invalid_value",
			"batch_id must be an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":9007199254740992}", "invalid_value",
			"batch_id must be an integer from 1 to 9007199254740991"},
		{"{\"batch_id\":1,\"data\":[{}]", "invalid_json",
			"the body is not valid JSON: it ends too early at line 1, column 26"},
		{"{\"batch_id\":1,\n\"data\":[{}]}\n}", "invalid_json",
			"the body is not valid JSON: more text behind the end at line 3, column 1"},
		{"{\"batch_id\":1,}", "invalid_json",
			"the body is not valid JSON: something else than a key in double quotes at "
			"line 1, column 15"},
		{"{\"batch_id\":1,\"batch_id\":1}", "invalid_json",
			"the body is not valid JSON: a key that this object already has at line 1, "
			"column 15"},
		{"{\"batch_id\":1,\"data\":[{\"phone_number\":\"1\",\"phone_\\u006eumber\":\"2\"}]"
		 "}",
			"invalid_json",
			"the body is not valid JSON: a key that this object already has at line 1, "
			"column 43"},
		{"{\"batch_id\":1,\"data\":[{\"phone_number\":\"\\u0000\"}]}", "invalid_json",
			"the body is not valid JSON: \\u0000 is not allowed at line 1, column 40"},
		{"{\"batch_id\":1,\"data\":[{\"custom_data\":{\"a\":\"\xff\"}}]}", "invalid_json",
			"the body is not valid JSON: a byte that is not UTF-8 at line 1, column "
			"44"},
		{"{\"batch_id\":1,\"data\":[1,2,3,4]}", "batch_too_large",
			"data has more than 3 entries (the limit is max_batch_entries = 3); send "
			"several batches"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct batch_head head = {.batch_id = 77};
		struct err err;
		assert_false(
			batch_scan(str_of(cases[i].body), 3, arena, ignore, NULL, &head, &err));
		assert_int_equal(err.kind, ERR_INPUT);
		assert_string_equal(err.text, cases[i].text);
		assert_string_equal(err.code, cases[i].code);
		assert_int_equal(head.batch_id, 77);
	}
}

static void a_quick_call_is_one_entry(void **state)
{
	(void)state;
	struct batch_entry entry;
	struct err err;
	assert_true(entry_scan(
		str_of("{\"custom_data\":{},\"phone_number\":\"100\"}"), arena, &entry, &err));
	assert_text(entry.phone_number, "100");
	assert_text(entry.custom_data, "{}");
	assert_false(entry_scan(str_of("{}"), arena, &entry, &err));
	assert_string_equal(err.text, "phone_number is missing; send 3 to 15 digits");
	assert_string_equal(err.code, "missing_field");
	assert_false(entry_scan(
		str_of("{\"phone_number\":\"100\",\"custom_data\":[]}"), arena, &entry, &err));
	assert_string_equal(err.text, "custom_data is an array; send an object or leave it out");
	assert_false(entry_scan(str_of("\"100\""), arena, &entry, &err));
	assert_string_equal(err.text, "the body is a string; send an object with phone_number");
	assert_false(entry_scan(str_of(""), arena, &entry, &err));
}

/* n times text. */
static char *repeated(const char *text, int n)
{
	struct strbuf sb = STRBUF_INIT;
	while (n-- > 0)
		strbuf_puts(&sb, text);
	return sb.p;
}

static void nesting_ends_at_sixteen(void **state)
{
	(void)state;
	for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
		char *open = repeated("{\"a\":", depth), *close = repeated("}", depth);
		struct strbuf body = STRBUF_INIT;
		struct batch_entry entry;
		struct err err;
		strbuf_printf(
			&body, "{\"phone_number\":\"100\",\"custom_data\":%s1%s}", open, close);
		assert_int_equal(entry_scan(strbuf_view(&body), arena, &entry, &err),
			depth == JSON_MAX_DEPTH);
		strbuf_free(&body);
		free(open);
		free(close);
	}
}

static void members_end_at_1024_and_doubles_are_found_among_them(void **state)
{
	(void)state;
	for (int n = JSON_MAX_MEMBERS - 1; n <= JSON_MAX_MEMBERS; n++) {
		for (int first = 0; first <= 1; first++) {
			struct strbuf text = STRBUF_INIT;
			struct json_digest digest;
			struct err err;
			strbuf_printf(&text, "{\"k%d\":0", first ? 1000 : -1);
			for (int i = 0; i < n; i++)
				strbuf_printf(&text, ",\"k%d\":%d", i, i);
			strbuf_puts(&text, "}");
			assert_int_equal(read_all(strbuf_view(&text), &digest, &err),
				n < JSON_MAX_MEMBERS && !first);
			if (n < JSON_MAX_MEMBERS && first)
				assert_non_null(strstr(err.text, "already has"));
			strbuf_free(&text);
		}
	}
}

static struct json_digest digest_of_batch(const char *data)
{
	struct strbuf body = STRBUF_INIT;
	struct batch_head head;
	struct err err;
	strbuf_printf(&body, "{\"batch_id\":1,\"data\":%s}", data);
	assert_true(batch_scan(strbuf_view(&body), MANY, arena, ignore, NULL, &head, &err));
	strbuf_free(&body);
	return head.content;
}

static bool same_batch(const char *a, const char *b)
{
	struct json_digest x = digest_of_batch(a), y = digest_of_batch(b);
	return x.v == y.v;
}

#define CUSTOM(json) "[{\"phone_number\":\"100\",\"custom_data\":" json "}]"

static void spelling_does_not_make_another_batch(void **state)
{
	static const char *const pairs[][2] = {
		{CUSTOM("{\"a\":1,\"b\":[true,null]}"),
			"[ { \"custom_data\" : {\t\"b\":[true , null],\r\n\"a\":1}, "
			"\"phone_number\":\"100\" } ]"},
		{CUSTOM("{\"a\":{\"b\":1,\"c\":2,\"d\":3}}"),
			CUSTOM("{\"a\":{\"d\":3,\"b\":1,\"c\":2}}")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"\\u0061\":1.0}")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"a\":1e0}")},
		{CUSTOM("{\"a\":100}"), CUSTOM("{\"a\":1E+2}")},
		{CUSTOM("{\"a\":100}"), CUSTOM("{\"a\":0.001e5}")},
		{CUSTOM("{\"a\":-1.50}"), CUSTOM("{\"a\":-15e-1}")},
		{CUSTOM("{\"a\":0}"), CUSTOM("{\"a\":-0.000e7}")},
		{CUSTOM("{\"a\":\"/\\n\xc3\xa9\"}"), CUSTOM("{\"a\":\"\\/\\u000a\\u00E9\"}")},
		{CUSTOM("{\"a\":\"\xf0\x9f\x98\x80\"}"), CUSTOM("{\"a\":\"\\ud83d\\ude00\"}")},
		{CUSTOM("null"), "[{\"phone_number\":\"100\"}]"},
		{"[{\"phone_number\":\"100\"}]",
			"[{\"phone_number\":\"\\u00310\\u0030\",\"unknown\":{\"b\":1}}]"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_true(same_batch(pairs[i][0], pairs[i][1]));
}

static void another_value_is_another_batch(void **state)
{
	static const char *const pairs[][2] = {
		{"[{\"phone_number\":\"100\"}]", "[{\"phone_number\":\"101\"}]"},
		{"[{\"phone_number\":\"100\"}]",
			"[{\"phone_number\":\"100\"},{\"phone_number\":\"100\"}]"},
		{"[{\"phone_number\":\"100\"},{\"phone_number\":\"101\"}]",
			"[{\"phone_number\":\"101\"},{\"phone_number\":\"100\"}]"},
		{"[{\"phone_number\":\"100\"}]", "[{\"phone_number\":100}]"},
		{"[{\"phone_number\":\"100\"}]", "[\"100\"]"},
		{"[{\"phone_number\":\"100\"}]", CUSTOM("{}")},
		{CUSTOM("{}"), CUSTOM("[]")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"a\":\"1\"}")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"a\":-1}")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"a\":10}")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"a\":1.0000000000000000000000000001}")},
		{CUSTOM("{\"a\":1e999999999999999999999}"),
			CUSTOM("{\"a\":1e999999999999999999998}")},
		{CUSTOM("{\"a\":1e999999999999999999999}"),
			CUSTOM("{\"a\":1e-999999999999999999999}")},
		{CUSTOM("{\"a\":12}"), CUSTOM("{\"a\":21}")},
		{CUSTOM("{\"a\":1}"), CUSTOM("{\"b\":1}")},
		{CUSTOM("{\"a\":\"b\"}"), CUSTOM("{\"b\":\"a\"}")},
		{CUSTOM("{\"a\":1,\"b\":2}"), CUSTOM("{\"a\":2,\"b\":1}")},
		{CUSTOM("{\"a\":[1,2]}"), CUSTOM("{\"a\":[2,1]}")},
		{CUSTOM("{\"a\":[1,[2]]}"), CUSTOM("{\"a\":[[1],2]}")},
		{CUSTOM("{\"a\":[]}"), CUSTOM("{\"a\":{}}")},
		{CUSTOM("{\"a\":[]}"), CUSTOM("{\"a\":[[]]}")},
		{CUSTOM("{\"a\":null}"), CUSTOM("{}")},
		{CUSTOM("{\"a\":null}"), CUSTOM("{\"a\":\"null\"}")},
		{CUSTOM("{\"a\":true}"), CUSTOM("{\"a\":false}")},
		{CUSTOM("{\"a\":\"x\"}"), CUSTOM("{\"a\":\"X\"}")},
		{CUSTOM("{\"a\":\"x\"}"), CUSTOM("{\"a\":\"x \"}")},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_false(same_batch(pairs[i][0], pairs[i][1]));
}

/* Every file of the fuzzer's corpus, run from the top of the tree. */
static void the_corpus_holds(void **state)
{
	(void)state;
	const char *folder = "tests/fuzz/corpus/batch_scan";
	DIR *dir = opendir(folder);
	int n = 0;
	assert_non_null(dir);
	for (struct dirent *file; (file = readdir(dir));) {
		char path[512], text[65536];
		if (file->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, file->d_name);
		FILE *f = fopen(path, "rb");
		assert_non_null(f);
		size_t size = fread(text, 1, sizeof(text), f);
		(void)fclose(f);
		assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)text, size), 0);
		n++;
	}
	(void)closedir(dir);
	assert_true(n >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_in_order_with_custom_data_as_it_was_sent),
		cmocka_unit_test(a_did_is_read_and_is_content),
		cmocka_unit_test(what_is_wrong_with_one_entry_is_handed_on_with_it),
		cmocka_unit_test(a_wrong_body_is_refused_with_a_reason),
		cmocka_unit_test(a_quick_call_is_one_entry),
		cmocka_unit_test(nesting_ends_at_sixteen),
		cmocka_unit_test(members_end_at_1024_and_doubles_are_found_among_them),
		cmocka_unit_test(spelling_does_not_make_another_batch),
		cmocka_unit_test(another_value_is_another_batch),
		cmocka_unit_test(the_corpus_holds),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
