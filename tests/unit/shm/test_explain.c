/* What explaining says, over rows of a real segment: each gate that shuts, alone, with its figures and moments; also those
 * that no door can shut yet (tests/system/test_explain.py has the others). */
#include "shm/explain.h"
#include "tests/unit/shm/rig.h"

#define NOW (1700000000 * US_PER_S) /* 2023-11-14T22:13:20Z */

/* A client that may call on one server, and an entry of it that may be called. */
struct world {
	struct segment *seg;
	struct shm_client client;
	struct shm_allocation share;
	struct shm_server server;
	struct explain_entry entry;
	struct shm_client_row *client_row;
	struct shm_server_row *server_row;
	struct shm_allocation_row *share_row;
};

static struct world make(void **state)
{
	struct rig *rig = *state;
	struct world w = {
		.seg = &rig->seg,
		.client = {.id = 1,
			.is_active = 1,
			.allocated_channels = 10,
			.rate_limit = 100,
			.window_close_us = INT64_MAX},
		.share = {.client_id = 1,
			.server_id = 2,
			.allowed_active_calls = 10,
			.rate_limit = 100},
		.server = {.id = 2,
			.server_code = "ast1",
			.allowed_active_calls = 10,
			.rate_limit = 100},
		.entry = {.is_number = true, .region = "IN", .gate = {.dispatched = true}},
	};
	w.client_row = dir_put_client(w.seg, &w.client);
	w.server_row = dir_put_server(w.seg, &w.server);
	w.share_row = dir_put_allocation(w.seg, &w.share);
	w.server_row->ami.state = AMI_UP;
	w.server_row->ami.window = 20;
	return w;
}

/* How many gates are shut. */
static unsigned shut(const struct explain *ex)
{
	struct explained gates[GATE__N];
	struct explained_server server;
	unsigned n = 0;
	uint32_t asked = explain_gates(ex, gates);
	for (uint32_t i = 0; i < asked; i++)
		n += gates[i].blocks;
	for (uint32_t at = 0; explain_next_server(ex, &at, &server);)
		for (uint32_t i = 0; i < server.n; i++)
			n += server.gates[i].blocks;
	return n;
}

static struct explained only(struct world *w, enum gate gate)
{
	struct view view = view_of(w->seg, 1);
	struct explained verdict;
	struct explain ex;
	assert_true(explain_begin(&ex, &view, NOW, &w->entry));
	assert_true(explain_verdict(&ex, &verdict));
	assert_string_equal(gate_texts[verdict.gate].name, gate_texts[gate].name);
	assert_int_equal(shut(&ex), 1);
	return verdict;
}

static void test_an_open_way(void **state)
{
	struct world w = make(state);
	struct view view = view_of(w.seg, 1);
	struct explained verdict;
	struct explain ex;
	assert_true(explain_begin(&ex, &view, NOW, &w.entry));
	assert_false(explain_verdict(&ex, &verdict));
	assert_int_equal(verdict.gate, GATE_NONE);
	assert_int_equal(shut(&ex), 0);
	view = view_of(w.seg, 3);
	assert_false(explain_begin(&ex, &view, NOW, NULL));
}

static void test_what_stands_with_the_entry(void **state)
{
	struct world w = make(state);
	const struct gate_entry open = w.entry.gate;
	struct explained v;

	w.entry.gate.canceled = true;
	w.entry.canceled_us = NOW - 5;
	assert_true(only(&w, GATE_canceled).since_us == NOW - 5);
	w.entry.gate = open;
	w.entry.gate.starts_us = NOW + 60 * US_PER_S;
	v = only(&w, GATE_not_started);
	assert_true(v.next_us == NOW + 60 * US_PER_S);
	assert_string_equal(v.detail, "the batch starts at 2023-11-14T22:14:20Z");
	w.entry.gate = open;
	w.entry.gate.expires_us = NOW;
	v = only(&w, GATE_expired);
	assert_int_equal(v.next_us, 0);
	assert_string_equal(v.detail, "the time of the batch was over at 2023-11-14T22:13:20Z");
	w.entry.gate = open;
	w.entry.gate.dnc = true;
	assert_string_equal(only(&w, GATE_dnc).detail, gate_texts[GATE_dnc].sentence);
	memcpy(w.entry.list, "batch", sizeof("batch"));
	assert_string_equal(
		only(&w, GATE_dnc).detail, "the number is on the batch's do-not-call list");
	w.entry.gate = open;
	w.entry.gate.number_denied = true;
	assert_string_equal(
		only(&w, GATE_number_denied).detail, gate_texts[GATE_number_denied].sentence);
	w.entry.gate = open;
	w.entry.gate.did_denied = true;
	assert_string_equal(only(&w, GATE_did_denied).detail, gate_texts[GATE_did_denied].sentence);
	w.entry.gate = open;
	w.entry.gate.due_us = NOW + US_PER_S;
	v = only(&w, GATE_retry_wait);
	assert_true(v.next_us == NOW + US_PER_S);
	assert_string_equal(v.detail, "the next attempt is due at 2023-11-14T22:13:21Z");
}

