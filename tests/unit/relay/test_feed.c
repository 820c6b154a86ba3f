/* From the event ring to listeners: who is told what, in which order, and what gaps look like. */
#include "relay/feed.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

enum {
	BACKLOG = 65536,
	STARTED = 1 << EVENT_call_started,
	ANSWERED = 1 << EVENT_call_answered,
	ENDED = 1 << EVENT_call_ended
};

struct world {
	struct rig *rig;
	struct segment reader;
	struct feed feed;
	uint64_t last[10], seq[10]; /* by client: as the dispatcher keeps them */
};

/* Listeners of the tests are static: they are let go at the end, as feed_close does it. */
static struct world world;
static int woken;

static void on_wake(struct listener *listener)
{
	(void)listener;
	woken++;
}

static int open_world(void **state)
{
	if (rig_open(state) != 0)
		return -1;
	world = (struct world){.rig = *state};
	woken = 0;
	rig_reader(world.rig, &world.reader);
	feed_open(&world.feed, &world.reader, BACKLOG, on_wake);
	return 0;
}

static int close_world(void **state)
{
	feed_close(&world.feed);
	segment_close(&world.reader);
	return rig_close(state);
}

static void happen_with(uint64_t client, enum event_type type, const char *payload)
{
	struct event event = {
		type, client, ++world.seq[client], 1, payload, (uint32_t)strlen(payload)};
	assert_true(event_publish(&world.rig->seg, &event, &world.last[client]));
}

static void happen(uint64_t client, enum event_type type)
{
	happen_with(client, type, "{}");
}

static void join(struct listener *listener, uint64_t client, event_set events)
{
	(void)feed_join(&world.feed, listener, client, &(struct wish){.events = events}, FEED_NOW);
}

static void resume(struct listener *listener, uint64_t client, event_set events, uint64_t from)
{
	(void)feed_join(&world.feed, listener, client, &(struct wish){.events = events}, from);
}

static void pull(void)
{
	while (feed_pull(&world.feed))
		;
}

/* What the listener gets, in short: "started 3<1" is seq 3 with prev 1. */
static const char *told(struct listener *listener)
{
	static struct strbuf said;
	struct strbuf frames = STRBUF_INIT;
	strbuf_reset(&said);
	while (feed_take(&world.feed, listener, &frames, 8192))
		;
	for (size_t at = 0; at < frames.n;) {
		const uint8_t *head = (const uint8_t *)frames.p + at;
		size_t skip = head[1] == 126 ? 4 : 2;
		size_t n = head[1] == 126 ? (size_t)head[2] << 8 | head[3] : head[1];
		char text[512], id[64], type[64], missed[128];
		unsigned long long seq, prev;
		(void)snprintf(text, sizeof(text), "%.*s", (int)MIN(n, 300U), frames.p + at + skip);
		const char *space = said.n ? " " : "";
		if (sscanf(text, "{\"type\":\"gap\",\"missed\":%31[^}]", missed) == 1)
			strbuf_printf(&said, "%sgap:%s", space, missed);
		else if (sscanf(text, "{\"type\":\"resync_required\",%127[^}]", missed) == 1)
			strbuf_printf(&said, "%slost:%s", space, missed);
		else if (sscanf(text,
				 "{\"id\":\"%63[^\"]\",\"seq\":%llu,\"prev\":%llu,\"type\":\"call_%"
				 "63[^\"]",
				 id, &seq, &prev, type) == 4)
			strbuf_printf(&said, "%s%s %s %llu<%llu", space, id, type, seq, prev);
		else
			fail_msg("what is %s", text);
		at += skip + n;
	}
	strbuf_free(&frames);
	return strbuf_view(&said).p;
}

