/* Limits of a client, of an endpoint and of the system: counted together, told by the tightest. */
#include "common/clock.h"
#include "fcgi/limit.h"
#include "tests/unit/fcgi/request.h"
#include "tests/unit/shm/rig.h"

#include "common/base.h"

/* A worker with a segment of its own, and a request of some client's. */
struct world {
	struct rig *rig;
	struct app app;
	struct shm_client client;
	struct req req;
	struct reply reply;
	struct err err;
};

static const struct route reads = {.pool = ROUTE_FAST}, batches = {.pool = ROUTE_BULK},
			  calls = {.pool = ROUTE_CALL}, exports = {.pool = ROUTE_EXPORT};

static int open_world(void **state)
{
	static struct world w;
	void *rig;

	if (rig_open(&rig) != 0)
		return -1;
	w = (struct world){.rig = rig, .client = {.id = 7}, .reply = REPLY_INIT};
	w.app.conf = &w.rig->conf;
	w.app.segment = &w.rig->seg;
	w.rig->conf.api_requests_per_minute = 1000;
	*state = &w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	void *rig = w->rig;
	reply_free(&w->reply);
	return rig_close(&rig);
}

static bool ask(struct world *w, const struct route *route, int64_t now_us)
{
	w->req = (struct req){.route = route, .client = &w->client, .now_us = now_us};
	w->err = (struct err){.kind = ERR_NONE};
	reply_reset(&w->reply);
	return limit_take(&w->app, &w->req, &w->reply, &w->err);
}

static void assert_told(const struct world *w, unsigned limit, unsigned remaining)
{
	char text[128];
	(void)snprintf(text, sizeof(text),
		"X-RateLimit-Limit: %u\r\nX-RateLimit-Remaining: %u\r\n"
		"X-RateLimit-Reset: 1795338000\r\n",
		limit, remaining);
	assert_string_equal(w->reply.headers.p, text);
}

static void assert_refused(const struct world *w, const char *code)
{
	assert_int_equal(w->err.kind, ERR_LIMIT);
	assert_string_equal(w->err.code, code);
	assert_int_equal(w->err.retry_after_s, 10);
}

static void test_a_client_has_the_configurations_limit_or_its_own(void **state)
{
	struct world *w = *state;
	assert_true(ask(w, &reads, NOW_US));
	assert_told(w, 1000, 999);
	w->client = (struct shm_client){.id = 8, .requests_per_minute = 2};
	assert_true(ask(w, &reads, NOW_US));
	assert_told(w, 2, 1);
	assert_true(ask(w, &batches, NOW_US));
	assert_told(w, 2, 0);
	assert_false(ask(w, &reads, NOW_US));
	assert_told(w, 2, 0);
	assert_refused(w, "too_many_requests");
}

static void test_retry_after_suffices_and_no_second_less(void **state)
{
	struct world *w = *state;
	w->client.requests_per_minute = 1;
	assert_true(ask(w, &reads, NOW_US));
	assert_false(ask(w, &reads, NOW_US));
	int64_t waited = NOW_US + w->err.retry_after_s * US_PER_S;
	assert_false(ask(w, &reads, waited - US_PER_S));
	assert_true(ask(w, &reads, waited));
	/* In the last instant of a minute it is a whole second. */
	assert_false(ask(w, &reads, INT64_C(1795338060) * US_PER_S - 1));
	assert_int_equal(w->err.retry_after_s, 1);
}

static void test_the_tightest_is_told(void **state)
{
	struct world *w = *state;
	w->client.requests_per_minute = 4;
	w->rig->conf.api_inserts_per_minute = 2;
	w->rig->conf.api_exports_per_minute = 4;
	assert_true(ask(w, &batches, NOW_US));
	assert_told(w, 2, 1);
	assert_true(ask(w, &reads, NOW_US));
	assert_told(w, 4, 2);
	assert_true(ask(w, &exports, NOW_US));
	assert_told(w, 4, 1); /* of 4 exports 3 are left, of 4 requests 1 */
}

static void test_an_endpoint_that_is_full_leaves_the_others(void **state)
{
	struct world *w = *state;
	w->rig->conf.api_inserts_per_minute = 2;
	w->rig->conf.api_exports_per_minute = 1;
	assert_true(ask(w, &batches, NOW_US));
	assert_true(ask(w, &calls, NOW_US));
	assert_false(ask(w, &batches, NOW_US));
	assert_told(w, 2, 0);
	assert_refused(w, "too_many_inserts");
	assert_true(ask(w, &exports, NOW_US));
	assert_false(ask(w, &exports, NOW_US));
	assert_refused(w, "too_many_exports");
	/* What one refused was not counted by the other: this is the fourth. */
	assert_true(ask(w, &reads, NOW_US));
	assert_told(w, 1000, 996);
	w->client.id++;
	assert_true(ask(w, &batches, NOW_US));
}

static void test_all_clients_together(void **state)
{
	struct world *w = *state;
	w->rig->conf.api_total_requests_per_minute = 3;
	for (int i = 0; i < 3; i++) {
		w->client.id++;
		assert_true(ask(w, &reads, NOW_US));
		assert_told(w, 3, (unsigned)(2 - i));
	}
	assert_false(ask(w, &reads, NOW_US));
	assert_refused(w, "system_limit");
	assert_true(ask(w, &reads, NOW_US + 10 * US_PER_S));
}

static void test_without_a_segment_nothing_is_refused(void **state)
{
	struct world *w = *state;
	struct segment none;
	assert_ok(segment_init(&none, w->rig->conf.common_node, &w->err), &w->err);
	w->app.segment = &none;
	w->client.requests_per_minute = 1;
	w->rig->conf.api_total_requests_per_minute = 1;
	for (int i = 0; i < 3; i++)
		assert_true(ask(w, &reads, NOW_US));
	assert_told(w, 1, 0);
	segment_close(&none);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_client_has_the_configurations_limit_or_its_own),
		TEST(test_retry_after_suffices_and_no_second_less),
		TEST(test_the_tightest_is_told),
		TEST(test_an_endpoint_that_is_full_leaves_the_others),
		TEST(test_all_clients_together),
		TEST(test_without_a_segment_nothing_is_refused),
	};
	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
