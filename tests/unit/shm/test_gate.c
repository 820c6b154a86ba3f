/* Gates: each one alone, their order, and when to ask again. */
#include "shm/gate.h"
#include "tests/unit/shm/rig.h"

#define NOW	  (1700000000 * US_PER_S)
#define SOMETHING INT64_MAX /* asked again when something changes */

struct situation {
	struct gate_client client;
	struct gate_entry entry;
	struct gate_allocation allocation;
	struct gate_server server;
	struct gate_view view;
};

static struct gate_quota open_quota(void)
{
	return (struct gate_quota){
		.channels_limit = 10, .hourly = rate_per_hour(100), .pace = rate_per_second(0)};
}

/* Nothing is in the way. */
static void all_open(struct situation *s)
{
	*s = (struct situation){
		.client = {.active = true,
			.has_server = true,
			.window_open_us = NOW - 1,
			.window_close_us = NOW + 1,
			.quota = open_quota()},
		.entry = {.dispatched = true},
		.allocation = {.quota = open_quota()},
		.server = {.up = true, .window = 20, .quota = open_quota()},
	};
	s->view = (struct gate_view){NOW, &s->client, &s->entry, &s->allocation, &s->server};
}

static void close_client_inactive(struct situation *s)
{
	s->client.active = false;
}

static void close_halted(struct situation *s)
{
	s->client.halted = true;
}

static void close_not_dispatched(struct situation *s)
{
	s->entry.dispatched = false;
}

static void close_paused(struct situation *s)
{
	s->client.paused = true;
}

static void close_canceled(struct situation *s)
{
	s->entry.canceled = true;
}

static void close_not_started(struct situation *s)
{
	s->entry.starts_us = NOW + 5;
}

static void close_expired(struct situation *s)
{
	s->entry.expires_us = NOW;
}

static void close_dnc(struct situation *s)
{
	s->entry.dnc = true;
}

static void close_number_denied(struct situation *s)
{
	s->entry.number_denied = true;
}

static void close_did_denied(struct situation *s)
{
	s->entry.did_denied = true;
}

static void close_number_live(struct situation *s)
{
	s->entry.number_live = true;
}

static void close_window_closed(struct situation *s)
{
	s->client.window_open_us = NOW + 7;
	s->client.window_close_us = NOW + 9;
}

static void close_daily_cap(struct situation *s)
{
	s->client.day = (struct gate_day){true, 5, 5, NOW + 11};
}

static void close_retry_wait(struct situation *s)
{
	s->entry.due_us = NOW + 13;
}

static void fill_channels(struct gate_quota *q)
{
	q->channels_used = q->channels_limit;
}

/* The state after so many starts at once that the next may come 100 us from now. */
static void use_up(const struct rate *rate, int64_t *tat_us)
{
	*tat_us = NOW + 100 + rate->tolerance_us;
}

static void close_client_channels(struct situation *s)
{
	fill_channels(&s->client.quota);
}

static void close_client_rate(struct situation *s)
{
	use_up(&s->client.quota.hourly, &s->client.quota.rate_us);
}

static void close_client_cps(struct situation *s)
{
	s->client.quota.pace = rate_per_second(1);
	use_up(&s->client.quota.pace, &s->client.quota.pace_us);
}

static void close_batch_channels(struct situation *s)
{
	s->entry.batch.channels_limit = s->entry.batch.channels_used = 3;
}

static void close_batch_cps(struct situation *s)
{
	s->entry.batch.pace = rate_per_second(2);
	s->entry.batch.pace_us = NOW + 7;
}

static void close_no_server(struct situation *s)
{
	s->client.has_server = false;
}

static void close_context_missing(struct situation *s)
{
	s->entry.context_missing = true;
}

static void close_allocation_off(struct situation *s)
{
	s->allocation.off = true;
}

static void close_allocation_channels(struct situation *s)
{
	fill_channels(&s->allocation.quota);
}

