/* Names and copies: see health.h. */
#include "shm/health.h"

#include "common/base.h"

static const char *const states[BREAKER_STATE__N] = {
	[BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_TRIAL] = "trial"};

static const struct {
	const char *name, *words;
} faults[FAULT__N] = {
#define FAULT(constant, name, proof, words) [FAULT_##constant] = {#name, words},
#include "shm/fault.def"
#undef FAULT
};

struct health_facts health_read(const struct shm_health *health)
{
	uint64_t pace = atomic_load_explicit(&health->pace, memory_order_relaxed);
	return (struct health_facts){
		.breaker = (enum shm_breaker_state)atomic_load_explicit(
			&health->breaker, memory_order_relaxed),
		.fault = (enum shm_fault)atomic_load_explicit(&health->fault, memory_order_relaxed),
		.since_us = atomic_load_explicit(&health->since_us, memory_order_relaxed),
		.next_us = atomic_load_explicit(&health->until_us, memory_order_relaxed),
		.pace = pace ? (uint32_t)MAX(pace / PACE_UNIT, UINT64_C(1)) : 0,
		.foreign = atomic_load_explicit(&health->foreign, memory_order_relaxed),
	};
}

const char *breaker_state_name(enum shm_breaker_state state)
{
	return state < BREAKER_STATE__N ? states[state] : "unknown";
}

const char *fault_name(enum shm_fault fault)
{
	return fault < FAULT__N ? faults[fault].name : "unknown";
}

const char *fault_words(enum shm_fault fault)
{
	return fault < FAULT__N ? faults[fault].words : "unknown";
}