static void test_a_listener_is_told_of_its_own_client_only(void **state)
{
	(void)state;
	static struct listener one = {0}, two = {0};
	join(&one, 1, STARTED);
	join(&two, 2, STARTED);
	happen(1, EVENT_call_started);
	happen(2, EVENT_call_started);
	happen(3, EVENT_call_started);
	happen(1, EVENT_call_started);
	pull();
	assert_int_equal(woken, 2);
	assert_string_equal(told(&one), "1-1 started 1<0 1-2 started 2<1");
	assert_string_equal(told(&two), "2-1 started 1<0");
	assert_string_equal(told(&one), "");
}

static void test_types_that_nobody_asked_for_leave_no_gap(void **state)
{
	(void)state;
	static struct listener some = {0}, all = {0};
	join(&some, 1, STARTED | ENDED);
	join(&all, 1, every_event());
	happen(1, EVENT_call_started);
	happen(1, EVENT_call_answered);
	happen(1, EVENT_call_answered);
	happen(1, EVENT_call_ended);
	pull();
	assert_string_equal(told(&some), "1-1 started 1<0 1-4 ended 4<1");
	assert_string_equal(
		told(&all), "1-1 started 1<0 1-2 answered 2<1 1-3 answered 3<2 1-4 ended 4<3");
}

/* prev of the first frame is what the listener would have been shown before it came. */
static void test_prev_of_the_first_frame_is_looked_up(void **state)
{
	(void)state;
	static struct listener late = {0};
	happen(1, EVENT_call_started);
	happen(1, EVENT_call_answered);
	happen(2, EVENT_call_started);
	happen(1, EVENT_call_answered);
	pull();
	join(&late, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&late), "1-4 started 4<1");
}

/* The ring does not reach back: prev is the last seq of which nothing is known. */
static void test_prev_is_careful_when_the_past_is_gone(void **state)
{
	(void)state;
	static struct listener late = {0};
	char filler[2001] = "";
	memset(filler, 'f', 2000);
	happen(1, EVENT_call_started);
	for (int i = 0; i < 10; i++)
		happen_with(2, EVENT_call_started, filler);
	happen(1, EVENT_call_answered);
	pull();
	join(&late, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&late), "1-3 started 3<1");
}

static void test_only_what_comes_after_joining(void **state)
{
	(void)state;
	static struct listener early = {0}, late = {0};
	join(&early, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	join(&late, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&early), "1-1 started 1<0 1-2 started 2<1");
	assert_string_equal(told(&late), "1-2 started 2<1");
}

static void test_joining_again_replaces(void **state)
{
	(void)state;
	static struct listener listener = {0};
	join(&listener, 1, STARTED);
	join(&listener, 1, ENDED);
	happen(1, EVENT_call_started);
	happen(1, EVENT_call_ended);
	pull();
	assert_string_equal(told(&listener), "1-2 ended 2<0");
	join(&listener, 1, 0);
	happen(1, EVENT_call_ended);
	pull();
	assert_string_equal(told(&listener), "");
	assert_null(feed_wish(&listener));
}

static void test_nobody_left_and_back(void **state)
{
	(void)state;
	static struct listener a = {0}, b = {0};
	join(&a, 1, STARTED);
	join(&b, 1, STARTED);
	feed_leave(&world.feed, &a);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&a), "");
	assert_string_equal(told(&b), "1-1 started 1<0");
	feed_leave(&world.feed, &b);
	feed_leave(&world.feed, &b);
	assert_null(feed_wish(&b));
	join(&a, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&a), "1-2 started 2<1");
}

