/* The parser, fed as sockets feed: whole, in pieces, and with what Asterisk should never say. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/strbuf.h"
#include "dispatcher/ami_parse.h"
#include "tests/fuzz/fuzz_ami_parse.c"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static const char newchannel[] = "Event: Newchannel\r\n"
				 "Privilege: call,all\r\n"
				 "Timestamp: 1795356975.314712\r\n"
				 "Channel: PJSIP/trunk-0000000a\r\n"
				 "ChannelState: 0\r\n"
				 "ChannelStateDesc: Down\r\n"
				 "CallerIDNum: <unknown>\r\n"
				 "AccountCode: client7\r\n"
				 "Uniqueid: ccs-00000000000042\r\n"
				 "Linkedid: ccs-00000000000042\r\n"
				 "ChanVariable: CCS_CALL_ID=1\r\n"
				 "\r\n";

static enum ami_parsed parse(struct str in, struct ami_message *msg, size_t *used)
{
	size_t searched = 0;
	return ami_parse_next(in, &searched, msg, used);
}

static struct ami_message parsed(const char *text)
{
	struct ami_message msg;
	size_t used = 0;
	assert_int_equal(parse(str_of(text), &msg, &used), AMI_MESSAGE);
	assert_int_equal(used, strlen(text));
	return msg;
}

static void assert_header(const struct ami_message *msg, enum ami_header header, const char *value)
{
	struct str got = ami_header(msg, header);
	if (!str_eq(got, str_of(value)))
		fail_msg("header is \"%.*s\", not \"%s\"", (int)got.n, got.p, value);
}

static void an_event_is_read(void **state)
{
	(void)state;
	struct ami_message msg = parsed(newchannel);
	assert_int_equal(msg.kind, AMI_KIND_EVENT);
	assert_int_equal(msg.event, AMI_E_NEWCHANNEL);
	assert_header(&msg, AMI_H_UNIQUEID, "ccs-00000000000042");
	assert_header(&msg, AMI_H_LINKEDID, "ccs-00000000000042");
	assert_header(&msg, AMI_H_CHANNEL, "PJSIP/trunk-0000000a");
	assert_header(&msg, AMI_H_ACCOUNT_CODE, "client7");
	assert_header(&msg, AMI_H_REASON, "");
	assert_int_equal(ami_number(&msg, AMI_H_CHANNEL_STATE, 99), 0);
	assert_int_equal(ami_number(&msg, AMI_H_CAUSE, 99), 99);
	assert_int_equal(ami_timestamp_us(&msg), INT64_C(1795356975314712));
}

static void a_response_is_read(void **state)
{
	(void)state;
	struct ami_message msg =
		parsed("Response: Success\r\nActionID: ccs-1\r\nPing: Pong\r\n\r\n");
	assert_int_equal(msg.kind, AMI_KIND_RESPONSE);
	assert_true(ami_is_success(&msg));
	assert_header(&msg, AMI_H_PING, "Pong");
	assert_header(&msg, AMI_H_ACTION_ID, "ccs-1");

	msg = parsed("Response: Error\r\nMessage: Permission denied\r\n\r\n");
	assert_false(ami_is_success(&msg));
	assert_header(&msg, AMI_H_MESSAGE, "Permission denied");
}

static void every_known_header_and_event_is_found(void **state)
{
	(void)state;
	static const char *const headers[] = {
#define AMI_HEADER(constant, name) [AMI_H_##constant] = name,
#include "dispatcher/ami_headers.def"
#undef AMI_HEADER
	};
	static const char *const events[] = {
		[AMI_E_OTHER] = "TestEvent",
#define AMI_EVENT(constant, name) [AMI_E_##constant] = name,
#include "dispatcher/ami_events.def"
#undef AMI_EVENT
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		(void)snprintf(text, sizeof(text), "X: y\r\n%s: value %zu\r\n\r\n", headers[i], i);
		struct ami_message msg = parsed(text);
		(void)snprintf(text, sizeof(text), "value %zu", i);
		assert_header(&msg, (enum ami_header)i, text);
		assert_int_equal(msg.seen, UINT32_C(1) << i);
	}
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		(void)snprintf(text, sizeof(text), "Event: %s\r\nUniqueid: u\r\n\r\n", events[i]);
		struct ami_message msg = parsed(text);
		assert_int_equal(msg.kind, AMI_KIND_EVENT);
		assert_int_equal(msg.event, i);
		assert_header(&msg, AMI_H_UNIQUEID, i == AMI_E_OTHER ? "" : "u");
	}
}

static void forms_that_asterisk_takes_too(void **state)
{
	(void)state;
	struct ami_message msg = parsed("eVENT:Hangup\nUNIQUEID:\t x \nCause:16\nCause: 17\n\n");
	assert_int_equal(msg.event, AMI_E_HANGUP);
	assert_header(&msg, AMI_H_UNIQUEID, "x");
	assert_int_equal(ami_number(&msg, AMI_H_CAUSE, 0), 16);

	msg = parsed(
		"Event: Hangup\r\nno colon here\r\nCause: \r\nChannel: a\rb\r\nCause: 3\r\n\r\n");
	assert_int_equal(ami_number(&msg, AMI_H_CAUSE, 7), 7);
	assert_header(&msg, AMI_H_CHANNEL, "a\rb");

	msg = parsed("Something: else\r\n\r\n");
	assert_int_equal(msg.kind, AMI_KIND_OTHER);
	msg = parsed("\r\n");
	assert_int_equal(msg.kind, AMI_KIND_OTHER);
	assert_int_equal(msg.seen, 0);
}

static void a_message_takes_its_own_bytes_only(void **state)
{
	(void)state;
	static const char two[] = "Event: Hangup\r\nCause: 1\r\n\r\nEvent: DialEnd\r\n\r\n";
	struct ami_message msg;
	size_t used = 0;
	assert_int_equal(parse(STR(two), &msg, &used), AMI_MESSAGE);
	assert_int_equal(msg.event, AMI_E_HANGUP);
	assert_int_equal(used, strlen("Event: Hangup\r\nCause: 1\r\n\r\n"));
	assert_int_equal(parse(str_of(two + used), &msg, &used), AMI_MESSAGE);
	assert_int_equal(msg.event, AMI_E_DIAL_END);
}

static void pieces_of_any_size_give_the_same(void **state)
{
	(void)state;
	struct ami_message msg;
	size_t used = 0, searched = 0;

	for (size_t n = 0; n < strlen(newchannel); n++)
		assert_int_equal(
			ami_parse_next((struct str){newchannel, n}, &searched, &msg, &used),
			AMI_MORE);
	assert_int_equal(ami_parse_next(str_of(newchannel), &searched, &msg, &used), AMI_MESSAGE);
	assert_int_equal(used, strlen(newchannel));
	assert_int_equal(searched, 0);
	assert_header(&msg, AMI_H_UNIQUEID, "ccs-00000000000042");
}

static void a_long_line_is_read_and_an_endless_one_refused(void **state)
{
	(void)state;
	struct strbuf text = STRBUF_INIT;
	struct ami_message msg;
	size_t used = 0, searched = 0;

	strbuf_puts(&text, "Event: Hangup\r\nChanVariable: ");
	size_t before = text.n;
	memset(strbuf_room(&text, AMI_MESSAGE_MAX), 'x', AMI_MESSAGE_MAX);
	text.n = AMI_MESSAGE_MAX - 1;
	assert_int_equal(ami_parse_next(strbuf_view(&text), &searched, &msg, &used), AMI_MORE);
	text.n = before + 300000;
	strbuf_puts(&text, "\r\nCause: 21\r\n\r\n");
	assert_int_equal(parse(strbuf_view(&text), &msg, &used), AMI_MESSAGE);
	assert_int_equal(ami_number(&msg, AMI_H_CAUSE, 0), 21);

	memset(text.p + before, 'x', AMI_MESSAGE_MAX - before);
	text.n = AMI_MESSAGE_MAX;
	assert_int_equal(parse(strbuf_view(&text), &msg, &used), AMI_BAD);
	strbuf_puts(&text, "\r\n\r\n");
	assert_int_equal(parse(strbuf_view(&text), &msg, &used), AMI_BAD);
	strbuf_free(&text);
}

/* A megabyte that comes byte by byte: reading it again and again would take minutes. */
static void a_dribbled_message_is_searched_once(void **state)
{
	(void)state;
	enum { BYTES = 1000000 };
	char *text = malloc(BYTES);
	struct ami_message msg;
	size_t used = 0, searched = 0;

	memset(text, 'x', BYTES);
	memcpy(text + BYTES - 3, "\n\r\n", 3);
	for (size_t n = 0; n < BYTES; n++) {
		if (ami_parse_next((struct str){text, n}, &searched, &msg, &used) != AMI_MORE)
			fail_msg("a message of %zu bytes", n);
		if (n > 2 && searched < n - 2)
			fail_msg("%zu bytes of %zu are to be searched again", n - searched, n);
	}
	assert_int_equal(
		ami_parse_next((struct str){text, BYTES}, &searched, &msg, &used), AMI_MESSAGE);
	free(text);
}

