/* The health of a server as the segment has it: names and copies for readers. How it comes about:
 * dispatcher/health.h. */
#ifndef CCS_SHM_HEALTH_H
#define CCS_SHM_HEALTH_H

#include "shm/layout.h"

enum { PACE_UNIT = 65536 };

struct health_facts {
	enum shm_breaker_state breaker;
	enum shm_fault fault; /* that opened it, unless it is closed */
	int64_t since_us;     /* the breaker is in its state; 0 = always was */
	int64_t next_us;      /* the next call on trial; 0 = it is closed */
	uint32_t pace;	      /* calls at once that it gets now; 0 = as many as are allowed */
	uint32_t foreign;     /* channels of others, where they are counted */
};

struct health_facts health_read(const struct shm_health *health);

/* "closed", "open", "trial" */
const char *breaker_state_name(enum shm_breaker_state state);

/* "refused" */
const char *fault_name(enum shm_fault fault);

/* "it refused calls" */
const char *fault_words(enum shm_fault fault);

#endif
