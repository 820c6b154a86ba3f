/* Who is dialled next: shares by weight, limits, and who is woken by what. On a real segment; PostgreSQL and Asterisk are
 * not reached, because plans are only gathered here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "dispatcher/audit.h"
#include "dispatcher/call.h"
#include "dispatcher/days.h"
#include "dispatcher/disposition.h"
#include "dispatcher/health.h"
#include "dispatcher/hold.h"
#include "dispatcher/journal.h"
#include "dispatcher/route.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/work.h"
#include "shm/directory.h"
#include "shm/submit.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { CLIENTS = 3 };

struct world {
	struct conf conf;
	struct segment seg;
	struct dispatcher d;
	struct client clients[CLIENTS];
	struct edge edges[CLIENTS];
	struct server server;
	uint64_t next_chunk;
	int far_end;
};

static const struct ami_conn_ops deaf = {0};

static void make_segment(struct world *w)
{
	struct err err;
	char path[] = "/tmp/ccs-test-sched-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)dprintf(fd,
		"[common]\nnode = test-sched-%d\n[segment]\nlive_calls = 256\nwindow_entries = "
		"2048\nclients = 16\nservers = 4\n"
		"allocations = 16\nevent_bytes = 1048576\nworker_slots = 4\n",
		(int)getpid());
	close(fd);
	assert_true(conf_load(&w->conf, path, &err));
	unlink(path);
	bool adopted;
	assert_true(segment_init(&w->seg, w->conf.common_node, &err));
	if (!segment_create_or_adopt(&w->seg, &w->conf, &adopted, &err))
		fail_msg("%s", err.text);
	segment_begin_epoch(&w->seg);
	assert_true(worker_slot_take(&w->seg, POOL_SQL, &err));
}

static void make_server(struct world *w)
{
	struct err err;
	int pair[2];
	struct ami_conn_conf conf = {.host = "127.0.0.1",
		.port = 5038,
		.user = "ccs",
		.secret = "s",
		.ping_us = US_PER_S * 60,
		.timeout_us = US_PER_S * 60,
		.backoff_max_us = US_PER_S};
	struct server *s = &w->server;

	s->id = 1;
	s->d = &w->d;
	s->facts =
		(struct shm_server){.id = 1, .allowed_active_calls = 1000, .rate_limit = 10000000};
	s->row = dir_put_server(&w->seg, &s->facts);
	s->usage = &s->row->usage;
	s->ami = &s->row->ami;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s->conn = ami_conn_new(w->d.poll, &conf, &deaf, s, &err);
	assert_non_null(s->conn);
	ami_conn_adopt(s->conn, pair[0], clock_mono_us());
	ami_conn_flush(s->conn);
	w->far_end = pair[1];
	HASH_ADD(hh, w->d.servers, id, sizeof(s->id), s);
}

static void make_client(struct world *w, uint32_t i, uint32_t weight)
{
	struct client *c = &w->clients[i];
	c->id = i + 1;
	c->facts = (struct shm_client){.id = c->id,
		.allocated_channels = 1000,
		.rate_limit = 10000000,
		.weight = weight,
		.is_active = 1,
		.window_open_us = INT64_MIN,
		.window_close_us = INT64_MAX,
		.did = "911140000000"};
	struct shm_client_row *row = dir_put_client(&w->seg, &c->facts);
	c->usage = &row->usage;
	c->day.shown = &row->day;
	HASH_ADD(hh, w->d.clients, id, sizeof(c->id), c);

	struct edge *e = &w->edges[i];
	e->client = c;
	e->server = &w->server;
	e->facts = (struct shm_allocation){.client_id = c->id,
		.server_id = 1,
		.allowed_active_calls = 1000,
		.rate_limit = 10000000};
	e->usage = &dir_put_allocation(&w->seg, &e->facts)->usage;
	c->edges = e;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	make_segment(w);
	w->d = (struct dispatcher){.conf = &w->conf,
		.seg = &w->seg,
		.recovered = true,
		.commits_up = true,
		.now_us = clock_wall_us(),
		.now_mono_us = clock_mono_us()};
	w->conf.dispatcher_ami_window = 1000;
	w->d.poll = poll_new();
	w->d.journal = journal_new(&w->d);
	slots_bind(&w->d);
	work_bind(&w->d);
	make_server(w);
	for (uint32_t i = 0; i < CLIENTS; i++)
		make_client(w, i, 1u << i);
	w->next_chunk = 1;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct slot *slot, *next;
	HASH_ITER (hh, w->d.by_entry, slot, next)
		slot_close(&w->d, slot);
	HASH_CLEAR(hh, w->d.servers);
	HASH_CLEAR(hh, w->d.clients);
	for (uint32_t i = 0; i < CLIENTS; i++)
		work_forget_client(&w->d, &w->clients[i]);
	for (uint32_t i = 0; i < CLIENTS; i++)
		day_free(&w->clients[i]);
	ami_conn_free(w->server.conn);
	close(w->far_end);
	journal_free(w->d.journal);
	poll_free(w->d.poll);
	call_table_close(&w->d.calls);
	window_table_close(&w->d.window);
	free(w->d.slots);
	free(w->d.waiting);
	heap_free(&w->d.ready);
	heap_free(&w->d.timers);
	heap_free(&w->d.server_timers);
	heap_free(&w->server.waiters);
	segment_remove(&w->seg);
	segment_close(&w->seg);
	free(w);
	return 0;
}

/* Quick calls, announced as a worker does it. */
static void announce(struct world *w, uint32_t client, unsigned n, uint64_t first_number)
{
	for (unsigned i = 0; i < n; i++) {
		struct shm_submit rec = {.kind = SUBMIT_CHUNK,
			.entries = 1,
			.id = w->next_chunk++,
			.client_id = client + 1};
		(void)snprintf(rec.number, sizeof(rec.number), "%llu",
			(unsigned long long)((first_number + i) % UINT64_C(1000000000000)));
		memcpy(rec.phone_number, rec.number, sizeof(rec.number));
		assert_true(submit_send(&w->seg, NULL, &rec));
		submit_drain(&w->d);
	}
}

