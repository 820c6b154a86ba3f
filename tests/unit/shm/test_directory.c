/* The directory and what a client sees of it. */
#include "shm/directory.h"
#include "shm/tenant.h"
#include "shm/view.h"
#include "tests/unit/shm/rig.h"

static struct shm_client client_of(uint64_t id)
{
	struct shm_client client = {.id = id, .weight = 1, .is_active = 1};
	(void)snprintf(client.name, sizeof(client.name), "client %llu", (unsigned long long)id);
	return client;
}

static struct shm_server server_of(uint64_t id)
{
	struct shm_server server = {.id = id, .allowed_active_calls = 10};
	(void)snprintf(
		server.server_code, sizeof(server.server_code), "srv-%llu", (unsigned long long)id);
	return server;
}

static struct digest digest_for(uint64_t n)
{
	return digest_of((struct str){(const char *)&n, sizeof(n)});
}

static struct shm_key key_of(uint64_t id, uint64_t client_id)
{
	return (struct shm_key){.id = id, .client_id = client_id, .digest = digest_for(id)};
}

static void allocate(struct rig *rig, uint64_t client_id, uint64_t server_id, uint32_t channels)
{
	struct shm_allocation a = {
		.client_id = client_id, .server_id = server_id, .allowed_active_calls = channels};
	assert_non_null(dir_put_allocation(&rig->seg, &a));
}

static void test_finds_what_was_put(void **state)
{
	struct rig *rig = *state;
	struct shm_client client = client_of(3), found;
	assert_false(dir_client(&rig->seg, 3, &found));
	assert_non_null(dir_put_client(&rig->seg, &client));
	assert_true(dir_client(&rig->seg, 3, &found));
	assert_memory_equal(&client, &found, sizeof(client));
	assert_false(dir_client(&rig->seg, 4, &found));
	assert_true(dir_remove_client(&rig->seg, 3));
	assert_false(dir_client(&rig->seg, 3, &found));
	assert_false(dir_remove_client(&rig->seg, 3));
}

static void test_another_put_keeps_row_and_usage(void **state)
{
	struct rig *rig = *state;
	struct shm_client client = client_of(3), found;
	struct shm_client_row *row = dir_put_client(&rig->seg, &client);
	atomic_store(&row->usage.channels, 17);
	client.rate_limit = 99;
	assert_ptr_equal(dir_put_client(&rig->seg, &client), row);
	assert_int_equal(atomic_load(&row->usage.channels), 17);
	assert_true(dir_client(&rig->seg, 3, &found));
	assert_int_equal(found.rate_limit, 99);
}

static void test_a_new_row_inherits_nothing(void **state)
{
	struct rig *rig = *state;
	struct shm_server server = server_of(3);
	struct server_facts facts;
	struct shm_server_row *row = dir_put_server(&rig->seg, &server);
	atomic_store(&row->usage.channels, 17);
	atomic_store(&row->ami.state, AMI_UP);
	dir_server_error(row, "connection refused", 5);
	assert_true(dir_server_facts(&rig->seg, 3, &facts));
	assert_string_equal(facts.error.text, "connection refused");
	assert_int_equal(facts.ami.state, AMI_UP);
	assert_true(dir_remove_server(&rig->seg, 3));
	assert_ptr_equal(dir_put_server(&rig->seg, &server), row);
	assert_true(dir_server_facts(&rig->seg, 3, &facts));
	assert_int_equal(facts.usage.channels, 0);
	assert_int_equal(facts.ami.state, AMI_DOWN);
	assert_string_equal(facts.error.text, "");
}

static void test_a_long_error_is_cut_but_ends(void **state)
{
	struct rig *rig = *state;
	struct shm_server server = server_of(3);
	struct server_facts facts;
	char text[500];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	dir_server_error(dir_put_server(&rig->seg, &server), text, 5);
	assert_true(dir_server_facts(&rig->seg, 3, &facts));
	assert_int_equal(strlen(facts.error.text), sizeof(facts.error.text) - 1);
}

