/* Calling again: budget and gap hold whatever an entry's attempts end as, and who has declined is left alone. */
#include "shm/redial.h"
#include "tests/unit/shm/rig.h"

enum { DAYS_OF_DICE = 20000, ATTEMPTS_MAX = 255 };

static uint32_t seed;

static uint32_t chance(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

/* All dispositions; the first four may be called again. */
static const char *const ends[] = {"busy", "no_answer", "congestion", "failed", "completed",
	"rejected", "invalid", "canceled", "expired", "suppressed", "unknown"};
enum { MAY_BE_AGAIN = 4 };

static struct redial_policy random_policy(void)
{
	struct redial_policy policy = {0};
	for (unsigned i = 0; i < REDIAL__N; i++)
		if (chance(2))
			policy.rules[i] =
				(struct redial_rule){.count = 1 + chance(REDIAL_COUNT_MAX),
					.gap_s = 1 + chance(chance(2) ? 600 : REDIAL_GAP_MAX_S),
					.growth = (enum redial_growth)chance(REDIAL_GROWTH__N)};
	return policy;
}

/* One entry until it is not called again. */
static void live(const struct redial_policy *policy)
{
	int64_t now = INT64_C(1795000000) * US_PER_S, due, before = 0;
	unsigned last = 0;
	uint32_t n = 1;
	for (;; n++) {
		assert_true(n <= redial_budget(policy));
		last = chance(ARRAY_LEN(ends));
		now += (int64_t)chance(60) * US_PER_S; /* it rings */
		enum redial_outcome outcome = redial_outcome(str_of(ends[last]));
		assert_int_equal(outcome < REDIAL__N, last < MAY_BE_AGAIN);
		if (!redial_due(policy, outcome, n, now, &due))
			break;
		const struct redial_rule *rule = &policy->rules[outcome];
		assert_true(last < MAY_BE_AGAIN && n <= rule->count);
		assert_true(due - now >= (int64_t)rule->gap_s * US_PER_S);
		assert_true(due - now <= REDIAL_GAP_MAX_S * US_PER_S);
		assert_true(due > before);
		before = due;
		now = due + (int64_t)chance(3600) * US_PER_S; /* its turn comes */
	}
	bool is_retriable = last < MAY_BE_AGAIN;
	uint32_t allowed =
		is_retriable ? policy->rules[redial_outcome(str_of(ends[last]))].count : 0;
	assert_true(n > allowed); /* and nobody was given up who could be called again */
}

static void test_budget_and_gap_hold_and_who_declined_is_left_alone(void **state)
{
	(void)state;
	seed = 20261123;
	for (unsigned i = 0; i < DAYS_OF_DICE; i++) {
		struct redial_policy policy = random_policy();
		live(&policy);
	}
}

static int64_t gap_after(const char *rules, uint32_t n)
{
	struct redial_policy policy;
	int64_t due_us;
	assert_true(redial_read(str_of(rules), &policy));
	return redial_due(&policy, REDIAL_BUSY, n, 0, &due_us) ? due_us / US_PER_S : -1;
}

static void test_gaps_grow_as_they_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *rule;
		int64_t gaps[5]; /* behind attempts 1 to 5; -1: there is no other */
	} table[] = {
		{"busy:3:600", {600, 600, 600, -1, -1}},
		{"busy:3:600:fixed", {600, 600, 600, -1, -1}},
		{"busy:4:600:linear", {600, 1200, 1800, 2400, -1}},
		{"busy:4:600:exponential", {600, 1200, 2400, 4800, -1}},
		{"busy:5:300000:exponential", {300000, 600000, 604800, 604800, 604800}},
		{"busy:20:604800:linear", {604800, 604800, 604800, 604800, 604800}},
		{"no_answer:5:10", {-1, -1, -1, -1, -1}},
		{"", {-1, -1, -1, -1, -1}},
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (uint32_t n = 1; n <= 5; n++)
			assert_int_equal(gap_after(table[i].rule, n), table[i].gaps[n - 1]);
	assert_int_equal(gap_after("busy:20:604800:exponential", 20), REDIAL_GAP_MAX_S);
	assert_int_equal(gap_after("busy:20:604800:exponential", 21), -1);
	assert_int_equal(gap_after("busy:20:1", 0), -1);
}

static void test_rules_do_not_add_up(void **state)
{
	(void)state;
	struct redial_policy policy;
	int64_t due_us;
	assert_true(redial_read(STR("busy:3:600:linear no_answer:2:1800:exponential"), &policy));
	assert_int_equal(redial_budget(&policy), 4);
	assert_true(redial_due(&policy, REDIAL_NO_ANSWER, 2, 0, &due_us));
	assert_false(redial_due(&policy, REDIAL_NO_ANSWER, 3, 0, &due_us));
	assert_true(redial_due(&policy, REDIAL_BUSY, 3, 0, &due_us));
	assert_false(redial_due(&policy, REDIAL_BUSY, 4, 0, &due_us));
	assert_false(redial_due(&policy, REDIAL_FAILED, 1, 0, &due_us));
	assert_true(redial_read(STR(""), &policy));
	assert_int_equal(redial_budget(&policy), 1);
}

static void test_what_is_no_rule_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"busy", "busy:3", "busy::600", "busy:3:", "busy:0:600",
		"busy:21:600", "busy:3:0", "busy:3:604801", "busy:-1:600",
		"busy:3:600:", "busy:3:600:cubic", "busy:3:600:linear:", "Busy:3:600",
		"rejected:1:600", "invalid:1:600", "completed:1:600", "unknown:1:600",
		"canceled:1:600", ":3:600", "busy:3:600 busy:2:10", "busy:3:600,no_answer:1:10",
		"busy:3:600  failed:1:1", " "};
	struct redial_policy policy = {.rules[REDIAL_FAILED] = {.count = 7}};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (redial_read(str_of(wrong[i]), &policy))
			fail_msg("\"%s\" is taken", wrong[i]);
		assert_int_equal(policy.rules[REDIAL_FAILED].count, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget_and_gap_hold_and_who_declined_is_left_alone),
		cmocka_unit_test(test_gaps_grow_as_they_are_told),
		cmocka_unit_test(test_rules_do_not_add_up),
		cmocka_unit_test(test_what_is_no_rule_is_refused),
	};
	return cmocka_run_group_tests_name("redial", tests, NULL, NULL);
}
