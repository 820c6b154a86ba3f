/* Who is dialled next: shares by weight, limits, and who is woken by what. On a real segment; PostgreSQL and Asterisk are
 * not reached, because plans are only gathered here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "sched_world.h"

#include "dispatcher/audit.h"
#include "dispatcher/call.h"
#include "dispatcher/health.h"
#include "dispatcher/hold.h"

#include <cmocka.h> /* last: it has a macro fail() */

static void shares_follow_weights(void **state)
{
	struct rig *w = *state;
	w->servers[0].facts.allowed_active_calls = 70;
	for (uint32_t c = 0; c < CLIENTS; c++)
		announce(w, c, 80, 9000000000 + c * 1000);
	sched_pass(&w->d);
	assert_in_range(live(w, 0), 9, 11);
	assert_in_range(live(w, 1), 19, 21);
	assert_in_range(live(w, 2), 39, 41);
	assert_int_equal(live(w, 0) + live(w, 1) + live(w, 2), 70);
	assert_int_equal(audit_all(&w->d), 0);
}

/* Frees the oldest calls of a full server one by one, while each client always has work, and counts whose calls follow. */
static void refill(struct rig *w, unsigned n, unsigned starts[CLIENTS])
{
	static uint64_t number = UINT64_C(10000000000);
	for (unsigned i = 0; i < n; i++) {
		for (uint32_t c = 0; c < CLIENTS; c++)
			if (w->clients[c].waiting_n < 2)
				announce(w, c, 8, number += 8);
		uint32_t before[CLIENTS];
		slot_close(&w->d, oldest(w));
		for (uint32_t c = 0; c < CLIENTS; c++)
			before[c] = live(w, c);
		w->servers[0].armed_n = 0; /* written, and answered */
		sched_pass(&w->d);
		for (uint32_t c = 0; c < CLIENTS; c++)
			starts[c] += live(w, c) - before[c];
	}
}

/* Whoever had it all gives way, one freed channel after the other, to those who came later. */
static void freed_channels_are_shared_by_weight_whoever_had_them(void **state)
{
	struct rig *w = *state;
	unsigned starts[CLIENTS] = {0};
	w->servers[0].facts.allowed_active_calls = 7;
	announce(w, 0, 100, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 7);
	refill(w, 7000, starts);
	assert_int_equal(starts[0] + starts[1] + starts[2], 7000);
	assert_in_range(starts[0], 995, 1005);
	assert_in_range(starts[1], 1995, 2005);
	assert_in_range(starts[2], 3990, 4010);
}

/* One that may not take the channel for which it was woken does not keep it from the next. */
static void who_cannot_use_a_channel_lets_the_next_have_it(void **state)
{
	struct rig *w = *state;
	w->servers[0].facts.allowed_active_calls = 1;
	announce(w, 0, 1, 9000000000);
	sched_pass(&w->d);
	announce(w, 1, 1, 9100000000);
	announce(w, 2, 1, 9200000000);
	sched_pass(&w->d);
	w->clients[1].facts.status = w->clients[2].facts.status = CLIENT_PAUSED;
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 1) + live(w, 2), 0);
	w->clients[2].facts.status = CLIENT_ACTIVE;
	sched_client_ready(&w->d, &w->clients[2]);
	sched_pass(&w->d);
	assert_int_equal(live(w, 2), 1);
}

/* A server's own rate is its timer: its waiters have none. */
static void a_servers_rate_wakes_as_many_as_may_begin(void **state)
{
	struct rig *w = *state;
	w->servers[0].facts.calls_per_second = 1;
	for (uint32_t c = 0; c < CLIENTS; c++)
		announce(w, c, 3, 9000000000 + c * 1000);
	sched_pass(&w->d);
	for (uint32_t begun = 1; begun < 9; begun++) {
		assert_int_equal(live(w, 0) + live(w, 1) + live(w, 2), begun);
		assert_int_equal(w->d.timers.n, 0);
		int64_t next = sched_next_us(&w->d);
		assert_true(next > w->d.now_us && next <= w->d.now_us + US_PER_S);
		w->d.now_us = next;
		sched_pass(&w->d);
	}
}