static void test_a_batch_is_not_asked_about_numbers(void **state)
{
	struct world w = make(state);
	struct view view = view_of(w.seg, 1);
	struct explained gates[GATE__N];
	struct explain ex;
	w.entry.is_number = false;
	assert_true(explain_begin(&ex, &view, NOW, &w.entry));
	uint32_t batch = explain_gates(&ex, gates);
	for (uint32_t i = 0; i < batch; i++)
		assert_true(gate_texts[gates[i].gate].asks <= GATE_OF_BATCH);
	assert_true(explain_begin(&ex, &view, NOW, NULL));
	assert_true(explain_gates(&ex, gates) < batch);
}

static void test_since_when_is_what_the_dispatcher_noted(void **state)
{
	struct world w = make(state);
	w.client_row->usage.channels = 10;
	w.client_row->usage.gate = GATE_client_channels;
	w.client_row->usage.gate_us = NOW - 7;
	struct explained v = only(&w, GATE_client_channels);
	assert_true(v.since_us == NOW - 7);
	assert_string_equal(v.detail, "10 of 10 channels of the account in use");
	w.client_row->usage.gate = GATE_window_closed;
	assert_int_equal(only(&w, GATE_client_channels).since_us, 0);
}

static void test_figures_of_others_are_told_only_where_they_are_in_the_way(void **state)
{
	struct world w = make(state);
	struct view view = view_of(w.seg, 1);
	struct explained_server server;
	struct explain ex;
	uint32_t at = 0;

	w.server_row->usage.channels = 9;
	assert_true(explain_begin(&ex, &view, NOW, NULL));
	assert_true(explain_next_server(&ex, &at, &server));
	for (uint32_t i = 0; i < server.n; i++)
		if (gate_texts[server.gates[i].gate].asks == GATE_OF_SERVER)
			assert_string_equal(server.gates[i].detail, "");
	w.server_row->usage.channels = 10;
	assert_string_equal(
		only(&w, GATE_server_channels).detail, "10 of 10 channels in use on server ast1");
}

/* Of servers that are all shut, the one that opens first is the reason; one that is open lets the call through. */
static void test_of_several_servers(void **state)
{
	struct world w = make(state);
	struct view view = view_of(w.seg, 1);
	struct explained verdict;
	struct explain ex;
	w.server = (struct shm_server){
		.id = 3, .server_code = "ast2", .allowed_active_calls = 10, .rate_limit = 100};
	w.share.server_id = 3;
	struct shm_server_row *second = dir_put_server(w.seg, &w.server);
	(void)dir_put_allocation(w.seg, &w.share);
	assert_true(explain_begin(&ex, &view, NOW, NULL));
	assert_false(explain_verdict(&ex, &verdict)); /* ast2 is down, ast1 is not */
	w.server_row->usage.channels = 10;
	assert_true(explain_verdict(&ex, &verdict));
	second->ami.state = AMI_UP;
	second->health.breaker = BREAKER_OPEN;
	second->health.until_us = NOW + 9;
	assert_true(explain_verdict(&ex, &verdict));
	assert_int_equal(verdict.gate, GATE_server_breaker);
	assert_string_equal(verdict.server_code, "ast2");
	assert_true(verdict.next_us == NOW + 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_an_open_way),
		RIG_TEST(test_what_stands_with_the_entry),
		RIG_TEST(test_a_batch_is_not_asked_about_numbers),
		RIG_TEST(test_since_when_is_what_the_dispatcher_noted),
		RIG_TEST(test_figures_of_others_are_told_only_where_they_are_in_the_way),
		RIG_TEST(test_of_several_servers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