/* One quick call to a number of this region and kind. */
static void announce_to(struct world *w, uint32_t client, const char *region, enum number_type type)
{
	struct shm_submit rec = {.kind = SUBMIT_CHUNK,
		.entries = 1,
		.id = w->next_chunk++,
		.client_id = client + 1,
		.plan = {.type = (uint8_t)type, .region = region_code(str_of(region))}};
	(void)snprintf(rec.number, sizeof(rec.number), "9%08u", (unsigned)rec.id);
	assert_true(submit_send(&w->seg, NULL, &rec));
	submit_drain(&w->d);
}

static void allow(struct client *client, const char *regions)
{
	assert_true(policy_read(&client->facts.policy, str_of(regions), STR("default")));
}

static void set_caps(struct world *w, struct client *client, const char *caps)
{
	client->day.ends_us = w->d.now_us + 3600 * US_PER_S;
	client->day.round = 1;
	strbuf_reset(&client->day.caps);
	strbuf_puts(&client->day.caps, caps);
}

static uint32_t live(const struct world *w, uint32_t client)
{
	return atomic_load(&w->clients[client].usage->channels);
}

static void shares_follow_weights(void **state)
{
	struct world *w = *state;
	w->server.facts.allowed_active_calls = 70;
	for (uint32_t c = 0; c < CLIENTS; c++)
		announce(w, c, 80, 9000000000 + c * 1000);
	sched_pass(&w->d);
	assert_in_range(live(w, 0), 9, 11);
	assert_in_range(live(w, 1), 19, 21);
	assert_in_range(live(w, 2), 39, 41);
	assert_int_equal(live(w, 0) + live(w, 1) + live(w, 2), 70);
	assert_int_equal(audit_all(&w->d), 0);
}

/* The oldest call that has a channel. */
static struct slot *oldest(const struct world *w)
{
	struct slot *slot = w->d.by_entry;
	while (slot && !slot->granted)
		slot = slot->hh.next;
	assert_non_null(slot);
	return slot;
}

/* Frees the oldest calls of a full server one by one, while each client always has work, and counts whose calls follow. */
static void refill(struct world *w, unsigned n, unsigned starts[CLIENTS])
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
		w->server.armed_n = 0; /* written, and answered */
		sched_pass(&w->d);
		for (uint32_t c = 0; c < CLIENTS; c++)
			starts[c] += live(w, c) - before[c];
	}
}

