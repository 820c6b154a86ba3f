/* The auditor finds each kind of damage, names the rule, and is silent about a sound segment. */
#include <sys/mman.h>

#include "shm/calls.h"
#include "shm/check.h"
#include "shm/directory.h"
#include "shm/events.h"
#include "shm/object.h"
#include "shm/row.h"
#include "shm/tenant.h"
#include "shm/window.h"
#include "tests/unit/shm/rig.h"

/* What a small segment at work looks like. */
struct world {
	struct rig *rig;
	struct segment *seg;
	struct shm_client_row *client;
	struct shm_user_row *user;
	struct shm_key_row *key;
	struct shm_server_row *server;
	struct shm_allocation_row *allocation;
	struct call_table calls;
	struct window_table window;
	uint32_t slot, waiting;
	uint64_t last_event;
};

static struct world w;

static void load_directory(void)
{
	struct shm_client client = {.id = 3, .weight = 1, .is_active = 1, .name = "three"};
	struct shm_key key = {.id = 30, .client_id = 3, .digest = digest_of(STR("key"))};
	struct shm_user user = {.id = 70, .client_id = 3, .version = 1};
	struct shm_server server = {.id = 9, .port = 5038, .server_code = "nine"};
	struct shm_allocation allocation = {.client_id = 3, .server_id = 9};
	w.user = dir_put_user(w.seg, &user);
	w.key = dir_put_key(w.seg, &key);
	w.server = dir_put_server(w.seg, &server);
	w.allocation = dir_put_allocation(w.seg, &allocation);
	w.client = dir_put_client(w.seg, &client);
}

static void load_work(void)
{
	struct shm_call details = {.number = "123"};
	struct shm_window entry = {.entry_id = 2, .client_id = 3, .number = "124"};
	w.slot = call_take(&w.calls, &(struct call_identity){1, 3, 9, 1}, &details);
	w.waiting = window_put(&w.window, &entry);
	atomic_store(&w.client->usage.channels, 1);
	atomic_store(&w.client->usage.waiting, 1);
	atomic_store(&w.server->usage.channels, 1);
	atomic_store(&w.allocation->usage.channels, 1);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		struct event event = {EVENT_call_started, 3, seq, 0, "{}", 2};
		(void)!event_publish(w.seg, &event, &w.last_event);
	}
	(void)tenant_changed(w.seg, 3);
}

static int open_world(void **state)
{
	if (rig_open(state) != 0)
		return -1;
	w = (struct world){.rig = *state};
	w.seg = &w.rig->seg;
	(void)segment_begin_epoch(w.seg);
	call_table_open(&w.calls, w.seg);
	window_table_open(&w.window, w.seg);
	load_directory();
	load_work();
	segment_set_ready(w.seg, true);
	segment_beat(w.seg, clock_mono_us());
	return 0;
}

static int close_world(void **state)
{
	call_table_close(&w.calls);
	window_table_close(&w.window);
	return rig_close(state);
}

struct report {
	uint32_t n;
	char invariants[256];
	char text[256]; /* of the first */
};

static void note(void *arg, const char *invariant, const char *text)
{
	struct report *report = arg;
	size_t used = strlen(report->invariants);
	if (report->n++ == 0)
		(void)snprintf(report->text, sizeof(report->text), "%s", text);
	(void)snprintf(
		report->invariants + used, sizeof(report->invariants) - used, "%s ", invariant);
}

/* Exactly this rule is broken, and the text names the thing. */
static void assert_broken(const char *invariant, const char *what)
{
	struct report report = {0};
	char expected[32];
	segment_beat(w.seg, clock_mono_us());
	uint32_t findings = shm_check(w.seg, note, &report);
	assert_int_equal(findings, report.n);
	(void)snprintf(expected, sizeof(expected), "%s ", invariant);
	if (report.n == 0)
		fail_msg("%s: nothing was found", invariant);
	for (const char *at = report.invariants; *at; at += strlen(expected))
		if (strncmp(at, expected, strlen(expected)) != 0)
			fail_msg("%s was expected, found: %s(%s)", invariant, report.invariants,
				report.text);
	if (!strstr(report.text, what))
		fail_msg("\"%s\" does not name %s", report.text, what);
}

