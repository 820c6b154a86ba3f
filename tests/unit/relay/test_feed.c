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
		char text[512], id[64], type[64], missed[32];
		unsigned long long seq, prev;
		(void)snprintf(text, sizeof(text), "%.*s", (int)MIN(n, 300U), frames.p + at + skip);
		const char *space = said.n ? " " : "";
		if (sscanf(text, "{\"type\":\"gap\",\"missed\":%31[^}]", missed) == 1)
			strbuf_printf(&said, "%sgap:%s", space, missed);
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
	feed_join(&world.feed, &one, 1, STARTED);
	feed_join(&world.feed, &two, 2, STARTED);
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
	feed_join(&world.feed, &some, 1, STARTED | ENDED);
	feed_join(&world.feed, &all, 1, every_event());
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
	feed_join(&world.feed, &late, 1, STARTED);
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
	feed_join(&world.feed, &late, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&late), "1-3 started 3<1");
}

static void test_only_what_comes_after_joining(void **state)
{
	(void)state;
	static struct listener early = {0}, late = {0};
	feed_join(&world.feed, &early, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	feed_join(&world.feed, &late, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&early), "1-1 started 1<0 1-2 started 2<1");
	assert_string_equal(told(&late), "1-2 started 2<1");
}

static void test_joining_again_replaces(void **state)
{
	(void)state;
	static struct listener listener = {0};
	feed_join(&world.feed, &listener, 1, STARTED);
	feed_join(&world.feed, &listener, 1, ENDED);
	happen(1, EVENT_call_started);
	happen(1, EVENT_call_ended);
	pull();
	assert_string_equal(told(&listener), "1-2 ended 2<0");
	feed_join(&world.feed, &listener, 1, 0);
	happen(1, EVENT_call_ended);
	pull();
	assert_string_equal(told(&listener), "");
	assert_null(world.feed.tenants);
}

static void test_nobody_left_and_back(void **state)
{
	(void)state;
	static struct listener a = {0}, b = {0};
	feed_join(&world.feed, &a, 1, STARTED);
	feed_join(&world.feed, &b, 1, STARTED);
	feed_leave(&world.feed, &a);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&a), "");
	assert_string_equal(told(&b), "1-1 started 1<0");
	feed_leave(&world.feed, &b);
	feed_leave(&world.feed, &b);
	assert_null(world.feed.tenants);
	feed_join(&world.feed, &a, 1, STARTED);
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&a), "1-2 started 2<1");
}

/* The backlog has gone round: this listener is told how many, exactly, and others are not touched. */
static void test_a_slow_listener_has_a_gap_of_its_own(void **state)
{
	(void)state;
	static struct listener slow = {0}, quick = {0};
	char filler[1001] = "";
	memset(filler, 'f', 1000);
	feed_join(&world.feed, &slow, 1, STARTED);
	feed_join(&world.feed, &quick, 1, STARTED | ENDED);
	for (int i = 0; i < 100; i++) {
		happen_with(1, EVENT_call_started, filler);
		pull();
		assert_null(strstr(told(&quick), "gap"));
	}
	assert_string_equal(told(&slow), "gap:100");
	happen(1, EVENT_call_started);
	pull();
	assert_string_equal(told(&slow), "1-101 started 101<100");
	assert_string_equal(told(&quick), "1-101 started 101<100");
}

/* The dispatcher has gone round its own ring before we looked. */
static void test_the_relay_itself_was_too_slow(void **state)
{
	(void)state;
	static struct listener one = {0}, idle = {0};
	char filler[2001] = "";
	memset(filler, 'f', 2000);
	feed_join(&world.feed, &one, 1, STARTED);
	feed_join(&world.feed, &idle, 2, STARTED);
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
	feed_join(&world.feed, &one, 1, STARTED);
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
	feed_join(&world.feed, &one, 1, STARTED);
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
		FEED_TEST(test_a_slow_listener_has_a_gap_of_its_own),
		FEED_TEST(test_the_relay_itself_was_too_slow),
		FEED_TEST(test_another_ring),
		FEED_TEST(test_more_than_the_backlog_holds_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
