/* The auditor: words that say more or less than the slots hold are found wherever they are, within a round. On a real
 * segment; there are no connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "dispatcher/audit.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/slot.h"
#include "shm/counters.h"
#include "shm/directory.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { CLIENTS = 50, CALLS = 120 };

struct world {
	struct conf conf;
	struct segment seg;
	struct dispatcher d;
	struct client clients[CLIENTS];
	struct edge edges[CLIENTS];
	struct server server;
};

static void make_segment(struct world *w)
{
	struct err err;
	bool adopted;
	char path[] = "/tmp/ccs-test-audit-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)dprintf(fd,
		"[common]\nnode = test-audit-%d\n[segment]\nlive_calls = 256\nwindow_entries = "
		"2048\n"
		"clients = 64\nservers = 4\nallocations = 128\nevent_bytes = 1048576\n",
		(int)getpid());
	close(fd);
	assert_true(conf_load(&w->conf, path, &err));
	unlink(path);
	assert_true(segment_init(&w->seg, w->conf.common_node, &err));
	assert_true(segment_create_or_adopt(&w->seg, &w->conf, &adopted, &err));
	segment_begin_epoch(&w->seg);
}

static void make_client(struct world *w, uint32_t i)
{
	struct client *c = &w->clients[i];
	struct edge *e = &w->edges[i];
	c->id = c->facts.id = i + 1;
	c->usage = &dir_put_client(&w->seg, &c->facts)->usage;
	HASH_ADD(hh, w->d.clients, id, sizeof(c->id), c);
	e->client = c;
	e->server = &w->server;
	e->facts = (struct shm_allocation){.client_id = c->id, .server_id = 1};
	e->usage = &dir_put_allocation(&w->seg, &e->facts)->usage;
	c->edges = e;
}

static void make_call(struct world *w, uint32_t i)
{
	struct client *c = &w->clients[i % CLIENTS];
	struct call_identity id = {i + 1, c->id, 1, 1};
	struct shm_call facts = {.armed_us = 1};
	struct slot *slot = slot_open(&w->d, &id, &facts);
	assert_non_null(slot);
	slot->client = c;
	slot->edge = c->edges;
	slot->server = &w->server;
	slot->caller_id = caller_id_hold(&w->d, "911140000000");
	grant_retake(&w->d, slot);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	make_segment(w);
	w->d = (struct dispatcher){.conf = &w->conf, .seg = &w->seg, .recovered = true};
	slots_bind(&w->d);
	w->server.id = w->server.facts.id = 1;
	w->server.d = &w->d;
	w->server.row = dir_put_server(&w->seg, &w->server.facts);
	w->server.usage = &w->server.row->usage;
	HASH_ADD(hh, w->d.servers, id, sizeof(w->server.id), &w->server);
	for (uint32_t i = 0; i < CLIENTS; i++)
		make_client(w, i);
	for (uint32_t i = 0; i < CALLS; i++)
		make_call(w, i);
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
	call_table_close(&w->d.calls);
	free(w->d.slots);
	segment_remove(&w->seg);
	segment_close(&w->seg);
	free(w);
	return 0;
}

/* All that a second of turns finds, a millisecond each. */
static unsigned second(struct world *w)
{
	unsigned found = 0;
	for (int ms = 0; ms < 1050; ms++) {
		w->d.now_mono_us += US_PER_MS;
		found += audit_step(&w->d);
	}
	return found;
}

static void test_what_is_right_stays(void **state)
{
	struct world *w = *state;
	assert_int_equal(audit_all(&w->d), 0);
	assert_int_equal(second(w), 0);
	assert_int_equal(counter_read(&w->seg, COUNTER_drift), 0);
	assert_true(counter_read(&w->seg, COUNTER_audits) >= 1);
	assert_int_equal(w->server.usage->channels, CALLS);
}

/* In every word, one after the other, one too many and one too few, within a second of turns. */
static void found_in(struct world *w, struct shm_usage *usage)
{
	uint32_t right = usage->channels;
	uint64_t before = counter_read(&w->seg, COUNTER_drift);
	usage->channels = right + 1;
	assert_int_equal(second(w), 1);
	assert_int_equal(usage->channels, right);
	usage->channels = right - 1;
	assert_int_equal(second(w), 1);
	assert_int_equal(usage->channels, right);
	usage->channels = 0;
	assert_int_equal(second(w), 1);
	assert_int_equal(usage->channels, right);
	assert_int_equal(counter_read(&w->seg, COUNTER_drift), before + 3);
}

static void test_drift_is_found_in_every_word(void **state)
{
	struct world *w = *state;
	found_in(w, w->server.usage);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		found_in(w, w->clients[i].usage);
		found_in(w, w->edges[i].usage);
	}
	assert_int_equal(audit_all(&w->d), 0);
}

static void test_many_at_once(void **state)
{
	struct world *w = *state;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		w->clients[i].usage->channels += i % 3;
		w->edges[i].usage->channels = 0;
	}
	assert_int_equal(audit_all(&w->d), CLIENTS + CLIENTS - (CLIENTS + 2) / 3);
	assert_int_equal(audit_all(&w->d), 0);
}

static void test_of_a_caller_id(void **state)
{
	struct world *w = *state;
	struct caller_id *id = w->d.caller_ids;
	assert_int_equal(id->channels, CALLS);
	id->channels++;
	assert_int_equal(second(w), 1);
	assert_int_equal(id->channels, CALLS);
	id->channels = 0;
	assert_int_equal(audit_all(&w->d), 1);
	assert_int_equal(id->channels, CALLS);
}

static void test_a_long_pause_is_one_round(void **state)
{
	struct world *w = *state;
	w->clients[7].usage->channels++;
	w->d.now_mono_us += 400 * US_PER_MS;
	unsigned found = audit_step(&w->d);
	w->d.now_mono_us += 400 * US_PER_MS;
	found += audit_step(&w->d);
	w->d.now_mono_us += 400 * US_PER_MS;
	found += audit_step(&w->d);
	assert_int_equal(found, 1);
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_what_is_right_stays),
		WORLD_TEST(test_drift_is_found_in_every_word),
		WORLD_TEST(test_many_at_once),
		WORLD_TEST(test_of_a_caller_id),
		WORLD_TEST(test_a_long_pause_is_one_round),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