static void test_a_sound_segment_has_no_findings(void **state)
{
	(void)state;
	struct report report = {0};
	assert_int_equal(shm_check(w.seg, note, &report), 0);
	struct segment reader;
	rig_reader(w.rig, &reader);
	assert_int_equal(shm_check(&reader, note, &report), 0);
	segment_close(&reader);
	assert_int_equal(report.n, 0);
}

static void test_a_segment_not_attached_has_no_findings(void **state)
{
	(void)state;
	struct segment nothing;
	struct report report = {0};
	assert_true(segment_init(&nothing, "unit-none", NULL));
	assert_int_equal(shm_check(&nothing, note, &report), 0);
}

static void test_finds_a_changed_header(void **state)
{
	(void)state;
	object_header(&w.seg->map[SHM_STATE])->counts[1]++;
	assert_broken("INV-1", ".state");
}

static void test_finds_a_retired_object(void **state)
{
	(void)state;
	atomic_store(&object_header(&w.seg->map[SHM_EV])->state, SHM_RETIRED);
	assert_broken("INV-1", ".ev");
}

static void test_finds_a_lost_name(void **state)
{
	(void)state;
	char name[SEGMENT_NAME_BYTES];
	segment_name(w.rig->conf.common_node, SHM_EV, name);
	assert_int_equal(shm_unlink(name), 0);
	assert_broken("INV-2", ".ev");
}

static void test_finds_rows_left_odd(void **state)
{
	(void)state;
	struct shm_row *const rows[] = {&w.user->row, &w.key->row, &w.server->error_row,
		&w.allocation->row, &seg_calls(w.seg, NULL)[5].row,
		&seg_window(w.seg, NULL)[5].row};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		row_write_begin(rows[i]);
		assert_broken("INV-3", "row");
		row_write_end(rows[i]);
	}
}

static void test_finds_a_row_in_the_wrong_place(void **state)
{
	(void)state;
	uint32_t n;
	struct shm_key_row *rows = seg_keys(w.seg, &n);
	struct shm_key_row *twin = &rows[((uint32_t)(w.key - rows) + n / 2) % n];
	*twin = *w.key;
	assert_broken("INV-4", "keys row");
	memset(twin, 0, sizeof(*twin));
	w.key->data.digest.b[0] ^= 1;
	assert_broken("INV-4", "keys row");
}

static void test_finds_fields_out_of_range(void **state)
{
	(void)state;
	struct shm_client client = w.client->data;
	memset(w.client->data.name, 'x', sizeof(client.name));
	assert_broken("INV-5", "clients row");
	w.client->data = client;
	w.client->data.status = CLIENT_STATUS__N;
	assert_broken("INV-5", "clients row");
	w.client->data = client;
	w.client->data.weight = 0;
	assert_broken("INV-5", "clients row");
	w.client->data = client;
	w.server->data.port = 65536;
	assert_broken("INV-5", "servers row");
	w.server->data.port = 5038;
	atomic_store(&w.server->ami.state, AMI_STATE__N);
	assert_broken("INV-5", "servers row");
}

static void test_finds_references_to_nothing(void **state)
{
	(void)state;
	w.key->data.client_id = 4;
	assert_broken("INV-6", "key 30: client 4");
	w.key->data.client_id = 3;
	w.user->data.client_id = 4;
	assert_broken("INV-6", "user 70: client 4");
	w.user->data.client_id = 3;
	assert_true(dir_remove_server(w.seg, 9));
	assert_broken("INV-6", "server 9");
}

static void test_finds_calls_that_cannot_be(void **state)
{
	(void)state;
	struct shm_call_head *head = &seg_call_heads(w.seg, NULL)[w.slot];
	head->n = 0;
	assert_broken("INV-7", "call slot");
	head->n = 1;
	atomic_store(&head->state, CALL_STATE__N);
	atomic_store(&w.client->usage.channels, 0);
	atomic_store(&w.server->usage.channels, 0);
	atomic_store(&w.allocation->usage.channels, 0);
	assert_broken("INV-7", "call slot");
}

static void test_finds_an_entry_in_two_slots(void **state)
{
	(void)state;
	struct shm_call details = {0};
	uint32_t slot = call_take(&w.calls, &(struct call_identity){1, 3, 9, 2}, &details);
	call_state_set(w.seg, slot, CALL_ENDED);
	assert_broken("INV-7", "entry 1");
}