static void a_freed_channel_goes_to_who_waits(void **state)
{
	struct rig *w = *state;
	w->servers[0].facts.allowed_active_calls = 1;
	announce(w, 0, 1, 9000000000);
	sched_pass(&w->d);
	announce(w, 1, 1, 9100000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 1), 0);
	assert_int_equal(atomic_load(&w->clients[1].usage->gate), GATE_server_channels);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 0);
	assert_int_equal(live(w, 1), 1);
}

/* Nothing leaves the server's connection any more: its Asterisk does not read. */
static void fill(struct server *server)
{
	static char action[8192];
	memset(action, 'x', sizeof(action));
	while (ami_conn_can_send(server->conn)) {
		assert_true(ami_conn_send(server->conn, (struct str){action, sizeof(action)}));
		ami_conn_flush(server->conn);
	}
}

static void read_all(int fd)
{
	char bytes[65536];
	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* No call of the server, and so no event, has to come for that. */
static void a_connection_that_has_room_again_wakes_who_found_it_full(void **state)
{
	struct rig *w = *state;
	struct server *server = &w->servers[0];
	fill(server);
	announce(w, 0, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 0);
	assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_server_down);
	assert_false(sched_wants_turn(&w->d));
	read_all(w->far_ends[0]);
	w->d.now_mono_us = ami_conn_deadline(server->conn);
	server_tick(server);
	assert_true(sched_wants_turn(&w->d));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
}

/* When the channel was freed that the oldest call refills. */
static int64_t refilled_us(const struct rig *w)
{
	const struct slot *slot = oldest(w);
	return slot ? slot->freed_mono_us : -1;
}

/* A channel that nobody wanted when it was freed is not refilled late by who comes an hour later. */
static void a_refill_is_measured_from_when_somebody_waits(void **state)
{
	struct rig *w = *state;
	w->servers[0].facts.allowed_active_calls = 1;
	announce(w, 0, 1, 9000000000);
	sched_pass(&w->d);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	announce(w, 1, 1, 9100000000);
	sched_pass(&w->d);
	assert_int_equal(refilled_us(w), 0);
	announce(w, 2, 2, 9200000000);
	sched_pass(&w->d);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(refilled_us(w), w->d.now_mono_us);
}

static void no_limit_is_exceeded(void **state)
{
	struct rig *w = *state;
	w->clients[0].facts.allocated_channels = 5;
	w->edges[1].facts.allowed_active_calls = 7;
	w->servers[0].facts.allowed_active_calls = 40;
	for (uint32_t c = 0; c < CLIENTS; c++)
		announce(w, c, 40, 9000000000 + c * 1000);
	for (int i = 0; i < 10; i++)
		sched_pass(&w->d);
	assert_int_equal(live(w, 0), 5);
	assert_int_equal(live(w, 1), 7);
	assert_int_equal(live(w, 2), 28);
	assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_client_channels);
	assert_int_equal(atomic_load(&w->clients[1].usage->gate), GATE_allocation_channels);
	assert_int_equal(atomic_load(&w->clients[2].usage->gate), GATE_server_channels);
}

static void calls_per_hour_hold_and_go_on_in_time(void **state)
{
	struct rig *w = *state;
	w->clients[0].facts.rate_limit = 40; /* burst 2 */
	announce(w, 0, 10, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 2);
	assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_client_rate);
	int64_t next = sched_next_us(&w->d);
	assert_true(next > w->d.now_us);
	w->d.now_us = next - 1;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 2);
	w->d.now_us = next;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
}

/* Lists as the directory reads them. */
static void nothing_is_dialled_outside_the_window(void **state)
{
	struct rig *w = *state;
	w->clients[0].facts.window_open_us = w->d.now_us + US_PER_S;
	announce(w, 0, 3, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 0);
	assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_window_closed);
	w->d.now_us += US_PER_S;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
}

static void a_call_is_called_off_by_its_client_only(void **state)
{
	struct rig *w = *state;
	uint64_t entry = w->next_chunk << 10;
	announce(w, 0, 1, 9000000000);
	call_off(&w->d, 2, entry);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
	struct slot *slot = slot_of_entry(&w->d, entry);
	call_off(&w->d, 2, entry);
	assert_int_equal(slot->call->seen & SEEN_CALLED_OFF, 0);
	call_off(&w->d, 1, entry);
	assert_int_equal(slot->call->seen & SEEN_CALLED_OFF, SEEN_CALLED_OFF);
}

