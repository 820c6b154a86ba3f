/* courier/host and courier/backoff: who is left alone for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "common/clock.h"
#include "courier/backoff.h"
#include "courier/host.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static const struct host_limits limits = {.per_host = 8, .total = 100};

static void a_host_has_no_more_than_its_share(void **state)
{
	struct host host = {.flying = 7};

	(void)state;
	assert_true(host_may_send(&host, &limits, 20, 0));
	host.flying = 8;
	assert_false(host_may_send(&host, &limits, 20, 0));
	/* Half of all is taken: who has something under way waits. */
	host.flying = 1;
	assert_true(host_may_send(&host, &limits, 49, 0));
	assert_false(host_may_send(&host, &limits, 50, 0));
	host.flying = 0;
	assert_true(host_may_send(&host, &limits, 99, 0));
	assert_false(host_may_send(&host, &limits, 100, 0));
}

static void failures_in_a_row_open_the_circuit_and_one_probe_closes_it(void **state)
{
	struct host host = {.flying = 0};

	(void)state;
	for (int i = 0; i < 4; i++)
		host_failed(&host, 0, 0);
	host_answered(&host);
	for (int i = 0; i < 4; i++)
		host_failed(&host, 0, 0);
	assert_false(host_is_open(&host));
	host_failed(&host, 0, 0);
	assert_true(host_is_open(&host));
	assert_false(host_may_send(&host, &limits, 0, 0));
	int64_t at = host_next_us(&host, 0);
	assert_in_range(at, US_PER_S / 2, US_PER_S);
	assert_true(host_may_send(&host, &limits, 0, at));
	assert_int_equal(host_next_us(&host, at), INT64_MAX);
	host.flying = 1;
	assert_false(host_may_send(&host, &limits, 1, at));
	host_answered(&host);
	assert_true(host_may_send(&host, &limits, 1, at));
}

static void pauses_double_to_five_minutes_and_late_failures_do_not_count(void **state)
{
	struct host host = {.flying = 0};
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		host_failed(&host, now, UINT32_MAX);
	for (int64_t pause = US_PER_S; pause < 1000 * US_PER_S; pause *= 2) {
		int64_t longest = MIN(pause, 300 * US_PER_S);
		assert_in_range(host.open_until_us - now, longest / 2, longest);
		int64_t until = host.open_until_us;
		host_failed(&host, now, 0); /* was under way when it opened */
		assert_int_equal(host.open_until_us, until);
		now = until;
		host_failed(&host, now, UINT32_MAX);
	}
}

static void pauses_of_a_delivery_grow_to_six_hours_and_are_spread(void **state)
{
	static const int64_t seconds[] = {10, 60, 300, 1800, 7200, 21600, 21600};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(seconds); i++) {
		int64_t low = INT64_MAX, high = 0;
		for (uint32_t noise = 0; noise < 1000; noise++) {
			int64_t us = backoff_us(i + 1, 10 * US_PER_S, noise * 2654435761U);
			low = MIN(low, us);
			high = MAX(high, us);
		}
		assert_in_range(low, seconds[i] * US_PER_S * 9 / 10, seconds[i] * US_PER_S);
		assert_in_range(high, seconds[i] * US_PER_S, seconds[i] * US_PER_S * 11 / 10);
	}
	assert_true(backoff_us(0, 10, 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_has_no_more_than_its_share),
		cmocka_unit_test(failures_in_a_row_open_the_circuit_and_one_probe_closes_it),
		cmocka_unit_test(pauses_double_to_five_minutes_and_late_failures_do_not_count),
		cmocka_unit_test(pauses_of_a_delivery_grow_to_six_hours_and_are_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
