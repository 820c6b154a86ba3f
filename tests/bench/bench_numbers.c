/* How long does a number take, by libphonenumber alone and by our tables? Reads numbers, one a line, and prints a line of JSON.
 *
 * bench_numbers REGION < NUMBERS
 */
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "registry/number.h"

#include "common/base.h"

enum { NUMBERS_MAX = 100000, LINE_BYTES = 48, ROUNDS = 5 };

static char lines[NUMBERS_MAX][LINE_BYTES];
static size_t n;

static void read_lines(void)
{
	while (n < NUMBERS_MAX && fgets(lines[n], LINE_BYTES, stdin)) {
		lines[n][strcspn(lines[n], "\n")] = '\0';
		n++;
	}
}

/* The best of some rounds, for all numbers; *accepted says how many are fine. */
static int64_t best_us(const struct number_rules *rules, size_t *accepted)
{
	int64_t best = INT64_MAX;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t from = clock_mono_us();
		*accepted = 0;
		for (size_t i = 0; i < n; i++) {
			struct number number;
			struct err err;
			*accepted += number_accept(rules, str_of(lines[i]), &number, &err);
		}
		best = MIN(best, clock_mono_us() - from);
	}
	return best;
}

int main(int argc, char **argv)
{
	struct shm_policy policy = {.check = 0};
	if (argc != 2 || !policy_read(&policy, STR("all"), STR("all")))
		return 2;
	struct number_rules rules = {argv[1], NUMBER_CHECK_FULL, &policy};
	size_t by_library, by_tables;
	read_lines();
	if (n == 0)
		die("bench.no_numbers", "do=\"write some to standard input\"");
	int64_t library_us = best_us(&rules, &by_library); /* there are no tables yet */
	number_plan_load();
	int64_t tables_us = best_us(&rules, &by_tables);
	(void)printf("{\"numbers\": %zu, \"accepted\": %zu, \"agree\": %s, \"library_us\": %.2f, "
		     "\"tables_us\": %.3f}\n",
		n, by_tables, by_library == by_tables ? "true" : "false",
		(double)library_us / (double)n, (double)tables_us / (double)n);
	return 0;
}
