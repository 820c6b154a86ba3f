/* What is said to clients and what they may ask for: the frames, byte by byte, and their JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/ask.h"
#include "relay/input.h"

#include <cmocka.h>

#include "common/base.h"

#define KNOWN "\"call_started\",\"call_answered\",\"call_ended\",\"call_failed\""

/* The text of the one frame in sb, which is emptied. */
static const char *text_of(struct strbuf *sb)
{
	static char text[8192];
	const uint8_t *head = (const uint8_t *)sb->p;
	assert_true(sb->n >= 2);
	assert_int_equal(head[0], 0x81);
	size_t skip = head[1] == 126 ? 4 : 2;
	size_t n = head[1] == 126 ? (size_t)head[2] << 8 | head[3] : head[1];
	assert_true(head[1] < 126 || n >= 126);
	assert_int_equal(sb->n, skip + n);
	memcpy(text, sb->p + skip, n);
	text[n] = '\0';
	strbuf_free(sb);
	return text;
}

static struct event_copy an_event(const char *payload)
{
	struct event_copy event = {.head = {.client_id = 7,
					   .seq = 42,
					   .occurred_us = INT64_C(1795337990250000),
					   .type = EVENT_call_ended,
					   .payload = (uint16_t)strlen(payload)}};
	memcpy(event.payload, payload, strlen(payload) + 1);
	return event;
}

static void test_connected(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	say_connected(&sb, INT64_C(1795337990250000), 42, 17);
	assert_string_equal(text_of(&sb),
		"{\"type\":\"connected\",\"server_time\":\"2026-11-22T08:"
		"59:50.250Z\",\"events\":[" KNOWN "],\"seq\":42,\"resume_window\":17}");
}

static void test_an_event(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	struct event_copy event = an_event("{\"duration\":3.007}");
	say_event(&sb, &event, 40);
	assert_string_equal(text_of(&sb),
		"{\"id\":\"7-42\",\"seq\":42,\"prev\":40,\"type\":\"call_ended\",\"occurred_at\":"
		"\"2026-11-22T08:59:50.250Z\",\"payload\":{\"duration\":3.007}}");
}

static void test_the_longest_event_fits(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	char payload[EVENT_PAYLOAD_MAX + 1];
	memset(payload, 'x', EVENT_PAYLOAD_MAX);
	payload[EVENT_PAYLOAD_MAX] = '\0';
	struct event_copy event = an_event(payload);
	event.head.client_id = event.head.seq = UINT64_MAX;
	say_event(&sb, &event, UINT64_MAX);
	assert_in_range(sb.n, EVENT_PAYLOAD_MAX, SAY_EVENT_MAX);
	assert_non_null(strstr(text_of(&sb), payload));
}

static void test_a_gap(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	say_gap(&sb, 17);
	assert_string_equal(text_of(&sb), "{\"type\":\"gap\",\"missed\":17}");
	say_gap(&sb, SAY_MISSED_UNKNOWN);
	assert_string_equal(text_of(&sb), "{\"type\":\"gap\",\"missed\":null}");
}

static void test_control_frames(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	say_pong(&sb, STR("now"));
	assert_memory_equal(sb.p, "\x8a\x03now", 5);
	strbuf_reset(&sb);
	say_close(&sb, CLOSE_GOING_AWAY, "bye");
	assert_int_equal(sb.n, 7);
	assert_memory_equal(sb.p,
		"\x88\x05\x03\xe9"
		"bye",
		7);
	strbuf_reset(&sb);
	say_close(&sb, CLOSE_NO_CODE, "ignored");
	assert_int_equal(sb.n, 2);
	assert_memory_equal(sb.p, "\x88\x00", 2);
	strbuf_free(&sb);
}

static void test_a_long_close_reason_is_cut_between_characters(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	char reason[200];
	memset(reason, 'r', sizeof(reason));
	memcpy(reason + 122, "\xe2\x82\xac", 4);
	say_close(&sb, CLOSE_POLICY, reason);
	assert_int_equal(sb.n, 2 + 2 + 122);
	assert_int_equal(sb.p[1], 2 + 122);
	strbuf_free(&sb);
}

/* ---- asking ---- */

static const char *refusal_of(const char *message)
{
	struct strbuf refusal = STRBUF_INIT;
	struct ask ask = {.resume_from = 77};
	assert_false(ask_read(str_of(message), &ask, &refusal));
	assert_int_equal(ask.resume_from, 77);
	return text_of(&refusal);
}