static void close_allocation_rate(struct situation *s)
{
	use_up(&s->allocation.quota.hourly, &s->allocation.quota.rate_us);
}

static void close_server_down(struct situation *s)
{
	s->server.up = false;
}

static void close_server_breaker(struct situation *s)
{
	s->server.breaker_until_us = NOW + 17;
}

static void close_server_channels(struct situation *s)
{
	fill_channels(&s->server.quota);
}

static void close_server_pace(struct situation *s)
{
	s->server.quota.channels_used = s->server.pace = 1;
}

static void close_server_rate(struct situation *s)
{
	use_up(&s->server.quota.hourly, &s->server.quota.rate_us);
}

static void close_server_backlog(struct situation *s)
{
	s->server.unanswered = s->server.window;
}

static const struct {
	void (*close)(struct situation *s);
	int64_t next_us;
} closers[GATE__N] = {
	[GATE_client_inactive] = {close_client_inactive, SOMETHING},
	[GATE_halted] = {close_halted, SOMETHING},
	[GATE_not_dispatched] = {close_not_dispatched, SOMETHING},
	[GATE_paused] = {close_paused, SOMETHING},
	[GATE_canceled] = {close_canceled, SOMETHING},
	[GATE_not_started] = {close_not_started, NOW + 5},
	[GATE_expired] = {close_expired, SOMETHING},
	[GATE_dnc] = {close_dnc, SOMETHING},
	[GATE_number_denied] = {close_number_denied, SOMETHING},
	[GATE_did_denied] = {close_did_denied, SOMETHING},
	[GATE_number_live] = {close_number_live, SOMETHING},
	[GATE_window_closed] = {close_window_closed, NOW + 7},
	[GATE_daily_cap] = {close_daily_cap, NOW + 11},
	[GATE_retry_wait] = {close_retry_wait, NOW + 13},
	[GATE_client_channels] = {close_client_channels, SOMETHING},
	[GATE_client_rate] = {close_client_rate, NOW + 100},
	[GATE_client_cps] = {close_client_cps, NOW + 100},
	[GATE_batch_channels] = {close_batch_channels, SOMETHING},
	[GATE_batch_cps] = {close_batch_cps, NOW + 7},
	[GATE_no_server] = {close_no_server, SOMETHING},
	[GATE_context_missing] = {close_context_missing, SOMETHING},
	[GATE_allocation_off] = {close_allocation_off, SOMETHING},
	[GATE_allocation_channels] = {close_allocation_channels, SOMETHING},
	[GATE_allocation_rate] = {close_allocation_rate, NOW + 100},
	[GATE_server_down] = {close_server_down, SOMETHING},
	[GATE_server_breaker] = {close_server_breaker, NOW + 17},
	[GATE_server_channels] = {close_server_channels, SOMETHING},
	[GATE_server_pace] = {close_server_pace, SOMETHING},
	[GATE_server_rate] = {close_server_rate, NOW + 100},
	[GATE_server_backlog] = {close_server_backlog, SOMETHING},
};

static void test_nothing_blocks_an_open_way(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	assert_false(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_NONE);
	assert_int_equal(v.next_us, 0);
}

static void test_each_gate_blocks_alone_and_says_when_to_ask_again(void **state)
{
	(void)state;
	for (int gate = 1; gate < GATE__N; gate++) {
		struct situation s;
		struct gate_verdict v;
		all_open(&s);
		closers[gate].close(&s);
		assert_true(gate_first_block(&s.view, &v));
		assert_string_equal(gate_texts[v.gate].name, gate_texts[gate].name);
		assert_true(v.next_us == closers[gate].next_us);
		for (int other = 0; other < GATE__N; other++)
			assert_true(gate_blocks((enum gate)other, &s.view, &v) == (other == gate));
	}
}

