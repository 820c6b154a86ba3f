/* The number plan of deploy/asterisk/README.md: what the telephone does that has this number. */
#ifndef CCS_TESTS_FARM_PLAN_H
#define CCS_TESTS_FARM_PLAN_H

#include "common/str.h"

enum outcome {
#define OUTCOME(constant, ...) OUTCOME_##constant,
#include "tests/farm/outcome.def"
#undef OUTCOME
	OUTCOME__N
};

struct outcome_facts {
	char digit;
	const char *name;
	bool answers;
	uint32_t sip, cause;
	const char *cause_text, *dial_status, *cdr;
};

extern const struct outcome_facts outcomes[OUTCOME__N];

struct plan {
	enum outcome outcome;
	uint32_t ring_s;
	int64_t talk_us; /* until the called party hangs up; PLAN_FOREVER: it does not */
};

#define PLAN_FOREVER INT64_MAX

/* number as dialled: ten digits, perhaps after +91, 91 or 0. Nobody has any number outside the plan. */
struct plan plan_of(struct str number);

#endif
