/* Which number a call shows: in turn, or as its entry asks, while its client may show it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "sched_rig.h"

#include "dispatcher/audit.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/disposition.h"
#include "dispatcher/failover.h"

#include <cmocka.h> /* last: it has a macro fail() */

static const struct rig_size size = {
	.clients = 3, .servers = 2, .shares = 2, .calls = 64, .waiting = 1024};

static int set_up(void **state)
{
	*state = rig_new(&size);
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

static struct caller_ids dids_of(struct rig *rig, unsigned n, ...)
{
	struct caller_ids dids = {.v = rig_alloc(n, sizeof(*dids.v)), .n = n};
	va_list args;
	va_start(args, n);
	for (unsigned i = 0; i < n; i++) {
		dids.v[i].id = caller_id_hold(&rig->d, va_arg(args, char *));
		heap_put(&dids.by_use, &dids.v[i].node, dids.v[i].id->used);
	}
	va_end(args);
	return dids;
}

/* Each client has its first share alone, on the first server. */
static void use_one_server(struct rig *rig)
{
	for (uint32_t i = 0; i < size.clients * size.shares; i++)
		if (rig->edges[i].server != &rig->servers[0])
			rig->edges[i].facts.status = SERVER_DISABLED;
}

static struct edge *edge_of(struct rig *rig, uint32_t client)
{
	struct edge *e = rig->clients[client].edges;
	while (e->server != &rig->servers[0])
		e = e->next_of_client;
	return e;
}

/* The next call of the client, whose entry asks for that number. */
static struct slot *asking(struct rig *rig, uint32_t client, const char *did)
{
	uint64_t entry = rig->next_chunk << 10;
	struct shm_submit rec = {.kind = SUBMIT_CHUNK,
		.entries = 1,
		.id = rig->next_chunk++,
		.client_id = client + 1};
	(void)snprintf(rec.number, sizeof(rec.number), "9%09u", (unsigned)rec.id);
	assert_true(str_copy(rec.did, sizeof(rec.did), str_of(did)));
	assert_true(submit_send(&rig->seg, NULL, &rec));
	submit_drain(&rig->d);
	sched_pass(&rig->d);
	return slot_of_entry(&rig->d, entry);
}

static const char *shown(struct rig *rig, uint32_t client)
{
	return asking(rig, client, "")->call->did;
}

/* A number that two clients show is one number: nobody shows it again before the others have had their turn. */
static void the_number_that_was_shown_longest_ago_is_next(void **state)
{
	struct rig *rig = *state;
	use_one_server(rig);
	struct edge *a = edge_of(rig, 0), *b = edge_of(rig, 1);
	a->dids = dids_of(rig, 3, "100", "101", "102");
	b->dids = dids_of(rig, 2, "101", "103");
	rig->servers[0].dids = dids_of(rig, 1, "104");
	if (strcmp(shown(rig, 1), "101") != 0)
		assert_string_equal(shown(rig, 1), "101");
	const char *one = shown(rig, 0), *two = shown(rig, 0);
	assert_string_not_equal(one, "101");
	assert_string_not_equal(two, "101");
	assert_string_not_equal(one, two);
	assert_string_equal(shown(rig, 0), "101");
	assert_string_equal(shown(rig, 2), "104"); /* the server's */
	const struct caller_id *id = b->dids.v[0].id;
	assert_string_equal(id->digits, "101");
	assert_int_equal(id->channels, 2);
	assert_int_equal(id->calls, 2);
	assert_int_equal(audit_all(&rig->d), 0);
	caller_ids_drop(&rig->d, &a->dids);
	caller_ids_drop(&rig->d, &b->dids);
	caller_ids_drop(&rig->d, &rig->servers[0].dids);
	assert_string_equal(shown(rig, 0), "911140000000"); /* the client's */
}

/* However many are picked ahead before the first of them takes its grant. */
static void a_turn_is_over_when_a_number_is_picked(void **state)
{
	struct rig *rig = *state;
	struct edge *a = edge_of(rig, 0);
	struct caller_id *picked[3];
	a->dids = dids_of(rig, 3, "100", "101", "102");
	for (int i = 0; i < 3; i++)
		picked[i] = caller_id_pick(&rig->d, a, NULL);
	for (int i = 0; i < 3; i++) {
		caller_id_take(picked[i]);
		struct caller_id *next = caller_id_pick(&rig->d, a, NULL);
		assert_ptr_equal(next, picked[i]);
		caller_id_drop(&rig->d, next);
	}
	for (int i = 0; i < 3; i++) {
		caller_id_give(picked[i]);
		caller_id_drop(&rig->d, picked[i]);
	}
	caller_ids_drop(&rig->d, &a->dids);
}

static void what_an_entry_asks_for_is_shown_on_every_server_of_its_client(void **state)
{
	struct rig *rig = *state;
	struct edge *a = edge_of(rig, 0);
	a->dids = dids_of(rig, 2, "100", "101");
	for (int i = 0; i < 6; i++)
		assert_string_equal(asking(rig, 0, "101")->call->did, "101");
	assert_int_equal(a->dids.v[1].id->channels, 6);
	assert_string_equal(asking(rig, 0, "911140000000")->call->did, "911140000000");
	rig->servers[1].dids = dids_of(rig, 1, "104");
	assert_string_equal(asking(rig, 0, "104")->call->did, "104");
	assert_int_equal(audit_all(&rig->d), 0);
	caller_ids_drop(&rig->d, &a->dids);
	caller_ids_drop(&rig->d, &rig->servers[1].dids);
}

static void what_its_client_may_not_show_is_not_dialled(void **state)
{
	struct rig *rig = *state;
	struct edge *a = edge_of(rig, 0), *b = edge_of(rig, 1);
	a->dids = dids_of(rig, 1, "100");
	b->dids = dids_of(rig, 1, "101");
	rig->servers[0].dids = dids_of(rig, 1, "104"); /* shown where a share has none of its own */
	for (int i = 0; i < 2; i++) {
		const char *other = i == 0 ? "101" : "104";
		char reason[48];
		(void)snprintf(reason, sizeof(reason), "not allowed: did %s", other);
		const struct slot *slot = asking(rig, 0, other);
		assert_int_equal(slot_state(slot), CALL_ENDED);
		assert_int_equal(slot->head->n, 0);
		assert_int_equal(slot->call->disposition, DISPOSITION_SUPPRESSED);
		assert_string_equal(slot->call->reason, reason);
	}
	assert_string_equal(asking(rig, 2, "104")->call->did, "104");
	caller_ids_drop(&rig->d, &a->dids);
	caller_ids_drop(&rig->d, &b->dids);
	caller_ids_drop(&rig->d, &rig->servers[0].dids);
}

/* What waits holds its number, though no list has it any more; who leaves lets it go. */
static void who_waits_keeps_what_it_asks_for(void **state)
{
	struct rig *rig = *state;
	rig->clients[0].facts.allocated_channels = 0;
	assert_null(asking(rig, 0, "911140000000"));
	assert_int_equal(HASH_COUNT(rig->d.caller_ids), 1);
	work_forget_client(&rig->d, &rig->clients[0]);
	assert_int_equal(HASH_COUNT(rig->d.caller_ids), 0);
}

/* An entry that goes back into line still asks for what it asked for, and for nothing else. */
static void who_waits_again_shows_what_was_asked_for(void **state)
{
	struct rig *rig = *state;
	struct edge *a = edge_of(rig, 0);
	a->dids = dids_of(rig, 2, "100", "101");
	for (int i = 0; i < 2; i++) {
		struct slot *slot = asking(rig, 0, i == 0 ? "911140000000" : "");
		uint64_t entry = slot->entry_id;
		slot->server->armed_n--;
		failover_undo(&rig->d, slot);
		slot_close(&rig->d, slot);
		sched_client_ready(&rig->d, &rig->clients[0]);
		sched_pass(&rig->d);
		slot = slot_of_entry(&rig->d, entry);
		assert_non_null(slot);
		assert_int_equal((slot->call->seen & SEEN_ASKED) != 0, i == 0);
		assert_int_equal(strcmp(slot->call->did, "911140000000") == 0, i == 0);
	}
	caller_ids_drop(&rig->d, &a->dids);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_number_that_was_shown_longest_ago_is_next),
		RIG_TEST(a_turn_is_over_when_a_number_is_picked),
		RIG_TEST(what_an_entry_asks_for_is_shown_on_every_server_of_its_client),
		RIG_TEST(what_its_client_may_not_show_is_not_dialled),
		RIG_TEST(who_waits_keeps_what_it_asks_for),
		RIG_TEST(who_waits_again_shows_what_was_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