/* What is promised holds: asked at that moment, the gate is open. */
static void test_at_the_promised_time_the_gate_is_open(void **state)
{
	(void)state;
	for (int gate = 1; gate < GATE__N; gate++) {
		struct situation s;
		struct gate_verdict v;
		if (closers[gate].next_us == SOMETHING || gate == GATE_daily_cap)
			continue; /* the day's count is set to 0 by its keeper, not the clock */
		all_open(&s);
		s.client.window_close_us = NOW + US_PER_S;
		closers[gate].close(&s);
		s.view.now_us = closers[gate].next_us - 1;
		assert_true(gate_blocks((enum gate)gate, &s.view, &v));
		s.view.now_us = closers[gate].next_us;
		assert_false(gate_blocks((enum gate)gate, &s.view, &v));
	}
}

static void test_gates_are_asked_in_the_order_of_the_table(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	for (int gate = GATE__N - 1; gate > 0; gate--) {
		closers[gate].close(&s);
		assert_true(gate_first_block(&s.view, &v));
		assert_int_equal(v.gate, gate);
	}
}

static void test_parts_that_are_away_are_not_asked(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	for (int gate = 1; gate < GATE__N; gate++)
		closers[gate].close(&s);
	s.view = (struct gate_view){.now_us = NOW};
	assert_false(gate_first_block(&s.view, &v));
	s.view.server = &s.server;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_server_down);
	s.view.client = &s.client;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_client_inactive);
}

static void test_a_batch_can_be_paused_on_its_own(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	s.entry.paused = true;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_paused);
}

static void test_limits_below_use_start_nothing(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	s.client.quota.channels_used = 12;
	s.client.quota.channels_limit = 10;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_client_channels);
	s.client.quota.channels_used = 0;
	s.client.quota.channels_limit = 0;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_client_channels);
}

static void test_a_window_that_is_over_or_never_opens_waits_for_news(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	s.client.window_open_us = NOW - 10;
	s.client.window_close_us = NOW;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_window_closed);
	assert_true(v.next_us == SOMETHING);
	s.client.window_open_us = s.client.window_close_us = INT64_MAX;
	assert_true(gate_first_block(&s.view, &v));
	assert_true(v.next_us == SOMETHING);
}

static void test_of_two_rates_the_later_counts(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	s.server.quota.pace = rate_per_second(1);
	s.server.quota.pace_us = NOW + 500;
	s.server.quota.rate_us = NOW + 300 + s.server.quota.hourly.tolerance_us;
	assert_true(gate_first_block(&s.view, &v));
	assert_int_equal(v.gate, GATE_server_rate);
	assert_true(v.next_us == NOW + 500);
	s.server.quota.hourly = rate_per_hour(0);
	assert_true(gate_first_block(&s.view, &v));
	assert_true(v.next_us == SOMETHING);
}

static void test_every_gate_has_its_texts(void **state)
{
	(void)state;
	for (int gate = 0; gate < GATE__N; gate++) {
		assert_non_null(gate_texts[gate].name);
		assert_true(strlen(gate_texts[gate].sentence) > 10);
		assert_non_null(gate_texts[gate].who);
	}
	assert_string_equal(gate_texts[GATE_server_backlog].name, "server_backlog");
}

/* A client, its share and a server as the segment has them, and the gates made of them. */
struct rows {
	struct client_facts c;
	struct allocation_facts a;
	struct server_facts s;
	struct gate_client client;
	struct gate_allocation allocation;
	struct gate_server server;
	struct gate_view view;
};

static enum gate first_gate(struct rows *r)
{
	struct gate_verdict v;
	struct gate_day day = gate_day_of(&r->c.day);
	r->client = gate_client_of(&r->c.client, &r->c.usage, &day, true);
	r->allocation = gate_allocation_of(&r->a.allocation, &r->a.usage);
	r->server = gate_server_of(&r->s.server, &r->s.usage, &r->s.ami, &r->s.health);
	r->view = (struct gate_view){NOW, &r->client, NULL, &r->allocation, &r->server};
	(void)gate_first_block(&r->view, &v);
	return v.gate;
}