static void test_a_full_table_takes_no_more(void **state)
{
	struct rig *rig = *state;
	uint32_t n;
	(void)seg_clients(&rig->seg, &n);
	struct shm_client client, found;
	for (uint64_t id = 1; id <= n; id++) {
		client = client_of(id);
		assert_non_null(dir_put_client(&rig->seg, &client));
	}
	client = client_of(n + 1);
	assert_null(dir_put_client(&rig->seg, &client));
	for (uint64_t id = 1; id <= n; id++)
		assert_true(dir_client(&rig->seg, id, &found));
	assert_false(dir_client(&rig->seg, n + 1, &found));
	assert_true(dir_remove_client(&rig->seg, 5));
	assert_non_null(dir_put_client(&rig->seg, &client));
}

/* Against a plain array: any order of puts and removals ends in the same set. */
static void test_agrees_with_a_plain_set_over_many_changes(void **state)
{
	struct rig *rig = *state;
	enum { IDS = 24, STEPS = 20000 };
	bool present[IDS] = {false};
	uint32_t used = 0, n, seed = 12345;
	(void)seg_servers(&rig->seg, &n);
	for (int step = 0; step < STEPS; step++) {
		seed = seed * 1103515245 + 12345;
		uint32_t i = (seed >> 8) % IDS;
		struct shm_server server = server_of(i + 1), found;
		if ((seed >> 20) % 2) {
			bool room = present[i] || used < n;
			assert_true((dir_put_server(&rig->seg, &server) != NULL) == room);
			used += room && !present[i];
			present[i] = room;
		} else {
			assert_true(dir_remove_server(&rig->seg, i + 1) == present[i]);
			used -= present[i];
			present[i] = false;
		}
		for (uint32_t k = 0; k < IDS && step % 16 == 0; k++)
			assert_true(dir_server(&rig->seg, k + 1, &found) == present[k]);
	}
	for (uint32_t i = 0; i < IDS; i++)
		(void)dir_remove_server(&rig->seg, i + 1);
	for (uint32_t i = 0; i < n; i++) /* what is GONE became FREE again, or is about to */
		assert_true(dir_is_in_place(&rig->seg, SHM_TABLE_servers, i));
}

static void test_removals_leave_no_gone_rows_at_the_end_of_a_run(void **state)
{
	struct rig *rig = *state;
	uint32_t n, gone = 0;
	const struct shm_server_row *rows = seg_servers(&rig->seg, &n);
	for (uint64_t id = 1; id <= 8; id++) {
		struct shm_server server = server_of(id);
		assert_non_null(dir_put_server(&rig->seg, &server));
	}
	for (uint64_t id = 1; id <= 8; id++)
		assert_true(dir_remove_server(&rig->seg, id));
	for (uint32_t i = 0; i < n; i++)
		gone += atomic_load(&rows[i].row.used) != ROW_FREE;
	assert_int_equal(gone, 0);
}

static void test_a_row_left_odd_is_not_certain(void **state)
{
	struct rig *rig = *state;
	struct shm_client client = client_of(3), found;
	struct shm_client_row *row = dir_put_client(&rig->seg, &client);
	row_write_begin(&row->row);
	assert_false(dir_client(&rig->seg, 3, &found));
	assert_ptr_equal(dir_put_client(&rig->seg, &client), row);
	assert_true(dir_client(&rig->seg, 3, &found));
}

/* ---- identity ---- */

static void load(struct rig *rig, uint64_t client_id, uint64_t key_id)
{
	struct shm_client client = client_of(client_id);
	struct shm_key key = key_of(key_id, client_id);
	assert_true(tenant_generation(&rig->seg, client_id, &client.generation));
	assert_non_null(dir_put_key(&rig->seg, &key));
	assert_non_null(dir_put_client(&rig->seg, &client));
}

static void test_a_key_leads_to_its_client(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct shm_key key;
	struct shm_client client;
	struct digest digest = digest_for(100), other = digest_for(101);
	load(rig, 3, 100);
	rig_worker(rig, &worker);
	assert_true(dir_identify(&worker, &digest, &key, &client));
	assert_int_equal(key.id, 100);
	assert_int_equal(client.id, 3);
	assert_false(dir_identify(&worker, &other, &key, &client));
	segment_close(&worker);
}

static void load_user(struct rig *rig, const struct shm_user *user)
{
	struct shm_client client = client_of(user->client_id);
	assert_true(tenant_generation(&rig->seg, user->client_id, &client.generation));
	assert_non_null(dir_put_user(&rig->seg, user));
	assert_non_null(dir_put_client(&rig->seg, &client));
}