/* The backlog has gone round: this listener reads on in the event ring, and others are not touched. */
static void test_a_slow_listener_catches_up(void **state)
{
	(void)state;
	static struct listener slow = {0}, quick = {0};
	struct strbuf expected = STRBUF_INIT;
	int prev = 0;
	feed_close(&world.feed);
	feed_open(&world.feed, &world.reader, 4096, on_wake);
	(void)feed_enter(&world.feed, 1);
	happen(1, EVENT_call_answered);
	pull();
	join(&slow, 1, STARTED);
	join(&quick, 1, STARTED | ENDED);
	for (int seq = 2; seq <= 200; seq++) {
		bool other = seq % 50 == 0;
		happen(1, other ? EVENT_call_answered : EVENT_call_started);
		pull();
		(void)told(&quick);
		if (other)
			continue;
		/* The position of a subscription counts as told. */
		strbuf_printf(&expected, "%s1-%d started %d<%d", prev ? " " : "", seq, seq,
			prev ? prev : 1);
		prev = seq;
	}
	assert_string_equal(told(&slow), expected.p);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&slow), "1-201 started 201<199");
	assert_string_equal(told(&quick), "1-201 started 201<199");
	strbuf_free(&expected);
	feed_leave(&world.feed, &slow);
	feed_leave(&world.feed, &quick);
	feed_exit(&world.feed, 1);
}

static void test_resumed_from_a_seq(void **state)
{
	(void)state;
	static struct listener a = {0}, b = {0}, c = {0};
	happen(1, EVENT_call_started);
	happen(2, EVENT_call_started);
	happen(1, EVENT_call_answered);
	happen(1, EVENT_call_ended);
	pull();
	(void)feed_enter(&world.feed, 1);
	resume(&a, 1, every_event(), 0);
	resume(&b, 1, ENDED, 1);
	resume(&c, 1, ENDED, 3);
	happen(1, EVENT_call_ended); /* not framed yet */
	assert_string_equal(told(&a), "1-1 started 1<0 1-2 answered 2<1 1-3 ended 3<2");
	assert_string_equal(told(&b), "1-3 ended 3<1");
	assert_string_equal(told(&c), "");
	pull();
	assert_string_equal(told(&a), "1-4 ended 4<3");
	assert_string_equal(told(&b), "1-4 ended 4<3");
	assert_string_equal(told(&c), "1-4 ended 4<3");
	feed_exit(&world.feed, 1);
}

/* Frames that come while a listener catches up are neither lost nor told twice. */
static void test_events_go_on_while_a_listener_catches_up(void **state)
{
	(void)state;
	static struct listener one = {0};
	char filler[1001] = "";
	memset(filler, 'f', 1000);
	for (int i = 0; i < 10; i++)
		happen_with(1, EVENT_call_started, filler);
	pull();
	(void)feed_enter(&world.feed, 1);
	resume(&one, 1, STARTED, 0);
	struct strbuf out = STRBUF_INIT;
	assert_true(feed_take(&world.feed, &one, &out, 8192)); /* some of them */
	uint64_t next = one.next;
	assert_in_range(next, 2, 10);
	strbuf_free(&out);
	happen(1, EVENT_call_started);
	pull();
	const char *said = told(&one);
	for (; next <= 11; next++) {
		char expected[64];
		(void)snprintf(expected, sizeof(expected), "1-%d started %d<%d", (int)next,
			(int)next, (int)next - 1);
		assert_non_null(strstr(said, expected));
	}
	assert_string_equal(told(&one), "");
	assert_int_equal(one.next, 0);
	feed_exit(&world.feed, 1);
}

