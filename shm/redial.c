/* When a number is called again: see redial.h. */
#include "shm/redial.h"

#include "common/clock.h"

#include "common/base.h"

static const char *const outcomes[REDIAL__N] = {
#define REDIAL(constant, name) #name,
#include "shm/redial.def"
#undef REDIAL
};

static const char *const growths[REDIAL_GROWTH__N] = {
	[REDIAL_FIXED] = "fixed",
	[REDIAL_LINEAR] = "linear",
	[REDIAL_EXPONENTIAL] = "exponential",
};

static unsigned place(const char *const *names, unsigned n, struct str name)
{
	unsigned i = 0;
	while (i < n && !str_eq(name, str_of(names[i])))
		i++;
	return i;
}

enum redial_outcome redial_outcome(struct str disposition)
{
	return (enum redial_outcome)place(outcomes, REDIAL__N, disposition);
}

/* The next word before a ':' as a number. */
static bool next_number(struct str *rest, uint64_t most, uint32_t *out)
{
	struct str word;
	uint64_t n;
	if (!rest->p)
		return false;
	(void)str_split(rest, ':', &word);
	if (!str_to_u64(word, 1, most, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

bool redial_read_rule(struct str text, enum redial_outcome *outcome, struct redial_rule *rule)
{
	struct redial_rule read = {0};
	struct str name;

	(void)str_split(&text, ':', &name);
	enum redial_outcome which = redial_outcome(name);
	if (which == REDIAL__N || !next_number(&text, REDIAL_COUNT_MAX, &read.count) ||
		!next_number(&text, REDIAL_GAP_MAX_S, &read.gap_s))
		return false;
	if (text.p)
		read.growth = (enum redial_growth)place(growths, REDIAL_GROWTH__N, text);
	if (read.growth == REDIAL_GROWTH__N)
		return false;
	*outcome = which;
	*rule = read;
	return true;
}

bool redial_read(struct str words, struct redial_policy *policy)
{
	struct redial_policy read = {0};
	struct redial_rule rule;
	enum redial_outcome outcome;
	struct str word;

	while (words.n) {
		(void)str_split(&words, ' ', &word);
		if (!redial_read_rule(word, &outcome, &rule) || read.rules[outcome].count)
			return false;
		read.rules[outcome] = rule;
	}
	*policy = read;
	return true;
}

uint32_t redial_budget(const struct redial_policy *policy)
{
	uint32_t most = 0;
	for (unsigned i = 0; i < REDIAL__N; i++)
		most = MAX(most, policy->rules[i].count);
	return 1 + most;
}

static int64_t gap_s(const struct redial_rule *rule, uint32_t n)
{
	int64_t gap = rule->gap_s;
	switch (rule->growth) {
	case REDIAL_LINEAR:
		gap *= n;
		break;
	case REDIAL_EXPONENTIAL: /* n <= REDIAL_COUNT_MAX: 2^19 weeks fit */
		gap <<= n - 1;
		break;
	case REDIAL_FIXED:
	case REDIAL_GROWTH__N:
		break;
	}
	return MIN(gap, (int64_t)REDIAL_GAP_MAX_S);
}

bool redial_due(const struct redial_policy *policy, enum redial_outcome outcome, uint32_t n,
	int64_t ended_us, int64_t *due_us)
{
	if (outcome >= REDIAL__N || n == 0 || n > policy->rules[outcome].count)
		return false;
	*due_us = ended_us + gap_s(&policy->rules[outcome], n) * US_PER_S;
	return true;
}
