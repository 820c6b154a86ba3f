/* Frames of clients: what is read, and what breaks the connection off. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/input.h"
#include "tests/fuzz/fuzz_ws_input.c"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { FIN = 0x80, CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

/* A client's frame, with the shortest form of its length. */
static void put_frame(struct strbuf *sb, int first, const void *payload, size_t n)
{
	strbuf_putc(sb, (char)first);
	if (n < 126) {
		strbuf_putc(sb, (char)(0x80 | n));
	} else if (n < 65536) {
		strbuf_putc(sb, (char)(0x80 | 126));
		strbuf_putc(sb, (char)(n >> 8));
		strbuf_putc(sb, (char)n);
	} else {
		strbuf_putc(sb, (char)(0x80 | 127));
		for (int shift = 56; shift >= 0; shift -= 8)
			strbuf_putc(sb, (char)((uint64_t)n >> shift));
	}
	strbuf_add(sb, MASK, sizeof(MASK));
	for (size_t i = 0; i < n; i++)
		strbuf_putc(sb, (char)(((const uint8_t *)payload)[i] ^ MASK[i % 4]));
}

static void put_text(struct strbuf *sb, int first, const char *text)
{
	put_frame(sb, first, text, strlen(text));
}

/* All frames of the bytes in one line of text, as "text:hello ping:x broken:1002". Bytes come in parts of this size. */
static const char *read_all(const struct strbuf *bytes, size_t part)
{
	static struct strbuf said;
	struct input input = {0};
	struct input_frame frame = {.kind = INPUT_PARTIAL};
	strbuf_reset(&said);
	for (size_t at = 0; at < bytes->n && frame.kind != INPUT_BROKEN;) {
		struct str some = {bytes->p + at, MIN(part, bytes->n - at)};
		at += input_take(&input, some, &frame);
		struct str data = frame.data;
		const char *space = said.n ? " " : "";
		if (frame.kind == INPUT_TEXT)
			strbuf_printf(&said, "%stext:%.*s", space, (int)data.n, data.p);
		else if (frame.kind == INPUT_PING)
			strbuf_printf(&said, "%sping:%.*s", space, (int)data.n, data.p);
		else if (frame.kind == INPUT_PONG)
			strbuf_printf(&said, "%spong", space);
		else if (frame.kind == INPUT_FRAGMENT)
			strbuf_printf(&said, "%sfragment", space);
		else if (frame.kind == INPUT_CLOSE)
			strbuf_printf(&said, "%sclose:%d", space, (int)frame.code);
		else if (frame.kind == INPUT_BROKEN)
			strbuf_printf(&said, "%sbroken:%d", space, (int)frame.code);
	}
	input_free(&input);
	return strbuf_view(&said).p;
}

/* The same, however the bytes are cut. Frees them. */
static void assert_reads(struct strbuf *bytes, const char *expected)
{
	static const size_t parts[] = {1, 2, 3, 7, 4096, SIZE_MAX};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		assert_string_equal(read_all(bytes, parts[i]), expected);
	strbuf_free(bytes);
}

static void test_messages_one_after_the_other(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	put_text(&bytes, FIN | TEXT, "hello");
	put_text(&bytes, FIN | TEXT, "");
	put_text(&bytes, FIN | TEXT, "gr\xc3\xbc\xc3\x9f dich");
	assert_reads(&bytes, "text:hello text: text:gr\xc3\xbc\xc3\x9f dich");
}

static void test_lengths_of_all_three_forms(void **state)
{
	(void)state;
	static const size_t lengths[] = {125, 126, 127, 4095, 4096};
	char expected[sizeof("text:") + 4096] = "text:", *text = expected + strlen("text:");
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct strbuf bytes = STRBUF_INIT;
		memset(text, 'a' + (int)i, lengths[i]);
		text[lengths[i]] = '\0';
		put_text(&bytes, FIN | TEXT, text);
		assert_reads(&bytes, expected);
	}
}

static void test_a_length_in_a_longer_form_than_needed_is_read_too(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	strbuf_add(&bytes, "\x81\xfe\x00\x02\0\0\0\0ok", 10);
	strbuf_add(&bytes, "\x81\xff\0\0\0\0\0\0\x00\x02\0\0\0\0ok", 16);
	assert_reads(&bytes, "text:ok text:ok");
}

static void test_fragments_with_control_frames_between(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	put_text(&bytes, TEXT, "one ");
	put_text(&bytes, FIN | PING, "now");
	put_text(&bytes, CONTINUATION, "two ");
	put_text(&bytes, FIN | PONG, "");
	put_text(&bytes, FIN | CONTINUATION, "three");
	put_text(&bytes, FIN | TEXT, "next");
	assert_reads(&bytes, "fragment ping:now fragment pong text:one two three text:next");
}

static void test_a_character_may_be_cut_by_fragments(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	put_text(&bytes, TEXT, "\xe2\x82");
	put_text(&bytes, FIN | CONTINUATION, "\xac");
	assert_reads(&bytes, "fragment text:\xe2\x82\xac");
}

static void test_unmasked_frames_are_refused_at_their_second_byte(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	struct input input = {0};
	struct input_frame frame;
	strbuf_add(&bytes, "\x81\x05hello", 7);
	assert_int_equal(input_take(&input, strbuf_view(&bytes), &frame), 2);
	assert_reads(&bytes, "broken:1002");
}

static void test_an_unmasked_control_frame_is_refused(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	put_text(&bytes, FIN | TEXT, "fine");
	strbuf_add(&bytes, "\x89\x00", 2);
	assert_reads(&bytes, "text:fine broken:1002");
}

