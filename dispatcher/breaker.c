/* The breaker: see breaker.h. */
#include <string.h>

#include "common/clock.h"
#include "dispatcher/breaker.h"

#include "common/base.h"

enum { DOUBLINGS = 5 };

/* By then a call on trial has a channel, or has failed; one that only rings late costs one more call. */
static const int64_t TRIAL_US = 6500 * US_PER_MS;

static const enum breaker_proof proofs[FAULT__N] = {
#define FAULT(constant, name, proof, words) [FAULT_##constant] = PROOF_##proof,
#include "shm/fault.def"
#undef FAULT
};

uint32_t breaker_threshold(const struct conf *conf, enum shm_fault fault)
{
	const int64_t thresholds[FAULT__N] = {
		[FAULT_REFUSED] = conf->dispatcher_breaker_refused,
		[FAULT_NO_CHANNEL] = conf->dispatcher_breaker_no_channel,
		[FAULT_SILENT] = conf->dispatcher_breaker_silent,
		[FAULT_CONGESTED] = conf->dispatcher_breaker_congested,
	};
	return (uint32_t)thresholds[fault];
}

static void open_for(struct breaker *breaker, enum shm_fault fault, int64_t now_us)
{
	int64_t pause_us = US_PER_S << MIN(breaker->openings, (uint32_t)DOUBLINGS);
	if (breaker->state == BREAKER_CLOSED)
		breaker->since_us = now_us;
	breaker->state = BREAKER_OPEN;
	breaker->fault = fault;
	breaker->openings++;
	breaker->until_us = now_us + pause_us;
}

bool breaker_fault(
	struct breaker *breaker, const struct conf *conf, enum shm_fault fault, int64_t now_us)
{
	if (breaker->state == BREAKER_OPEN && now_us < breaker->until_us)
		return false;
	breaker->faults[fault]++;
	if (breaker->state == BREAKER_CLOSED &&
		breaker->faults[fault] < breaker_threshold(conf, fault))
		return false;
	open_for(breaker, fault, now_us);
	return true;
}

bool breaker_prove(struct breaker *breaker, enum breaker_proof proof, int64_t now_us)
{
	for (int fault = 0; fault < FAULT__N; fault++)
		if (proofs[fault] <= proof)
			breaker->faults[fault] = 0;
	if (breaker->state == BREAKER_CLOSED || proofs[breaker->fault] > proof)
		return false;
	breaker->state = BREAKER_CLOSED;
	breaker->openings = 0;
	breaker->since_us = now_us;
	breaker->until_us = 0;
	return true;
}

bool breaker_lets(const struct breaker *breaker, int64_t now_us)
{
	return breaker->state == BREAKER_CLOSED || now_us >= breaker->until_us;
}

void breaker_sent(struct breaker *breaker, int64_t now_us)
{
	if (breaker->state == BREAKER_CLOSED)
		return;
	breaker->state = BREAKER_TRIAL;
	breaker->until_us = now_us + TRIAL_US;
}