static void test_rows_of_the_segment_make_a_view(void **state)
{
	(void)state;
	struct rows r = {
		.c = {.client = {.is_active = 1,
			      .window_close_us = INT64_MAX,
			      .allocated_channels = 3,
			      .rate_limit = 100},
			.day = {.cap = 7, .used = 6, .ends_us = NOW + 1}},
		.a = {.allocation = {.allowed_active_calls = 2, .rate_limit = 50}},
		.s = {.server = {.allowed_active_calls = 9, .rate_limit = 900},
			.ami = {.state = AMI_UP, .unanswered = 18, .armed = 1, .window = 20}},
	};
	assert_int_equal(first_gate(&r), GATE_NONE);
	r.s.server.status = SERVER_DRAINING;
	assert_int_equal(first_gate(&r), GATE_server_down);
	r.s.server.status = SERVER_ACTIVE;
	r.s.health.foreign = 9;
	assert_int_equal(first_gate(&r), GATE_server_channels);
	r.s.health.foreign = 8;
	assert_int_equal(first_gate(&r), GATE_NONE);
	r.s.health.next_us = NOW + 1;
	assert_int_equal(first_gate(&r), GATE_server_breaker);
	r.s.health.next_us = NOW;
	r.s.ami.armed = 2;
	assert_int_equal(first_gate(&r), GATE_server_backlog);
	r.a.usage.channels = 2;
	assert_int_equal(first_gate(&r), GATE_allocation_channels);
	r.a.allocation.status = SERVER_DISABLED;
	assert_int_equal(first_gate(&r), GATE_allocation_off);
	r.c.day.used = 7;
	assert_int_equal(first_gate(&r), GATE_daily_cap);
	r.c.day.cap = SHM_NO_CAP;
	assert_int_equal(first_gate(&r), GATE_allocation_off);
	r.c.client.status = CLIENT_PAUSED;
	assert_int_equal(first_gate(&r), GATE_paused);
	r.c.client.status = CLIENT_SUSPENDED;
	assert_int_equal(first_gate(&r), GATE_client_inactive);
}

/* Of all calls of the client, and of those into the number's region. */
static void test_both_caps_of_a_day_hold(void **state)
{
	(void)state;
	struct situation s;
	struct gate_verdict v;
	all_open(&s);
	s.client.day = (struct gate_day){true, 5, 4, NOW + 11};
	s.entry.day = (struct gate_day){true, 3, 2, NOW + 11};
	assert_false(gate_first_block(&s.view, &v));
	s.entry.day.used = 3;
	assert_true(gate_blocks(GATE_daily_cap, &s.view, &v));
	assert_true(v.next_us == NOW + 11);
	s.entry.day = (struct gate_day){true, 0, 0, NOW + 11};
	assert_true(gate_blocks(GATE_daily_cap, &s.view, &v));
	s.entry.day.is_capped = false;
	assert_false(gate_blocks(GATE_daily_cap, &s.view, &v));
	s.client.day.used = 6;
	assert_true(gate_blocks(GATE_daily_cap, &s.view, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_blocks_an_open_way),
		cmocka_unit_test(test_each_gate_blocks_alone_and_says_when_to_ask_again),
		cmocka_unit_test(test_at_the_promised_time_the_gate_is_open),
		cmocka_unit_test(test_gates_are_asked_in_the_order_of_the_table),
		cmocka_unit_test(test_both_caps_of_a_day_hold),
		cmocka_unit_test(test_parts_that_are_away_are_not_asked),
		cmocka_unit_test(test_a_batch_can_be_paused_on_its_own),
		cmocka_unit_test(test_limits_below_use_start_nothing),
		cmocka_unit_test(test_a_window_that_is_over_or_never_opens_waits_for_news),
		cmocka_unit_test(test_of_two_rates_the_later_counts),
		cmocka_unit_test(test_every_gate_has_its_texts),
		cmocka_unit_test(test_rows_of_the_segment_make_a_view),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