static void unanswered_originates_hold_back(void **state)
{
	struct rig *w = *state;
	w->conf.dispatcher_ami_window = 4;
	announce(w, 0, 10, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 4);
	assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_server_backlog);
}

/* A server that fails at once would have room for every call there is: it is given a pause, then one call, then a longer
 * pause; a channel ends all that, and then each call that gets through makes room for one more. */
static void a_server_that_makes_no_channels_gets_no_calls(void **state)
{
	struct rig *w = *state;
	struct server *s = &w->servers[0];
	struct str why = STR("no channel");
	announce(w, 0, 100, 9000000000);
	for (int i = 0; i < 5; i++)
		health_fault(s, FAULT_NO_CHANNEL, why);
	for (int64_t pause_us = US_PER_S; pause_us <= 4 * US_PER_S; pause_us *= 2) {
		health_fault(s, FAULT_NO_CHANNEL, why); /* another of the same burst */
		uint64_t before = live(w, 0);
		w->d.now_us += pause_us - 1;
		sched_pass(&w->d);
		sched_show_gates(&w->d);
		assert_int_equal(live(w, 0), before);
		assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_server_breaker);
		w->d.now_us += 1;
		sched_pass(&w->d);
		assert_int_equal(live(w, 0), before + 1);
		s->armed_n = 0; /* the call on trial is written, and has no channel */
		server_answered(s);
		health_fault(s, FAULT_NO_CHANNEL, why);
	}
	const struct slot *slot = slot_of_entry(&w->d, 1 << 10);
	uint64_t before = live(w, 0);
	assert_non_null(slot);
	health_prove(s, PROOF_CHANNEL);
	for (int i = 1; i < 10; i++) {
		sched_pass(&w->d);
		assert_int_equal(live(w, 0), before + (uint64_t)i);
		assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_server_pace);
		health_through(s, slot);
	}
}

/* A successor goes on where its predecessor was. */
static void health_outlives_the_dispatcher(void **state)
{
	struct rig *w = *state;
	struct server *s = &w->servers[0], heir = {.row = s->row, .usage = s->usage, .d = &w->d};
	announce(w, 0, 100, 9000000000);
	sched_pass(&w->d);
	struct slot *slot = slot_of_entry(&w->d, 1 << 10);
	assert_non_null(slot);
	slot->call->sent_us = w->d.now_us;
	for (int i = 0; i < 2; i++)
		health_congested(s, slot, STR("no circuit available"));
	for (int i = 0; i < 3; i++)
		health_fault(s, FAULT_REFUSED, STR("Asterisk is shutting down"));
	heir.facts = s->facts;
	health_adopt(&heir);
	assert_memory_equal(&heir.breaker, &s->breaker, sizeof(heir.breaker));
	assert_int_equal(heir.breaker.state, BREAKER_OPEN);
	assert_int_equal(health_room(&heir), health_room(s));
	assert_true(health_room(&heir) < live(w, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(shares_follow_weights),
		WORLD_TEST(freed_channels_are_shared_by_weight_whoever_had_them),
		WORLD_TEST(who_cannot_use_a_channel_lets_the_next_have_it),
		WORLD_TEST(a_servers_rate_wakes_as_many_as_may_begin),
		WORLD_TEST(a_freed_channel_goes_to_who_waits),
		WORLD_TEST(a_connection_that_has_room_again_wakes_who_found_it_full),
		WORLD_TEST(a_refill_is_measured_from_when_somebody_waits),
		WORLD_TEST(no_limit_is_exceeded),
		WORLD_TEST(calls_per_hour_hold_and_go_on_in_time),
		WORLD_TEST(nothing_is_dialled_outside_the_window),
		WORLD_TEST(a_call_is_called_off_by_its_client_only),
		WORLD_TEST(unanswered_originates_hold_back),
		WORLD_TEST(a_server_that_makes_no_channels_gets_no_calls),
		WORLD_TEST(health_outlives_the_dispatcher),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
