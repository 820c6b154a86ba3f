/* When a number is called again, and when not: a pure rule over how an attempt ended, how many there have been, and when it
 * ended.
 *
 * A rule names one outcome of redial.def, how often at most an entry is called again after it, and how many seconds after the
 * hang-up: "busy:3:600:linear". The count is of all attempts of the entry, whatever they ended as and wherever they went: an
 * entry that was called again three times is not called again after a fourth busy, although only two of them were busy. So
 * one budget holds for an entry, 1 + the largest count, and rules do not add up.
 *
 * The gap before attempt n + 1: fixed, n times it (linear), or 2^(n-1) times it (exponential), and never more than a week.
 */
#ifndef CCS_SHM_REDIAL_H
#define CCS_SHM_REDIAL_H

#include "common/str.h"

enum redial_outcome {
#define REDIAL(constant, name) REDIAL_##constant,
#include "shm/redial.def"
#undef REDIAL
	REDIAL__N
};

enum redial_growth { REDIAL_FIXED, REDIAL_LINEAR, REDIAL_EXPONENTIAL, REDIAL_GROWTH__N };

enum {
	REDIAL_COUNT_MAX = 20,
	REDIAL_GAP_MAX_S = 7 * 86400, /* also of a gap that has grown */
	REDIAL_RULE_CHARS = 40,	      /* at most, of a rule's text */
};

struct redial_rule {
	uint32_t count; /* of attempts after the first; 0: this outcome is final */
	uint32_t gap_s;
	enum redial_growth growth;
};

/* All zero: every end is final. */
struct redial_policy {
	struct redial_rule rules[REDIAL__N];
};

/* The outcome of that disposition; REDIAL__N: it is final whatever anybody wishes. */
enum redial_outcome redial_outcome(struct str disposition);

/* "busy:3:600:linear"; without the last word the gap is fixed. False, and nothing is changed, when it is no rule. */
MUST_USE bool redial_read_rule(
	struct str text, enum redial_outcome *outcome, struct redial_rule *rule);

/* Rules with blanks between them; none: an empty text. False, and nothing is changed, when a word is no rule, or speaks of an
 * outcome of which another has spoken. */
MUST_USE bool redial_read(struct str words, struct redial_policy *policy);

/* How many attempts an entry has at most. At least 1. */
uint32_t redial_budget(const struct redial_policy *policy);

/* Attempt n (from 1 on) of an entry ended in this outcome at ended_us. True: the next one is due at *due_us. False: it was the
 * last. */
bool redial_due(const struct redial_policy *policy, enum redial_outcome outcome, uint32_t n,
	int64_t ended_us, int64_t *due_us);

#endif
