/* Which workers come and which go: growing, shrinking, rolling, and a roll in which nobody can start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "fcgi/crew.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static struct crew crew;
static pid_t next_pid;

static int start(void **state)
{
	(void)state;
	crew = (struct crew){0};
	next_pid = 100;
	return 0;
}

static struct member *join(enum pool pool, bool ready)
{
	struct member *m = crew_join(&crew, next_pid, pool, next_pid);
	assert_non_null(m);
	next_pid++;
	m->ready = ready;
	return m;
}

static void assert_need(enum pool pool, int wanted, int missing, int old, int surplus)
{
	struct crew_need need = crew_need(&crew, pool, wanted);
	assert_int_equal(need.missing, missing);
	assert_int_equal(need.old, old);
	assert_int_equal(need.surplus, surplus);
}

static void test_grows_to_what_is_wanted(void **state)
{
	(void)state;
	assert_need(POOL_SQL, 3, 3, 0, 0);
	join(POOL_SQL, false);
	join(POOL_FAST, true);
	assert_need(POOL_SQL, 3, 2, 0, 0);
	join(POOL_SQL, true);
	join(POOL_SQL, true);
	assert_need(POOL_SQL, 3, 0, 0, 0);
	assert_int_equal(crew_size(&crew), 4);
}

static void test_shrinks_by_the_eldest(void **state)
{
	struct member *eldest = join(POOL_SQL, true);
	(void)state;
	join(POOL_SQL, true);
	join(POOL_SQL, false);
	assert_need(POOL_SQL, 1, 0, 0, 2);
	assert_ptr_equal(crew_eldest(&crew, POOL_SQL, true), eldest);
	eldest->leaving = true;
	assert_need(POOL_SQL, 1, 0, 0, 1);
	assert_ptr_not_equal(crew_eldest(&crew, POOL_SQL, true), eldest);
	assert_int_equal(crew_size(&crew), 3); /* until it is gone */
}

static void test_an_old_one_goes_for_each_new_one_that_is_ready(void **state)
{
	(void)state;
	join(POOL_FAST, true);
	struct member *second = join(POOL_FAST, true);
	crew.roll++;
	assert_need(POOL_FAST, 2, 2, 0, 0);
	struct member *new_one = join(POOL_FAST, false);
	join(POOL_FAST, false);
	assert_need(POOL_FAST, 2, 0, 0, 0);
	new_one->ready = true;
	assert_need(POOL_FAST, 2, 0, 1, 0);
	crew_eldest(&crew, POOL_FAST, false)->leaving = true;
	assert_need(POOL_FAST, 2, 0, 0, 0);
	assert_ptr_equal(crew_eldest(&crew, POOL_FAST, false), second);
}

static void test_nobody_new_can_start_so_the_old_stay(void **state)
{
	(void)state;
	join(POOL_FAST, true);
	join(POOL_FAST, true);
	crew.roll++;
	join(POOL_FAST, false)->pid = 0; /* it has died */
	assert_need(POOL_FAST, 2, 2, 0, 0);
	assert_need(POOL_FAST, 1, 1, 1, 0); /* but for those nobody wants any more */
}

static void test_rolled_twice_and_grown_meanwhile(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		join(POOL_SQL, true);
	crew.roll++;
	join(POOL_SQL, true);
	crew.roll++;
	assert_need(POOL_SQL, 4, 4, 0, 0);
	for (int i = 0; i < 3; i++)
		join(POOL_SQL, true);
	assert_need(POOL_SQL, 4, 1, 2, 0);
	join(POOL_SQL, true);
	assert_need(POOL_SQL, 4, 0, 3, 0);
}

static void test_no_more_than_there_are_slots(void **state)
{
	(void)state;
	for (int i = 0; i < CREW_MAX; i++)
		join(POOL_SQL, true);
	assert_null(crew_join(&crew, next_pid, POOL_SQL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_grows_to_what_is_wanted, start),
		cmocka_unit_test_setup(test_shrinks_by_the_eldest, start),
		cmocka_unit_test_setup(test_an_old_one_goes_for_each_new_one_that_is_ready, start),
		cmocka_unit_test_setup(test_nobody_new_can_start_so_the_old_stay, start),
		cmocka_unit_test_setup(test_rolled_twice_and_grown_meanwhile, start),
		cmocka_unit_test_setup(test_no_more_than_there_are_slots, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