static void assert_subscribes(const char *message, event_set expected)
{
	struct strbuf refusal = STRBUF_INIT;
	struct ask ask;
	assert_true(ask_read(str_of(message), &ask, &refusal));
	assert_true(ask.subscribe && !ask.resume);
	assert_int_equal(ask.wish.events, expected);
	assert_int_equal(refusal.n, 0);
}

static void test_subscriptions(void **state)
{
	(void)state;
	const event_set document =
		1 << EVENT_call_started | 1 << EVENT_call_ended | 1 << EVENT_call_failed;
	assert_subscribes("{\"type\":\"subscribe\",\"events\":[\"call_started\",\"call_ended\","
			  "\"call_failed\"]}",
		document);
	assert_subscribes(
		"{\"events\":[\"call_answered\",\"call_answered\"],\"type\":\"subscribe\","
		"\"more\":1}",
		1 << EVENT_call_answered);
	assert_subscribes("{\"type\":\"subscribe\",\"events\":[]}", 0);
}

static void test_where_and_of_what(void **state)
{
	(void)state;
	struct strbuf refusal = STRBUF_INIT;
	struct ask ask;
	assert_true(ask_read(
		STR("{\"type\":\"subscribe\",\"events\":[\"call_ended\"],\"resume_from\":"
		    "4711,\"batch_id\":12,\"server_code\":\"a\\\"b\",\"phone_number\":\"+9 1\"}"),
		&ask, &refusal));
	assert_true(ask.subscribe && ask.resume && ask.resume_from == 4711);
	assert_string_equal(ask.wish.value[WISH_BATCH_ID], "12");
	assert_string_equal(ask.wish.value[WISH_SERVER_CODE], "\"a\\\"b\"");
	assert_string_equal(ask.wish.value[WISH_PHONE_NUMBER], "\"+9 1\"");
	assert_true(ask_read(
		STR("{\"type\":\"subscribe\",\"events\":[\"call_ended\"],\"resume_from\":0,"
		    "\"batch_id\":null}"),
		&ask, &refusal));
	assert_true(ask.resume && ask.resume_from == 0);
	assert_string_equal(ask.wish.value[WISH_BATCH_ID], "null");
	assert_true(ask_read(STR("{\"type\":\"unsubscribe\"}"), &ask, &refusal));
	assert_true(!ask.subscribe && ask.wish.events == every_event());
	assert_true(ask_read(
		STR("{\"type\":\"unsubscribe\",\"events\":[\"call_ended\"]}"), &ask, &refusal));
	assert_int_equal(ask.wish.events, 1 << EVENT_call_ended);
}

static void test_subscribed_names_what_it_is_now(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	struct wish wish = {.events = 1 << EVENT_call_started | 1 << EVENT_call_failed};
	say_subscribed(&sb, &wish, 42);
	assert_string_equal(text_of(&sb), "{\"type\":\"subscribed\",\"events\":[\"call_started\","
					  "\"call_failed\"],\"seq\":42}");
	wish.events = 0;
	say_subscribed(&sb, &wish, SAY_SEQ_UNKNOWN);
	assert_string_equal(text_of(&sb), "{\"type\":\"subscribed\",\"events\":[],\"seq\":null}");
	wish = (struct wish){.events = every_event(),
		.value = {[WISH_BATCH_ID] = "12", [WISH_PHONE_NUMBER] = "\"9\""}};
	say_subscribed(&sb, &wish, 1);
	assert_string_equal(text_of(&sb), "{\"type\":\"subscribed\",\"events\":[" KNOWN
					  "],\"batch_id\":12,\"phone_number\":\"9\",\"seq\":1}");
}

static void test_positions(void **state)
{
	(void)state;
	struct strbuf sb = STRBUF_INIT;
	say_mark(&sb, 42);
	assert_string_equal(text_of(&sb), "{\"type\":\"mark\",\"seq\":42}");
	say_resync(&sb, 40, 45);
	assert_string_equal(text_of(&sb),
		"{\"type\":\"resync_required\",\"after\":40,\"before\":45,\"missed\":4}");
	say_resync(&sb, 40, 0);
	assert_string_equal(text_of(&sb),
		"{\"type\":\"resync_required\",\"after\":40,\"before\":null,\"missed\":null}");
	say_closing(&sb, "the server restarts", 1400);
	assert_string_equal(text_of(&sb), "{\"type\":\"closing\",\"detail\":\"the server "
					  "restarts\",\"reconnect_after_ms\":1400}");
}