static void test_a_megabyte_is_refused_at_its_head(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	struct input input = {0};
	struct input_frame frame;
	strbuf_add(&bytes, "\x81\xff\0\0\0\0\0\x10\0\0mask", 14);
	assert_int_equal(input_take(&input, strbuf_view(&bytes), &frame), 10);
	assert_int_equal(frame.kind, INPUT_BROKEN);
	assert_null(input.message.p);
	assert_reads(&bytes, "broken:1009");
}

static void test_a_length_of_2_to_the_64_does_not_wrap(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	put_text(&bytes, TEXT, "some");
	strbuf_add(&bytes, "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 14);
	assert_reads(&bytes, "fragment broken:1009");
}

static void test_fragments_count_together(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	char half[2048];
	memset(half, 'x', sizeof(half));
	put_frame(&bytes, TEXT, half, sizeof(half));
	put_frame(&bytes, CONTINUATION, half, sizeof(half));
	put_text(&bytes, CONTINUATION, "!");
	assert_reads(&bytes, "fragment fragment broken:1009");
}

static void test_text_is_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "ok \xe2\x82"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct strbuf bytes = STRBUF_INIT;
		put_text(&bytes, FIN | TEXT, bad[i]);
		assert_reads(&bytes, "broken:1007");
	}
}

static void test_what_the_standard_forbids(void **state)
{
	(void)state;
	static const struct {
		int first;
		const char *expected;
	} cases[] = {
		{FIN | BINARY, "broken:1003"},
		{FIN | 0x40 | TEXT, "broken:1002"},
		{FIN | 0x20 | TEXT, "broken:1002"},
		{FIN | 0x10 | TEXT, "broken:1002"},
		{FIN | 3, "broken:1002"},
		{FIN | 7, "broken:1002"},
		{FIN | 11, "broken:1002"},
		{FIN | 15, "broken:1002"},
		{FIN | CONTINUATION, "broken:1002"},
		{PING, "broken:1002"},
		{CLOSE, "broken:1002"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf bytes = STRBUF_INIT;
		put_text(&bytes, cases[i].first, "x");
		assert_reads(&bytes, cases[i].expected);
	}
}

static void test_a_message_inside_another_is_refused(void **state)
{
	(void)state;
	struct strbuf bytes = STRBUF_INIT;
	put_text(&bytes, TEXT, "one");
	put_text(&bytes, FIN | TEXT, "two");
	assert_reads(&bytes, "fragment broken:1002");
}

static void test_control_frames_hold_125_bytes(void **state)
{
	(void)state;
	char data[126], expected[140];
	struct strbuf fits = STRBUF_INIT, longer = STRBUF_INIT;
	memset(data, 'p', sizeof(data));
	put_frame(&fits, FIN | PING, data, 125);
	(void)snprintf(expected, sizeof(expected), "ping:%.125s", data);
	assert_reads(&fits, expected);
	put_frame(&longer, FIN | PING, data, 126);
	assert_reads(&longer, "broken:1002");
}

static void test_close_codes(void **state)
{
	(void)state;
	static const struct {
		const char *payload;
		size_t n;
		const char *expected;
	} cases[] = {
		{"", 0, "close:1005"}, {"\x03", 1, "broken:1002"}, {"\x03\xe8", 2, "close:1000"},
		{"\x03\xe9going", 7, "close:1001"}, {"\x03\xe8\xff", 3, "broken:1007"},
		{"\x03\xe7", 2, "broken:1002"}, /* 999 */
		{"\x03\xed", 2, "broken:1002"}, /* 1005 */
		{"\x0b\xb8", 2, "close:3000"}, {"\x13\x87", 2, "close:4999"},
		{"\x13\x88", 2, "broken:1002"}, /* 5000 */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf bytes = STRBUF_INIT;
		put_frame(&bytes, FIN | CLOSE, cases[i].payload, cases[i].n);
		assert_reads(&bytes, cases[i].expected);
	}
}

/* Every file of the fuzzer's corpus, run from the top of the tree. */
static void test_the_corpus_holds(void **state)
{
	(void)state;
	glob_t files;
	assert_int_equal(glob("tests/fuzz/corpus/ws_input/*", 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 8);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		static uint8_t bytes[65536];
		FILE *file = fopen(files.gl_pathv[i], "rb");
		assert_non_null(file);
		size_t n = fread(bytes, 1, sizeof(bytes), file);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(LLVMFuzzerTestOneInput(bytes, n), 0);
	}
	globfree(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_one_after_the_other),
		cmocka_unit_test(test_lengths_of_all_three_forms),
		cmocka_unit_test(test_a_length_in_a_longer_form_than_needed_is_read_too),
		cmocka_unit_test(test_fragments_with_control_frames_between),
		cmocka_unit_test(test_a_character_may_be_cut_by_fragments),
		cmocka_unit_test(test_unmasked_frames_are_refused_at_their_second_byte),
		cmocka_unit_test(test_an_unmasked_control_frame_is_refused),
		cmocka_unit_test(test_a_megabyte_is_refused_at_its_head),
		cmocka_unit_test(test_a_length_of_2_to_the_64_does_not_wrap),
		cmocka_unit_test(test_fragments_count_together),
		cmocka_unit_test(test_text_is_utf8),
		cmocka_unit_test(test_what_the_standard_forbids),
		cmocka_unit_test(test_a_message_inside_another_is_refused),
		cmocka_unit_test(test_control_frames_hold_125_bytes),
		cmocka_unit_test(test_close_codes),
		cmocka_unit_test(test_the_corpus_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