static enum dir_session session_of(
	const struct rig *rig, uint64_t user, uint64_t session, uint64_t version, int64_t issued_s)
{
	const struct jwt_claims token = {
		.user_id = user, .session_id = session, .version = version, .issued_s = issued_s};
	struct shm_client client;
	enum dir_session found = dir_session(&rig->seg, &token, &client);
	if (found == DIR_SESSION_GOOD)
		assert_int_equal(client.id, 3);
	return found;
}

static void test_a_session_goes_on_until_it_ends(void **state)
{
	struct rig *rig = *state;
	struct shm_user user = {.id = 70, .client_id = 3, .version = 2, .ended = {12, 11}};
	load_user(rig, &user);
	assert_int_equal(session_of(rig, 70, 10, 2, 1000), DIR_SESSION_GOOD);
	assert_int_equal(session_of(rig, 70, 11, 2, 1000), DIR_SESSION_ENDED);
	assert_int_equal(session_of(rig, 70, 12, 2, 1000), DIR_SESSION_ENDED);
	assert_int_equal(session_of(rig, 70, 10, 1, 1000), DIR_SESSION_ENDED);
	assert_int_equal(
		session_of(rig, 70, 10, 3, 1000), DIR_SESSION_UNSURE); /* newer than the row */
	assert_int_equal(session_of(rig, 71, 10, 2, 1000), DIR_SESSION_UNSURE);
	assert_true(dir_remove_user(&rig->seg, 70));
	assert_int_equal(session_of(rig, 70, 10, 2, 1000), DIR_SESSION_UNSURE);
}

static void test_more_ended_sessions_than_a_row_holds_make_old_tokens_unsure(void **state)
{
	struct rig *rig = *state;
	struct shm_user user = {.id = 70,
		.client_id = 3,
		.version = 1,
		.ended = {4, 3, 2, 1},
		.unsure_until_us = 5000 * US_PER_S,
		.unsure_up_to_id = 9};
	load_user(rig, &user);
	assert_int_equal(session_of(rig, 70, 10, 1, 1000), DIR_SESSION_GOOD);
	assert_int_equal(session_of(rig, 70, 4, 1, 1000), DIR_SESSION_ENDED);
	assert_int_equal(session_of(rig, 70, 9, 1, 1000), DIR_SESSION_OUTDATED);
	assert_int_equal(session_of(rig, 70, 9, 1, 5000), DIR_SESSION_OUTDATED);
	assert_int_equal(session_of(rig, 70, 9, 1, 5001), DIR_SESSION_UNSURE);
	assert_int_equal(session_of(rig, 70, 9, 1, 5000 + JWT_LEEWAY_S), DIR_SESSION_UNSURE);
	assert_int_equal(session_of(rig, 70, 9, 1, 5001 + JWT_LEEWAY_S), DIR_SESSION_GOOD);
}

static void test_a_change_voids_every_session_until_it_is_read_again(void **state)
{
	struct rig *rig = *state;
	struct shm_user user = {.id = 70, .client_id = 3, .version = 1};
	load_user(rig, &user);
	assert_true(tenant_changed(&rig->seg, 3));
	assert_int_equal(session_of(rig, 70, 10, 1, 1000), DIR_SESSION_UNSURE);
	user.version = 2;
	load_user(rig, &user);
	assert_int_equal(session_of(rig, 70, 10, 1, 1000), DIR_SESSION_ENDED);
	assert_int_equal(session_of(rig, 70, 10, 2, 1000), DIR_SESSION_GOOD);
}

static void test_a_change_voids_the_client_until_it_is_read_again(void **state)
{
	struct rig *rig = *state;
	struct segment worker;
	struct shm_key key;
	struct shm_client client;
	struct digest digest = digest_for(100), unchanged = digest_for(200);
	load(rig, 3, 100);
	load(rig, 4, 200);
	rig_worker(rig, &worker);
	assert_true(tenant_changed(&worker, 3));
	assert_false(dir_identify(&worker, &digest, &key, &client));
	assert_true(dir_identify(&worker, &unchanged, &key, &client));
	load(rig, 3, 100);
	assert_true(dir_identify(&worker, &digest, &key, &client));
	assert_true(dir_remove_key(&rig->seg, &digest));
	assert_false(dir_identify(&worker, &digest, &key, &client));
	segment_close(&worker);
}

