/* Division by largest remainders, and shares that follow from account and servers: over random cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "registry/setup.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { CASES = 20000, PARTS = 12 };

static uint64_t state = 88172645463325252U;

/* xorshift64: the same cases each time. */
static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static uint64_t small_or_large(void)
{
	return below(2) ? below(6) : below(100000001);
}

/* ---- apportion ---- */

static size_t random_parts(struct part *parts)
{
	size_t n = below(PARTS + 1);

	for (size_t i = 0; i < n; i++)
		parts[i] = (struct part){small_or_large(), small_or_large(), 77};
	return n;
}

static uint64_t room(const struct part *parts, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += parts[i].weight ? parts[i].most : 0;
	return sum;
}

static void check_parts(const struct part *parts, size_t n, uint64_t total, uint64_t told)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += parts[i].given;
		assert_true(parts[i].given <= parts[i].most);
		assert_true(parts[i].weight || parts[i].given == 0);
		for (size_t j = 0; j < n; j++)
			if (parts[i].weight > parts[j].weight && parts[i].most >= parts[j].most)
				assert_true(parts[i].given >= parts[j].given);
	}
	assert_true(sum == told && sum == MIN(total, room(parts, n)));
}

static void test_sums_are_exact_nobody_is_above_and_who_weighs_more_gets_no_less(void **unused)
{
	(void)unused;
	struct part parts[PARTS], again[PARTS];

	for (int i = 0; i < CASES; i++) {
		size_t n = random_parts(parts);
		uint64_t total = small_or_large();
		memcpy(again, parts, sizeof(again));
		check_parts(parts, n, total, apportion(parts, n, total));
		assert_true(apportion(again, n, total) == MIN(total, room(again, n)));
		assert_memory_equal(parts, again, n * sizeof(*parts));
	}
}

static void test_without_ceilings_everybody_is_within_one_of_its_due(void **unused)
{
	(void)unused;
	struct part parts[PARTS];

	for (int i = 0; i < CASES; i++) {
		size_t n = 1 + below(PARTS);
		uint64_t total = below(1000), weights = 0;
		for (size_t j = 0; j < n; j++) {
			parts[j] = (struct part){1 + below(100), 1000, 0};
			weights += parts[j].weight;
		}
		apportion(parts, n, total);
		for (size_t j = 0; j < n; j++) {
			uint64_t due = total * parts[j].weight / weights;
			assert_true(parts[j].given == due || parts[j].given == due + 1);
		}
	}
}

static void test_a_division_by_hand(void **unused)
{
	(void)unused;
	struct part thirds[] = {{1, 10, 0}, {1, 10, 0}, {1, 10, 0}};
	struct part capped[] = {{50, 5, 0}, {30, 100, 0}, {20, 100, 0}};

	apportion(thirds, 3, 10); /* 3 1/3 each: the one that remains goes to the first */
	assert_true(thirds[0].given == 4 && thirds[1].given == 3 && thirds[2].given == 3);
	apportion(capped, 3, 100); /* 95 by 30 to 20 */
	assert_true(capped[0].given == 5 && capped[1].given == 57 && capped[2].given == 38);
}

/* ---- shares ---- */

static struct setup_share shares[PARTS];
static struct part room_to_plan[PARTS];

static struct setup account(uint64_t channels, uint64_t rate, size_t n)
{
	return (struct setup){.allocated_channels = channels,
		.rate_limit = rate,
		.shares = shares,
		.parts = room_to_plan,
		.n = n};
}

static struct setup_share follows(uint64_t capacity, uint64_t of_others)
{
	return (struct setup_share){.takes_calls = true,
		.automatic = true,
		.server_channels = capacity,
		.server_rate = 10000,
		.of_others = of_others};
}

