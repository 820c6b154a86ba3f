/* The scanner against jansson: both take the same texts and refuse the same texts, over a corpus written by hand and over
 * a hundred thousand texts made by a grammar and broken at random; and bodies of batches, read by either, hold the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz_batch_scan.c"
#include "tests/unit/registry/json_corpus.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { VALUES = 100000, BODIES = 50000, DEPTH = 5 };

static uint64_t dice_state;

/* 0 to n - 1 (xorshift64*): the same on every machine. */
static uint32_t dice(uint32_t n)
{
	dice_state ^= dice_state >> 12;
	dice_state ^= dice_state << 25;
	dice_state ^= dice_state >> 27;
	return (uint32_t)((dice_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % n;
}

#define ONE_OF(list) (list)[dice(ARRAY_LEN(list))]

/* ---- texts that are JSON ---- */

static void make_space(struct strbuf *sb)
{
	static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t", "\r\n  "};
	strbuf_puts(sb, ONE_OF(spaces));
}

static void make_number(struct strbuf *sb)
{
	static const char *const wholes[] = {
		"0", "7", "10", "9876543210", "9007199254740991", "123456789012345678"};
	static const char *const ends[] = {"", "", "", ".0", ".50", "e0", "E+2", "e-7", ".125e3"};
	strbuf_puts(sb, dice(4) ? "" : "-");
	strbuf_puts(sb, ONE_OF(wholes));
	strbuf_puts(sb, ONE_OF(ends));
}

static void make_string(struct strbuf *sb)
{
	static const char *const pieces[] = {"", "a", "phone_number", "+91 98765", "\\n", "\\\"",
		"\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\xc3\xa9",
		"\xf0\x9f\x98\x80", "\x7f", "0123456789abcdef", " "};
	strbuf_putc(sb, '"');
	for (uint32_t n = dice(4); n > 0; n--)
		strbuf_puts(sb, ONE_OF(pieces));
	strbuf_putc(sb, '"');
}

static void make_value(struct strbuf *sb, int depth);

static void make_array(struct strbuf *sb, int depth)
{
	strbuf_putc(sb, '[');
	for (uint32_t i = 0, n = dice(4); i < n; i++) {
		strbuf_puts(sb, i ? "," : "");
		make_value(sb, depth);
	}
	strbuf_putc(sb, ']');
}

/* Keys rarely meet; when they do, both readers have to see it. */
static void make_object(struct strbuf *sb, int depth)
{
	strbuf_putc(sb, '{');
	for (uint32_t i = 0, n = dice(4); i < n; i++) {
		strbuf_printf(sb, "%s\"%c%u\"", i ? "," : "", "ab"[dice(2)], dice(40));
		make_space(sb);
		strbuf_putc(sb, ':');
		make_value(sb, depth);
	}
	strbuf_putc(sb, '}');
}

static void make_value(struct strbuf *sb, int depth)
{
	static const char *const words[] = {"true", "false", "null"};
	make_space(sb);
	switch (dice(depth ? 7 : 4)) {
	case 0:
		strbuf_puts(sb, ONE_OF(words));
		break;
	case 1:
		make_number(sb);
		break;
	case 2:
	case 3:
		make_string(sb);
		break;
	case 4:
		make_array(sb, depth - 1);
		break;
	default:
		make_object(sb, depth - 1);
	}
	make_space(sb);
}

/* ---- accidents ---- */

static void replace(struct strbuf *sb, size_t at, size_t n, struct str with)
{
	struct strbuf out = STRBUF_INIT;
	size_t behind = MIN(at + n, sb->n);
	strbuf_add(&out, sb->p, at);
	strbuf_str(&out, with);
	strbuf_add(&out, sb->p + behind, sb->n - behind);
	strbuf_free(sb);
	*sb = out;
}

static void break_once(struct strbuf *sb)
{
	static const char *const pieces[] = {"\"", "{", "}", "[", "]", ",", ":", "\\", "\\u", "0",
		"-", ".", "e", " ", "\n", "\xff", "\xc3", "\xed\xa0\x80", "null",
		"\"a1\":", "\\ud83d", "\x01", "/**/"};
	size_t at = dice((uint32_t)sb->n + 1), n = 1 + dice(6);
	switch (dice(4)) {
	case 0:
		replace(sb, at, 0, str_of(ONE_OF(pieces)));
		break;
	case 1:
		replace(sb, at, n, STR(""));
		break;
	case 2:
		replace(sb, at, 1, str_of(ONE_OF(pieces)));
		break;
	default:
		n = MIN(n, sb->n - at);
		char twice[8];
		memcpy(twice, sb->p + at, n);
		replace(sb, at, 0, (struct str){twice, n});
	}
}

/* Half of them stay whole. */
static void perhaps_break(struct strbuf *sb)
{
	for (uint32_t n = dice(2) * (1 + dice(3)); n > 0; n--)
		break_once(sb);
}

/* ---- values ---- */

static bool is_json(struct str text)
{
	struct json_digest digest;
	struct err err;
	check_value(text); /* ends the program where jansson does not agree */
	return read_all(text, &digest, &err);
}

static void both_know_what_is_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(json_corpus); i++) {
		if (is_json(str_of(json_corpus[i].text)) != json_corpus[i].is_json)
			fail_msg("%s is %sJSON", json_corpus[i].text,
				json_corpus[i].is_json ? "" : "no ");
	}
	assert_true(ARRAY_LEN(json_corpus) >= 200);
}