static void test_unknown_names_are_named(void **state)
{
	(void)state;
	assert_string_equal(
		refusal_of("{\"type\":\"subscribe\",\"events\":[\"call_started\",\"call_paused\","
			   "\"a\\\"b\"]}"),
		"{\"type\":\"error\",\"code\":\"unknown_event\",\"detail\":\"there is no event "
		"call_paused, a\\\"b; the subscription is as it "
		"was\",\"unknown\":[\"call_paused\",\"a\\\""
		"b\"],\"known\":[" KNOWN "]}");
}

/* The longest message that is nothing but unknown names: the answer has its limits. */
static void test_many_unknown_names(void **state)
{
	(void)state;
	struct strbuf message = STRBUF_INIT;
	strbuf_puts(&message, "{\"type\":\"subscribe\",\"events\":[\"\"");
	while (message.n < INPUT_MESSAGE_MAX - 16)
		strbuf_puts(&message, ",\"\x7f\"");
	strbuf_puts(&message, "]}");
	const char *said = refusal_of(message.p);
	assert_non_null(strstr(said, "\"unknown\":[\"\",\"\\u007f\",\"\\u007f\""));
	assert_non_null(strstr(said, "\"known\":[" KNOWN "]}"));
	assert_in_range(strlen(said), 500, 8000);
	strbuf_free(&message);
}

static void test_what_is_no_subscription(void **state)
{
	(void)state;
	static const struct {
		const char *message, *code;
	} cases[] = {
		{"", "invalid_json"},
		{"hello", "invalid_json"},
		{"{\"type\":\"subscribe\",\"events\":[]} x", "invalid_json"},
		{"{\"type\":\"subscribe\",\"type\":\"x\",\"events\":[]}", "invalid_json"},
		{"[]", "invalid_message"},
		{"{}", "invalid_message"},
		{"{\"type\":1}", "invalid_message"},
		{"{\"type\":\"resume\"}", "unknown_type"},
		{"{\"type\":\"unsubscribe\",\"events\":1}", "invalid_events"},
		{"{\"type\":\"subscribe\"}", "invalid_events"},
		{"{\"type\":\"subscribe\",\"events\":\"call_started\"}", "invalid_events"},
		{"{\"type\":\"subscribe\",\"events\":[\"call_started\",1]}", "invalid_events"},
		{"{\"type\":\"subscribe\",\"events\":[],\"resume_from\":-1}",
			"invalid_resume_from"},
		{"{\"type\":\"subscribe\",\"events\":[],\"resume_from\":1.5}",
			"invalid_resume_from"},
		{"{\"type\":\"subscribe\",\"events\":[],\"resume_from\":9007199254740992}",
			"invalid_resume_from"},
		{"{\"type\":\"subscribe\",\"events\":[],\"batch_id\":0}", "invalid_filter"},
		{"{\"type\":\"subscribe\",\"events\":[],\"batch_id\":\"1\"}", "invalid_filter"},
		{"{\"type\":\"subscribe\",\"events\":[],\"server_code\":null}", "invalid_filter"},
		{"{\"type\":\"subscribe\",\"events\":[],\"phone_number\":98765}", "invalid_filter"},
	};
	char expected[64];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(expected, sizeof(expected), "{\"type\":\"error\",\"code\":\"%s\",",
			cases[i].code);
		const char *said = refusal_of(cases[i].message);
		assert_memory_equal(said, expected, strlen(expected));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connected),
		cmocka_unit_test(test_an_event),
		cmocka_unit_test(test_the_longest_event_fits),
		cmocka_unit_test(test_a_gap),
		cmocka_unit_test(test_control_frames),
		cmocka_unit_test(test_a_long_close_reason_is_cut_between_characters),
		cmocka_unit_test(test_subscriptions),
		cmocka_unit_test(test_where_and_of_what),
		cmocka_unit_test(test_subscribed_names_what_it_is_now),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_unknown_names_are_named),
		cmocka_unit_test(test_many_unknown_names),
		cmocka_unit_test(test_what_is_no_subscription),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