/* Whoever had it all gives way, one freed channel after the other, to those who came later. */
static void freed_channels_are_shared_by_weight_whoever_had_them(void **state)
{
	struct world *w = *state;
	unsigned starts[CLIENTS] = {0};
	w->server.facts.allowed_active_calls = 7;
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
	struct world *w = *state;
	w->server.facts.allowed_active_calls = 1;
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
	struct world *w = *state;
	w->server.facts.calls_per_second = 1;
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
	struct world *w = *state;
	w->server.facts.allowed_active_calls = 1;
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

/* When the channel was freed that the oldest call refills. */
static int64_t refilled_us(const struct world *w)
{
	const struct slot *slot = oldest(w);
	return slot ? slot->freed_mono_us : -1;
}

/* A channel that nobody wanted when it was freed is not refilled late by who comes an hour later. */
static void a_refill_is_measured_from_when_somebody_waits(void **state)
{
	struct world *w = *state;
	w->server.facts.allowed_active_calls = 1;
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
	struct world *w = *state;
	w->clients[0].facts.allocated_channels = 5;
	w->edges[1].facts.allowed_active_calls = 7;
	w->server.facts.allowed_active_calls = 40;
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
	struct world *w = *state;
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
static struct texts texts_of(unsigned n, ...)
{
	struct texts texts = {calloc(n, sizeof(*texts.text)), n};
	va_list args;
	va_start(args, n);
	for (unsigned i = 0; i < n; i++)
		assert_true(
			str_copy(texts.text[i], ROUTE_TEXT_BYTES, str_of(va_arg(args, char *))));
	va_end(args);
	return texts;
}

/* The next call of the client. */
static const struct shm_call *call_of(struct world *w, uint32_t client)
{
	static uint64_t number = UINT64_C(20000000000);
	uint64_t entry = w->next_chunk << 10;
	announce(w, client, 1, number++);
	sched_pass(&w->d);
	return slot_of_entry(&w->d, entry)->call;
}

/* Two prefixes, three endpoints, two contexts: twelve calls use each combination once. */
static void prefixes_endpoints_and_contexts_are_used_in_all_combinations(void **state)
{
	struct world *w = *state;
	struct server *s = &w->server;
	bool used[12] = {false};
	s->prefixes = texts_of(2, "00", "01");
	s->endpoints = texts_of(3, "a", "b", "c");
	s->contexts = texts_of(2, "x", "y");
	for (int i = 0; i < 12; i++) {
		const struct shm_call *call = call_of(w, 0);
		int which = call->endpoint[0] - 'a' + 3 * (call->prefix[1] - '0') +
			    6 * (call->context[0] - 'x');
		assert_in_range(which, 0, 11);
		assert_false(used[which]);
		used[which] = true;
	}
	texts_free(&s->prefixes);
	texts_free(&s->endpoints);
	texts_free(&s->contexts);
}

static void nothing_is_dialled_outside_the_window(void **state)
{
	struct world *w = *state;
	w->clients[0].facts.window_open_us = w->d.now_us + US_PER_S;
	announce(w, 0, 3, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 0);
	assert_int_equal(atomic_load(&w->clients[0].usage->gate), GATE_window_closed);
	w->d.now_us += US_PER_S;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
}

static void one_number_is_dialled_once_at_a_time(void **state)
{
	struct world *w = *state;
	announce(w, 0, 1, 9000000000);
	announce(w, 0, 1, 9000000000);
	announce(w, 1, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 1);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 1);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 1);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 0);
}