static void test_finds_grants_that_no_slot_holds(void **state)
{
	(void)state;
	_Atomic uint32_t *const words[] = {&w.client->usage.channels, &w.server->usage.channels,
		&w.allocation->usage.channels};
	const char *const names[] = {"client 3", "server 9", "allocations row"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		atomic_store(words[i], 2);
		assert_broken("INV-8", names[i]);
		atomic_store(words[i], 1);
	}
	call_release(&w.calls, w.slot);
	assert_broken("INV-8", "says 1, but 0 are counted");
}

static void test_grants_of_a_dead_dispatcher_are_not_judged(void **state)
{
	(void)state;
	struct report report = {0};
	atomic_store(&w.client->usage.channels, 2);
	segment_set_ready(w.seg, false);
	assert_int_equal(shm_check(w.seg, note, &report), 0);
}

static void test_finds_submit_words_that_cannot_be(void **state)
{
	(void)state;
	atomic_store(&seg_heads(w.seg, NULL)[2].head, 7);
	assert_broken("INV-9", "worker slot 2");
	atomic_store(&seg_heads(w.seg, NULL)[2].head, 0);
	atomic_store(&seg_workers(w.seg, NULL)[1].pool, 9);
	assert_broken("INV-9", "there is no pool 9");
}

static void test_finds_waiting_entries_that_cannot_be(void **state)
{
	(void)state;
	struct shm_window *row = &seg_window(w.seg, NULL)[w.waiting];
	row->gate = 99;
	assert_broken("INV-10", "window row");
	row->gate = 0;
	atomic_store(&w.client->usage.waiting, 2);
	assert_broken("INV-10", "waiting of client 3");
	struct shm_window twin = *row;
	(void)window_put(&w.window, &twin);
	assert_broken("INV-10", "entry 2");
}

static struct shm_event *event_record(uint64_t position)
{
	uint32_t n;
	uint64_t *words = seg_ring(w.seg, &n);
	return (struct shm_event *)(void *)&words[position / 8 % n];
}

static void test_finds_damage_in_the_event_ring(void **state)
{
	(void)state;
	struct shm_event *last = event_record(w.last_event), good = *last;
	last->index = 77;
	assert_broken("INV-11", "event 2");
	*last = good;
	last->bytes = 4;
	assert_broken("INV-11", "event 2");
	*last = good;
	last->type = 999;
	assert_broken("INV-11", "event 2");
	*last = good;
	last->seq = 1;
	assert_broken("INV-11", "seq 1 of client 3 follows 2");
	*last = good;
	last->previous = last->position;
	assert_broken("INV-11", "event 2");
}

static void test_finds_a_client_with_two_rows_of_words(void **state)
{
	(void)state;
	uint32_t n;
	struct shm_tenant *tenants = seg_tenants(w.seg, &n);
	struct shm_tenant *words = tenant_find(w.seg, 3, false);
	atomic_store(&tenants[((uint32_t)(words - tenants) + n / 2) % n].client_id, 3);
	assert_broken("INV-12", "tenants row");
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_sound_segment_has_no_findings),
		cmocka_unit_test(test_a_segment_not_attached_has_no_findings),
		WORLD_TEST(test_finds_a_changed_header),
		WORLD_TEST(test_finds_a_retired_object),
		WORLD_TEST(test_finds_a_lost_name),
		WORLD_TEST(test_finds_rows_left_odd),
		WORLD_TEST(test_finds_a_row_in_the_wrong_place),
		WORLD_TEST(test_finds_fields_out_of_range),
		WORLD_TEST(test_finds_references_to_nothing),
		WORLD_TEST(test_finds_calls_that_cannot_be),
		WORLD_TEST(test_finds_an_entry_in_two_slots),
		WORLD_TEST(test_finds_grants_that_no_slot_holds),
		WORLD_TEST(test_grants_of_a_dead_dispatcher_are_not_judged),
		WORLD_TEST(test_finds_submit_words_that_cannot_be),
		WORLD_TEST(test_finds_waiting_entries_that_cannot_be),
		WORLD_TEST(test_finds_damage_in_the_event_ring),
		WORLD_TEST(test_finds_a_client_with_two_rows_of_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