/* jansson ends at a NUL byte behind a value; it does not end the scan. */
static void a_nul_byte_is_nowhere_json(void **state)
{
	(void)state;
	assert_false(is_json(STR("\0")));
	assert_false(is_json(STR("[]\0")));
	assert_false(is_json(STR("\0[]")));
	assert_false(is_json(STR("[\0]")));
	assert_false(is_json(STR("\"\0\"")));
	assert_false(is_json(STR("{\"\0\":1}")));
}

static void both_agree_about_texts_made_at_random(void **state)
{
	unsigned taken = 0;
	(void)state;
	dice_state = UINT64_C(0x9e3779b97f4a7c15);
	for (int i = 0; i < VALUES; i++) {
		struct strbuf sb = STRBUF_INIT;
		make_value(&sb, DEPTH);
		perhaps_break(&sb);
		taken += is_json(strbuf_view(&sb));
		strbuf_free(&sb);
	}
	assert_in_range(taken, VALUES / 3, VALUES * 2 / 3 + VALUES / 10);
}

/* ---- bodies ---- */

struct reading {
	bool taken; /* as a body; single entries may be wrong */
	uint64_t batch_id, queue_id;
	uint32_t entries, fine;
	struct json_digest numbers; /* of the fine ones, in their order */
	uint32_t with_custom_data;
};

static void note(struct reading *reading, struct str number, bool has_custom_data)
{
	struct json_digest parts[2] = {reading->numbers};
	for (size_t i = 0; i < number.n; i++)
		parts[1].v = parts[1].v * 257 + (uint8_t)number.p[i] + 1;
	reading->numbers = json_chain(parts, ARRAY_LEN(parts));
	reading->fine++;
	reading->with_custom_data += has_custom_data;
}

static bool note_ours(void *arg, const struct batch_entry *entry, struct err *err)
{
	(void)err;
	if (!entry->problem)
		note(arg, entry->phone_number, entry->custom_data.p != NULL);
	return true;
}

static struct reading read_ours(struct str body)
{
	struct reading reading = {.taken = false};
	struct arena *arena = arena_new(1 << 20);
	struct batch_head head = {.entries = 0};
	struct err err;
	reading.taken = batch_scan(body, BATCH_ID_MAX, arena, note_ours, &reading, &head, &err);
	reading.batch_id = head.batch_id;
	reading.queue_id = head.queue_id;
	reading.entries = head.entries;
	arena_free(arena);
	return reading;
}

static void note_theirs(struct reading *reading, const json_t *entry)
{
	const json_t *number = json_object_get(entry, "phone_number");
	const json_t *custom = json_object_get(entry, "custom_data");
	if (json_is_string(number) && (!custom || json_is_null(custom) || json_is_object(custom)))
		note(reading, (struct str){json_string_value(number), json_string_length(number)},
			json_is_object(custom));
}