static void numbers_and_times_that_are_none(void **state)
{
	(void)state;
	static const char *const numbers[] = {"", "-1", "1 2", "4294967296", "0x10", "16a"};
	static const char *const times[] = {
		"", "1", "1.5", ".500000", "1.5000000", "1.-00001", "99999999999999999999.000000"};
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		(void)snprintf(text, sizeof(text), "Cause: %s\r\n\r\n", numbers[i]);
		struct ami_message msg = parsed(text);
		assert_int_equal(ami_number(&msg, AMI_H_CAUSE, 77), 77);
	}
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		(void)snprintf(text, sizeof(text), "Timestamp: %s\r\n\r\n", times[i]);
		struct ami_message msg = parsed(text);
		assert_int_equal(ami_timestamp_us(&msg), 0);
	}
}

static void the_banner_is_told_from_another_service(void **state)
{
	(void)state;
	static const char banner[] = "Asterisk Call Manager/11.0.0\r\n";
	static const char *const others[] = {
		"SSH-2.0-OpenSSH\r\n", "\r\n", "HTTP/1.1 400 Bad Request\r\n", "Asterisk Call\r\n"};
	struct str version;
	size_t used = 0;

	for (size_t n = 0; n < strlen(banner); n++)
		assert_int_equal(
			ami_parse_banner((struct str){banner, n}, &version, &used), AMI_MORE);
	assert_int_equal(
		ami_parse_banner(STR("Asterisk Call Manager/5.0.4\r\nEvent"), &version, &used),
		AMI_MESSAGE);
	assert_true(str_eq(version, STR("5.0.4")));
	assert_int_equal(used, 29);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(ami_parse_banner(str_of(others[i]), &version, &used), AMI_BAD);

	char endless[200] = "Asterisk Call Manager/";
	memset(endless + 22, '1', sizeof(endless) - 22);
	assert_int_equal(
		ami_parse_banner((struct str){endless, sizeof(endless)}, &version, &used), AMI_BAD);
}

/* Every file of the fuzzer's corpus, run from the top of the tree; among them what Asterisk 16 and 22
 * really said. */
static void the_corpus_holds(void **state)
{
	(void)state;
	glob_t files;

	assert_int_equal(glob("tests/fuzz/corpus/ami_parse/*", 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 5);
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
		cmocka_unit_test(an_event_is_read),
		cmocka_unit_test(a_response_is_read),
		cmocka_unit_test(every_known_header_and_event_is_found),
		cmocka_unit_test(forms_that_asterisk_takes_too),
		cmocka_unit_test(a_message_takes_its_own_bytes_only),
		cmocka_unit_test(pieces_of_any_size_give_the_same),
		cmocka_unit_test(a_long_line_is_read_and_an_endless_one_refused),
		cmocka_unit_test(a_dribbled_message_is_searched_once),
		cmocka_unit_test(numbers_and_times_that_are_none),
		cmocka_unit_test(the_banner_is_told_from_another_service),
		cmocka_unit_test(the_corpus_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
