/* The breaker: how many faults open it, for how long, and what proves that they are over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/clock.h"
#include "dispatcher/breaker.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

static const struct conf conf = {
	.dispatcher_breaker_refused = 3,
	.dispatcher_breaker_no_channel = 5,
	.dispatcher_breaker_silent = 2,
	.dispatcher_breaker_congested = 20,
};

static const enum breaker_proof proofs[FAULT__N] = {
	[FAULT_REFUSED] = PROOF_HEARD,
	[FAULT_NO_CHANNEL] = PROOF_CHANNEL,
	[FAULT_SILENT] = PROOF_HEARD,
	[FAULT_CONGESTED] = PROOF_THROUGH,
};

static void each_fault_has_a_threshold_of_its_own(void **state)
{
	(void)state;
	for (int fault = 0; fault < FAULT__N; fault++) {
		struct breaker b = {0};
		uint32_t threshold = breaker_threshold(&conf, (enum shm_fault)fault);
		assert_true(threshold > 1);
		for (uint32_t i = 1; i < threshold; i++)
			assert_false(breaker_fault(&b, &conf, (enum shm_fault)fault, i));
		assert_int_equal(b.state, BREAKER_CLOSED);
		assert_true(breaker_lets(&b, threshold));
		assert_true(breaker_fault(&b, &conf, (enum shm_fault)fault, threshold));
		assert_int_equal(b.state, BREAKER_OPEN);
		assert_int_equal(b.fault, fault);
		assert_int_equal(b.since_us, threshold);
		assert_false(breaker_lets(&b, threshold + US_PER_S - 1));
		assert_true(breaker_lets(&b, threshold + US_PER_S));
	}
}

static void only_faults_in_a_row_count(void **state)
{
	struct breaker b = {0};
	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_false(breaker_fault(&b, &conf, FAULT_REFUSED, i));
		assert_false(breaker_fault(&b, &conf, FAULT_REFUSED, i));
		assert_false(breaker_prove(&b, PROOF_HEARD, i));
	}
	/* What was accepted says nothing about channels. */
	for (int i = 1; i < 5; i++) {
		assert_false(breaker_fault(&b, &conf, FAULT_NO_CHANNEL, i));
		assert_false(breaker_prove(&b, PROOF_HEARD, i));
	}
	assert_true(breaker_fault(&b, &conf, FAULT_NO_CHANNEL, 5));
}

static void a_burst_counts_once_and_a_failed_trial_doubles_the_pause(void **state)
{
	static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 32, 32};
	struct breaker b = {0};
	int64_t now = 1000;
	(void)state;
	for (int i = 0; i < 3; i++)
		(void)breaker_fault(&b, &conf, FAULT_REFUSED, now);
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		assert_int_equal(b.until_us, now + seconds[i] * US_PER_S);
		assert_false(breaker_fault(&b, &conf, FAULT_REFUSED, b.until_us - 1));
		now = b.until_us;
		breaker_sent(&b, now);
		assert_int_equal(b.state, BREAKER_TRIAL);
		assert_false(breaker_lets(&b, now + US_PER_S)); /* one call, not two */
		now += US_PER_S;
		assert_true(breaker_fault(&b, &conf, FAULT_NO_CHANNEL, now)); /* of any kind */
		assert_int_equal(b.since_us, 1000);
	}
}

static void only_the_right_proof_closes_it(void **state)
{
	(void)state;
	for (int fault = 0; fault < FAULT__N; fault++)
		for (int proof = PROOF_HEARD; proof <= PROOF_THROUGH; proof++) {
			struct breaker b = {0};
			while (!breaker_fault(&b, &conf, (enum shm_fault)fault, 1))
				;
			breaker_sent(&b, b.until_us);
			bool enough = (enum breaker_proof)proof >= proofs[fault];
			assert_int_equal(breaker_prove(&b, (enum breaker_proof)proof, 77), enough);
			assert_int_equal(b.state == BREAKER_CLOSED, enough);
			assert_int_equal(b.since_us, enough ? 77 : 1);
			assert_int_equal(b.faults[fault], enough ? 0 : b.faults[fault]);
		}
}

static void a_trial_without_a_verdict_costs_one_more_call(void **state)
{
	struct breaker b = {0};
	(void)state;
	while (!breaker_fault(&b, &conf, FAULT_SILENT, 1))
		;
	breaker_sent(&b, b.until_us);
	assert_false(breaker_lets(&b, b.until_us - 1));
	assert_true(breaker_lets(&b, b.until_us));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_has_a_threshold_of_its_own),
		cmocka_unit_test(only_faults_in_a_row_count),
		cmocka_unit_test(a_burst_counts_once_and_a_failed_trial_doubles_the_pause),
		cmocka_unit_test(only_the_right_proof_closes_it),
		cmocka_unit_test(a_trial_without_a_verdict_costs_one_more_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