static void test_without_in_nothing_is_current(void **state)
{
	struct rig *rig = *state;
	struct segment reader;
	struct shm_client client;
	load(rig, 3, 100);
	rig_reader(rig, &reader);
	assert_true(dir_client(&reader, 3, &client));
	assert_false(dir_current(&reader, &client));
	segment_close(&reader);
}

/* ---- views ---- */

static uint64_t servers_seen(const struct segment *seg, uint64_t client_id)
{
	struct view view = view_of(seg, client_id);
	struct view_allocation row;
	uint64_t seen = 0;
	for (uint32_t at = 0; view_next_allocation(&view, &at, &row);) {
		assert_int_equal(row.allocation.client_id, client_id);
		assert_int_equal(row.allocation.server_id, row.server.server.id);
		assert_false(seen & 1U << row.server.server.id);
		seen |= 1U << row.server.server.id;
	}
	return seen;
}

static void test_a_view_shows_the_clients_own_allocations(void **state)
{
	struct rig *rig = *state;
	for (uint64_t id = 1; id <= 5; id++) {
		struct shm_server server = server_of(id);
		assert_non_null(dir_put_server(&rig->seg, &server));
	}
	for (uint64_t client_id = 1; client_id <= 8; client_id++)
		for (uint64_t server_id = 1; server_id <= 3; server_id++)
			allocate(rig, client_id, server_id + client_id % 3, 5);
	for (uint64_t client_id = 1; client_id <= 8; client_id++)
		assert_int_equal(servers_seen(&rig->seg, client_id), 0xe << client_id % 3);
	assert_int_equal(servers_seen(&rig->seg, 99), 0);

	assert_true(dir_remove_allocation(&rig->seg, 3, 2));
	assert_int_equal(servers_seen(&rig->seg, 3), 0xa);
	assert_true(dir_remove_server(&rig->seg, 1)); /* unusable: not shown */
	assert_int_equal(servers_seen(&rig->seg, 3), 0x8);
	assert_int_equal(servers_seen(&rig->seg, 4), 0xe << 1);
}

static void test_a_view_of_a_client_has_its_usage(void **state)
{
	struct rig *rig = *state;
	struct shm_client client = client_of(3);
	struct client_facts facts;
	struct view view = view_of(&rig->seg, 3);
	assert_false(view_client(&view, &facts));
	atomic_store(&dir_put_client(&rig->seg, &client)->usage.waiting, 6);
	assert_true(view_client(&view, &facts));
	assert_int_equal(facts.usage.waiting, 6);
	assert_string_equal(facts.client.name, "client 3");
}

static void test_views_of_a_detached_segment_are_empty(void **state)
{
	struct rig *rig = *state;
	struct segment nothing;
	struct client_facts facts;
	struct shm_call_view call;
	struct shm_window waiting;
	struct err err;
	uint32_t at = 0;
	assert_ok(segment_init(&nothing, rig->conf.common_node, &err), &err);
	struct view view = view_of(&nothing, 3);
	assert_false(view_client(&view, &facts));
	assert_int_equal(servers_seen(&nothing, 3), 0);
	assert_false(view_next_call(&view, &at, &call));
	assert_false(view_next_waiting(&view, &at, &waiting));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_finds_what_was_put),
		RIG_TEST(test_another_put_keeps_row_and_usage),
		RIG_TEST(test_a_new_row_inherits_nothing),
		RIG_TEST(test_a_long_error_is_cut_but_ends),
		RIG_TEST(test_a_full_table_takes_no_more),
		RIG_TEST(test_agrees_with_a_plain_set_over_many_changes),
		RIG_TEST(test_removals_leave_no_gone_rows_at_the_end_of_a_run),
		RIG_TEST(test_a_row_left_odd_is_not_certain),
		RIG_TEST(test_a_key_leads_to_its_client),
		RIG_TEST(test_a_session_goes_on_until_it_ends),
		RIG_TEST(test_more_ended_sessions_than_a_row_holds_make_old_tokens_unsure),
		RIG_TEST(test_a_change_voids_every_session_until_it_is_read_again),
		RIG_TEST(test_a_change_voids_the_client_until_it_is_read_again),
		RIG_TEST(test_without_in_nothing_is_current),
		RIG_TEST(test_a_view_shows_the_clients_own_allocations),
		RIG_TEST(test_a_view_of_a_client_has_its_usage),
		RIG_TEST(test_views_of_a_detached_segment_are_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