static void test_random_accounts_get_what_is_theirs(void **unused)
{
	(void)unused;
	for (int i = 0; i < CASES; i++) {
		struct setup setup = account(below(200), below(2000), below(PARTS + 1));
		uint64_t capacity = 0, channels = 0, rate = 0;
		for (size_t j = 0; j < setup.n; j++) {
			shares[j] = follows(below(60), below(80));
			shares[j].takes_calls = below(5) > 0;
			shares[j].is_down = below(5) == 0;
			capacity += shares[j].takes_calls ? shares[j].server_channels : 0;
		}
		setup_plan(&setup);
		bool some_down = false;
		for (size_t j = 0; j < setup.n; j++) {
			assert_true(shares[j].channels <= shares[j].server_channels);
			assert_true(shares[j].rate <= shares[j].server_rate);
			assert_true(shares[j].takes_calls || shares[j].channels == 0);
			some_down |= shares[j].why == SETUP_down;
			channels += shares[j].channels;
			rate += shares[j].rate;
		}
		assert_true(channels <= setup.allocated_channels);
		assert_true(some_down || channels == MIN(setup.allocated_channels, capacity));
		assert_true(rate == (channels ? setup.rate_limit : 0));
	}
}

static void test_what_is_free_is_divided_before_what_others_have(void **unused)
{
	(void)unused;
	struct setup setup = account(30, 300, 2);

	shares[0] = follows(100, 90);
	shares[1] = follows(40, 0);
	setup_plan(&setup);
	assert_true(shares[0].channels == 6 && shares[1].channels == 24); /* 10 to 40 are free */
	assert_true(shares[0].why == SETUP_part && shares[1].rate == 240);
	setup.allocated_channels = 60;
	setup_plan(&setup);
	assert_true(shares[0].channels == 20 && shares[0].why == SETUP_crowded);
	assert_true(shares[1].channels == 40 && shares[1].why == SETUP_whole_server);
}

static void test_what_an_administrator_has_set_stays(void **unused)
{
	(void)unused;
	struct setup setup = account(50, 100, 2);

	shares[0] = (struct setup_share){.takes_calls = true,
		.server_channels = 100,
		.server_rate = 1000,
		.had_channels = 30,
		.had_rate = 90};
	shares[1] = follows(100, 0);
	setup_plan(&setup);
	assert_true(shares[0].channels == 30 && shares[0].why == SETUP_by_hand);
	assert_true(shares[1].channels == 20 && shares[1].rate == 10 && setup.changed == 1);
	shares[0].had_channels = 50;
	setup_plan(&setup);
	assert_true(shares[1].channels == 0 && shares[1].why == SETUP_nothing_left);
}

static void test_a_server_that_is_away_gives_its_part_to_those_that_are_there(void **unused)
{
	(void)unused;
	struct setup setup = account(20, 100, 2);

	shares[0] = shares[1] = follows(50, 0);
	shares[1].is_down = true;
	setup_plan(&setup);
	assert_true(shares[0].channels == 20 && shares[1].channels == 0);
	assert_true(shares[1].why == SETUP_down);
	shares[0].is_down = true; /* then there is nobody to give it to */
	setup_plan(&setup);
	assert_true(shares[0].channels == 10 && shares[1].channels == 10);
	assert_true(shares[1].why == SETUP_part);
}

static void test_every_reason_has_a_name_and_a_sentence(void **unused)
{
	(void)unused;
	for (enum setup_why why = 0; why < SETUP__N; why++)
		assert_true(*setup_why_name(why) && *setup_why_sentence(why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_sums_are_exact_nobody_is_above_and_who_weighs_more_gets_no_less),
		cmocka_unit_test(test_without_ceilings_everybody_is_within_one_of_its_due),
		cmocka_unit_test(test_a_division_by_hand),
		cmocka_unit_test(test_random_accounts_get_what_is_theirs),
		cmocka_unit_test(test_what_is_free_is_divided_before_what_others_have),
		cmocka_unit_test(test_what_an_administrator_has_set_stays),
		cmocka_unit_test(test_a_server_that_is_away_gives_its_part_to_those_that_are_there),
		cmocka_unit_test(test_every_reason_has_a_name_and_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