/* Both leave the line that the number has, too: nobody is called back from the dead when the number is free. */
static void who_waits_for_a_number_may_leave(void **state)
{
	struct world *w = *state;
	announce(w, 0, 1, 9000000000);
	announce(w, 0, 1, 9000000000);
	announce(w, 1, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
	call_off(&w->d, 1, (w->next_chunk - 2) << 10);
	work_forget_client(&w->d, &w->clients[1]);
	slot_close(&w->d, oldest(w));
	sched_pass(&w->d);
	assert_int_equal(live(w, 0) + live(w, 1), 0);
}

static void a_call_is_called_off_by_its_client_only(void **state)
{
	struct world *w = *state;
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
	struct world *w = *state;
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
	struct world *w = *state;
	struct server *s = &w->server;
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
	struct world *w = *state;
	struct server *s = &w->server, heir = {.row = s->row, .usage = s->usage, .d = &w->d};
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

/* What was allowed when it came in and is not any more is told, and never dialled. */
static void a_number_denied_meanwhile_ends_undialled(void **state)
{
	struct world *w = *state;
	allow(&w->clients[0], "IN");
	announce_to(w, 0, "US", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "IN", NUMBER_TYPE_PREMIUM);
	announce_to(w, 0, "IN", NUMBER_TYPE_MOBILE);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 1);
	static const char *const reasons[] = {
		"not allowed: region US", "not allowed: premium numbers"};
	for (uint64_t chunk = 1; chunk <= 2; chunk++) {
		const struct slot *slot = slot_of_entry(&w->d, chunk << 10);
		assert_non_null(slot);
		assert_int_equal(slot_state(slot), CALL_ENDED);
		assert_int_equal(slot->head->n, 0);
		assert_int_equal(slot->head->server_id, 0);
		assert_int_equal(slot->call->disposition, DISPOSITION_SUPPRESSED);
		assert_string_equal(slot->call->reason, reasons[chunk - 1]);
	}
	assert_int_equal(slot_state(slot_of_entry(&w->d, 3 << 10)), CALL_PLANNED);
	assert_int_equal(audit_all(&w->d), 0);
}

static void daily_caps_put_off_what_is_too_much_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct client *c = &w->clients[0];
	allow(c, "all");
	set_caps(w, c, "US:2 other:1");
	for (int i = 0; i < 4; i++)
		announce_to(w, 0, "US", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "GB", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "GB", NUMBER_TYPE_MOBILE);
	announce_to(w, 0, "IN", NUMBER_TYPE_MOBILE);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 4);
	assert_int_equal(c->waiting_n, 0); /* what is put off takes no place in the window */
	assert_int_equal(atomic_load(&c->usage->gate), GATE_daily_cap);
	unsigned put_off = 0;
	for (const struct chunk *k = c->put_off; k; k = k->next)
		put_off++;
	assert_int_equal(put_off, 3);

	w->d.recovered = false; /* there is no PostgreSQL to load them from */
	w->d.now_us = c->day.ends_us;
	days_turn(&w->d);
	assert_null(c->put_off);
	assert_non_null(c->quick.known);
	assert_int_equal(c->day.used, 0);
	assert_true(w->d.directory_wanted);
}

static void a_daily_cap_of_all_calls_parks_the_client_until_midnight(void **state)
{
	struct world *w = *state;
	struct client *c = &w->clients[0];
	set_caps(w, c, "all:3");
	int64_t ends_us = c->day.ends_us;
	announce(w, 0, 5, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
	assert_int_equal(atomic_load(&c->usage->gate), GATE_daily_cap);
	assert_true(sched_next_us(&w->d) == ends_us);
	w->d.now_us = ends_us - 1;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 3);
	w->d.now_us = ends_us;
	sched_pass(&w->d);
	assert_int_equal(live(w, 0), 5);
}

/* A plan that PostgreSQL does not take was no call. */
static void a_call_that_is_not_journalled_is_not_counted(void **state)
{
	struct world *w = *state;
	struct client *c = &w->clients[0];
	set_caps(w, c, "all:1");
	announce(w, 0, 1, 9000000000);
	sched_pass(&w->d);
	assert_int_equal(c->day.used, 1);
	(void)call_step(&w->d, w->d.by_entry, EV_NOT_JOURNALLED,
		&(struct call_cause){.at_us = w->d.now_us});
	assert_int_equal(c->day.used, 0);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(shares_follow_weights),
		WORLD_TEST(a_number_denied_meanwhile_ends_undialled),
		WORLD_TEST(daily_caps_put_off_what_is_too_much_and_nothing_else),
		WORLD_TEST(a_daily_cap_of_all_calls_parks_the_client_until_midnight),
		WORLD_TEST(a_call_that_is_not_journalled_is_not_counted),
		WORLD_TEST(freed_channels_are_shared_by_weight_whoever_had_them),
		WORLD_TEST(who_cannot_use_a_channel_lets_the_next_have_it),
		WORLD_TEST(a_servers_rate_wakes_as_many_as_may_begin),
		WORLD_TEST(a_freed_channel_goes_to_who_waits),
		WORLD_TEST(a_refill_is_measured_from_when_somebody_waits),
		WORLD_TEST(no_limit_is_exceeded),
		WORLD_TEST(calls_per_hour_hold_and_go_on_in_time),
		WORLD_TEST(prefixes_endpoints_and_contexts_are_used_in_all_combinations),
		WORLD_TEST(nothing_is_dialled_outside_the_window),
		WORLD_TEST(one_number_is_dialled_once_at_a_time),
		WORLD_TEST(who_waits_for_a_number_may_leave),
		WORLD_TEST(a_call_is_called_off_by_its_client_only),
		WORLD_TEST(unanswered_originates_hold_back),
		WORLD_TEST(a_server_that_makes_no_channels_gets_no_calls),
		WORLD_TEST(health_outlives_the_dispatcher),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
