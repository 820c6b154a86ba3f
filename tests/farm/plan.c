/* See plan.h. */
#include "tests/farm/plan.h"
#include "common/clock.h"

#include "common/base.h"

enum { DIGITS = 10, DOCUMENT_TALK_S = 3 };

/* The length of Asterisk's hello-world, which "speaks" plays before it waits TT seconds. */
#define SPEECH_US INT64_C(1920000)

const struct outcome_facts outcomes[OUTCOME__N] = {
#define OUTCOME(constant, digit, name, answers, sip, cause, words, dial, cdr)                      \
	[OUTCOME_##constant] = {digit, name, answers, sip, cause, words, dial, cdr},
#include "tests/farm/outcome.def"
#undef OUTCOME
};

static bool begins(struct str text, struct str with)
{
	return text.n >= with.n && memcmp(text.p, with.p, with.n) == 0;
}

static struct str national(struct str number)
{
	static const struct str prefixes[] = {{"+91", 3}, {"91", 2}, {"0", 1}};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (number.n == DIGITS + prefixes[i].n && begins(number, prefixes[i]))
			return (struct str){number.p + prefixes[i].n, DIGITS};
	return number;
}

static uint32_t digit(struct str number, size_t i)
{
	return (uint32_t)(number.p[i] - '0');
}

static enum outcome outcome_of(char c)
{
	for (size_t i = 0; i < OUTCOME__N; i++)
		if (outcomes[i].digit == c)
			return (enum outcome)i;
	return OUTCOME_INVALID;
}

static int64_t talk_us(enum outcome outcome, uint32_t seconds)
{
	if (outcome == OUTCOME_STAYS)
		return PLAN_FOREVER;
	return seconds * US_PER_S + (outcome == OUTCOME_SPEAKS ? SPEECH_US : 0);
}

struct plan plan_of(struct str number)
{
	uint64_t value;
	struct str n = national(number);
	bool digits = n.n == DIGITS && str_to_u64(n, 0, UINT64_MAX, &value);

	if (digits && begins(n, STR("90"))) {
		enum outcome outcome = outcome_of(n.p[2]);
		uint32_t talk_s = 10 * digit(n, 4) + digit(n, 5);
		return (struct plan){outcome, digit(n, 3), talk_us(outcome, talk_s)};
	}
	if (digits && begins(n, STR("987654321")) && n.p[9] <= '2')
		return (struct plan){OUTCOME_ANSWERED, 0, DOCUMENT_TALK_S * US_PER_S};
	return (struct plan){OUTCOME_INVALID, 0, 0};
}