static bool read_id(const json_t *value, uint64_t *id)
{
	json_int_t n = json_integer_value(value);
	if (!json_is_integer(value) || n < 1 || n > (json_int_t)BATCH_ID_MAX)
		return false;
	*id = (uint64_t)n;
	return true;
}

/* The rules of batch_scan.h, on jansson's tree. */
static struct reading read_theirs(json_t *body)
{
	struct reading reading = {.taken = false};
	const json_t *queue = json_object_get(body, "queue_id"),
		     *data = json_object_get(body, "data");
	size_t i;
	json_t *entry;

	if (!read_id(json_object_get(body, "batch_id"), &reading.batch_id) ||
		(queue && !json_is_null(queue) && !read_id(queue, &reading.queue_id)) ||
		json_array_size(data) == 0)
		return reading;
	reading.taken = true;
	reading.entries = (uint32_t)json_array_size(data);
	json_array_foreach (data, i, entry)
		note_theirs(&reading, entry);
	return reading;
}

static void make_entry(struct strbuf *sb)
{
	static const char *const numbers[] = {"\"9876543210\"", "\"+91 98765 43210\"",
		"\"\\u0031\\u00300\"", "\"\"", "9876543210", "null", "[]"};
	if (dice(12) == 0) {
		make_value(sb, 1);
		return;
	}
	strbuf_puts(sb, "{\"phone_number\":");
	strbuf_puts(sb, dice(4) ? numbers[0] : ONE_OF(numbers));
	if (dice(2)) {
		strbuf_puts(sb, ",\"custom_data\":");
		if (dice(5))
			make_object(sb, 2);
		else
			make_value(sb, 1);
	}
	strbuf_putc(sb, '}');
}

static void make_body(struct strbuf *sb)
{
	static const char *const ids[] = {"1", "12345", "9007199254740991", "9007199254740992", "0",
		"-1", "1.0", "\"1\"", "1e3", "null"};
	strbuf_printf(sb, "{\"batch_id\":%s,", dice(8) ? ids[dice(3)] : ONE_OF(ids));
	if (dice(3) == 0)
		strbuf_printf(sb, "\"queue_id\":%s,", dice(8) ? "17" : ONE_OF(ids));
	strbuf_puts(sb, "\"data\":[");
	for (uint32_t i = 0, n = dice(6); i < n; i++) {
		strbuf_puts(sb, i ? "," : "");
		make_entry(sb);
	}
	strbuf_puts(sb, "]}");
}

static bool same_reading(const struct reading *a, const struct reading *b)
{
	return a->taken == b->taken &&
	       (!a->taken || (a->batch_id == b->batch_id && a->queue_id == b->queue_id &&
				     a->entries == b->entries && a->fine == b->fine &&
				     a->numbers.v == b->numbers.v &&
				     a->with_custom_data == b->with_custom_data));
}

static void both_read_the_same_out_of_a_batch(void **state)
{
	unsigned taken = 0;
	(void)state;
	dice_state = UINT64_C(0x2545f4914f6cdd1d);
	for (int i = 0; i < BODIES; i++) {
		struct strbuf sb = STRBUF_INIT;
		make_body(&sb);
		perhaps_break(&sb);
		struct reading ours = read_ours(strbuf_view(&sb));
		json_error_t why;
		json_t *tree = json_loadb(sb.p, sb.n, JSON_REJECT_DUPLICATES, &why);
		struct reading theirs = read_theirs(tree);
		/* jansson cannot hold a number beyond 64 bits, which in custom_data stays text. */
		bool beyond = !tree && json_error_code(&why) == json_error_numeric_overflow;
		if (!beyond && !same_reading(&ours, &theirs))
			fail_msg("%.*s", (int)sb.n, sb.p);
		taken += ours.taken;
		json_decref(tree);
		strbuf_free(&sb);
	}
	assert_in_range(taken, BODIES / 4, BODIES * 3 / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_know_what_is_json),
		cmocka_unit_test(a_nul_byte_is_nowhere_json),
		cmocka_unit_test(both_agree_about_texts_made_at_random),
		cmocka_unit_test(both_read_the_same_out_of_a_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