static void test_what_the_ring_has_no_more_is_declared(void **state)
{
	(void)state;
	static struct listener one = {0}, unknown = {0}, ahead = {0};
	char filler[2001] = "";
	memset(filler, 'f', 2000);
	for (int i = 0; i < 20; i++)
		happen_with(1, EVENT_call_started, filler);
	(void)feed_enter(&world.feed, 1);
	(void)feed_enter(&world.feed, 2);
	pull();
	struct feed_reach reach = feed_reach(&world.feed, 1);
	assert_int_equal(reach.newest, 20);
	assert_in_range(reach.window, 1, 19);
	resume(&one, 1, STARTED, 0);
	resume(&unknown, 2, STARTED, 5);
	resume(&ahead, 1, STARTED, 21);
	const char *said = told(&one);
	char expected[128];
	uint64_t first = 21 - reach.window;
	(void)snprintf(expected, sizeof(expected),
		"lost:\"after\":0,\"before\":%d,\"missed\":%d 1-%d started %d<%d", (int)first,
		(int)first - 1, (int)first, (int)first, (int)first - 1);
	assert_memory_equal(said, expected, strlen(expected));
	assert_non_null(strstr(said, "1-20 started 20<19"));
	assert_string_equal(told(&unknown), "lost:\"after\":5,\"before\":null,\"missed\":null");
	assert_string_equal(told(&ahead), "");
	for (int i = 0; i < 5; i++)
		feed_second(&world.feed, &ahead);
	assert_string_equal(told(&ahead), "lost:\"after\":21,\"before\":null,\"missed\":null");
	feed_exit(&world.feed, 1);
	feed_exit(&world.feed, 2);
}

/* It has read GET /events, which knows of what is committed before it is published. */
static void test_a_listener_that_is_ahead_waits(void **state)
{
	(void)state;
	static struct listener one = {0};
	happen(1, EVENT_call_started);
	pull();
	(void)feed_enter(&world.feed, 1);
	resume(&one, 1, STARTED, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(told(&one), "");
		feed_second(&world.feed, &one);
		happen(1, EVENT_call_started);
		pull();
	}
	assert_string_equal(told(&one), "1-4 started 4<3");
	feed_exit(&world.feed, 1);
}

/* Seqs that are not in the ring at all, as those that another node has published. */
static void test_a_hole_is_declared(void **state)
{
	(void)state;
	static struct listener one = {0}, late = {0};
	(void)feed_enter(&world.feed, 1);
	happen(1, EVENT_call_started);
	pull();
	join(&one, 1, STARTED);
	world.seq[1] += 3;
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(
		told(&one), "lost:\"after\":1,\"before\":5,\"missed\":3 1-5 started 5<4");
	resume(&late, 1, STARTED, 1);
	assert_string_equal(
		told(&late), "lost:\"after\":1,\"before\":5,\"missed\":3 1-5 started 5<4");
	feed_exit(&world.feed, 1);
}

static void test_filters(void **state)
{
	(void)state;
	static struct listener batch = {0}, number = {0}, quick = {0};
	static const char *const payloads[] = {
		"{\"call_id\":\"a\",\"batch_id\":12,\"phone_number\":\"1,\\\"batch_id\\\":1\"}",
		"{\"call_id\":\"a\",\"batch_id\":1,\"phone_number\":\"9\"}",
		"{\"call_id\":\"a\",\"batch_id\":null,\"phone_number\":\"99\"}",
		"{\"call_id\":\"a\",\"batch_id\":1,\"phone_number\":\"9\",\"x\":1}"};
	static const struct wish wishes[] = {{.events = STARTED, .value = {[WISH_BATCH_ID] = "1"}},
		{.events = STARTED,
			.value = {[WISH_BATCH_ID] = "1", [WISH_PHONE_NUMBER] = "\"9\""}},
		{.events = STARTED, .value = {[WISH_BATCH_ID] = "null"}}};
	(void)feed_join(&world.feed, &batch, 1, &wishes[0], FEED_NOW);
	(void)feed_join(&world.feed, &number, 1, &wishes[1], FEED_NOW);
	(void)feed_join(&world.feed, &quick, 1, &wishes[2], FEED_NOW);
	for (size_t i = 0; i < ARRAY_LEN(payloads); i++)
		happen_with(1, EVENT_call_started, payloads[i]);
	pull();
	assert_string_equal(told(&batch), "1-2 started 2<0 1-4 started 4<2");
	assert_string_equal(told(&number), "1-2 started 2<0 1-4 started 4<2");
	assert_string_equal(told(&quick), "1-3 started 3<0");
}

static void test_a_mark_says_how_far_a_listener_is(void **state)
{
	(void)state;
	static struct listener one = {0};
	happen(1, EVENT_call_started);
	pull();
	join(&one, 1, ENDED);
	assert_int_equal(feed_mark(&one), 0);
	happen(1, EVENT_call_started);
	pull();
	assert_int_equal(feed_mark(&one), 2);
	assert_int_equal(feed_mark(&one), 0);
	happen(1, EVENT_call_ended);
	pull();
	assert_int_equal(feed_mark(&one), 0); /* it has something to take */
	assert_string_equal(told(&one), "1-3 ended 3<0");
	assert_int_equal(feed_mark(&one), 0);
	feed_leave(&world.feed, &one);
	assert_int_equal(feed_mark(&one), 0);
}

/* The dispatcher has gone round its own ring before we looked. */
static void test_the_relay_itself_was_too_slow(void **state)
{
	(void)state;
	static struct listener one = {0}, idle = {0};
	char filler[2001] = "";
	memset(filler, 'f', 2000);
	join(&one, 1, STARTED);
	join(&idle, 2, STARTED);
	for (int i = 0; i < 20; i++)
		happen_with(1, EVENT_call_started, filler);
	pull();
	assert_string_equal(told(&idle), "gap:null");
	const char *said = told(&one);
	assert_memory_equal(said, "gap:null 1-", 11);
	assert_non_null(strstr(said, "1-20 started 20<19"));
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&one), "1-21 started 21<20");
}

static void test_another_ring(void **state)
{
	(void)state;
	static struct listener one = {0};
	struct err err;
	join(&one, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&one), "1-1 started 1<0");
	segment_remove(&world.rig->seg);
	assert_ok(segment_create_or_adopt(
			  &world.rig->seg, &world.rig->conf, &world.rig->adopted, &err),
		&err);
	world.last[1] = 0;
	happen(1, EVENT_call_started);
	assert_true(segment_check(&world.reader));
	pull();
	assert_string_equal(told(&one), "gap:null 1-2 started 2<1");
}

/* A pull stops to let listeners take: nothing is lost when there is more than the backlog holds. */
static void test_more_than_the_backlog_holds_at_once(void **state)
{
	(void)state;
	static struct listener one = {0};
	char filler[101] = "";
	memset(filler, 'f', 100);
	join(&one, 1, STARTED);
	int pulls = 0, events = 0;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 60; i++)
			happen_with(1, EVENT_call_started, filler);
		for (bool more = true; more; pulls++) {
			more = feed_pull(&world.feed);
			for (const char *at = told(&one); (at = strstr(at, "started")); at++)
				events++;
		}
	}
	assert_int_equal(events, 20 * 60);
	assert_in_range(pulls, 21, 1000);
}

#define FEED_TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FEED_TEST(test_a_listener_is_told_of_its_own_client_only),
		FEED_TEST(test_types_that_nobody_asked_for_leave_no_gap),
		FEED_TEST(test_prev_of_the_first_frame_is_looked_up),
		FEED_TEST(test_prev_is_careful_when_the_past_is_gone),
		FEED_TEST(test_only_what_comes_after_joining),
		FEED_TEST(test_joining_again_replaces),
		FEED_TEST(test_nobody_left_and_back),
		FEED_TEST(test_a_slow_listener_catches_up),
		FEED_TEST(test_resumed_from_a_seq),
		FEED_TEST(test_events_go_on_while_a_listener_catches_up),
		FEED_TEST(test_what_the_ring_has_no_more_is_declared),
		FEED_TEST(test_a_listener_that_is_ahead_waits),
		FEED_TEST(test_a_hole_is_declared),
		FEED_TEST(test_filters),
		FEED_TEST(test_a_mark_says_how_far_a_listener_is),
		FEED_TEST(test_the_relay_itself_was_too_slow),
		FEED_TEST(test_another_ring),
		FEED_TEST(test_more_than_the_backlog_holds_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
