/* A dispatcher that comes while the one before it still dies. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "dispatcher/takeover.h"
#include "tests/unit/shm/rig.h"

static struct segment next; /* the successor's handle */

static bool take(struct rig *rig, int longest_ms, bool *adopted, struct err *err)
{
	assert_ok(segment_init(&next, rig->conf.common_node, err), err);
	return takeover(&next, &rig->conf, longest_ms, adopted, err);
}

/* A process of the family that is left when the holder has been killed: it has the lock with the open file. */
static pid_t leave_one_behind(struct rig *rig)
{
	pid_t left = fork();
	if (left == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	segment_close(&rig->seg);
	return left;
}

static void end(pid_t left)
{
	(void)kill(left, SIGKILL);
	assert_int_equal(waitpid(left, NULL, 0), left);
}

static void test_a_free_node_is_taken_at_once(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	segment_close(&rig->seg);
	assert_ok(take(rig, 0, &adopted, &err), &err);
	assert_true(adopted);
	segment_close(&next);
}

/* The alarm comes in the middle of the successor's wait. */
static pid_t dying;

static void let_it_end(int number)
{
	(void)number;
	(void)kill(dying, SIGKILL);
}

static void test_the_successor_waits_until_the_last_one_has_died(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	dying = leave_one_behind(rig);
	struct sigaction at_alarm = {.sa_handler = let_it_end};
	assert_int_equal(sigaction(SIGALRM, &at_alarm, NULL), 0);
	assert_false(take(rig, 0, &adopted, &err));
	(void)ualarm(100 * 1000, 0);
	assert_ok(take(rig, 60000, &adopted, &err), &err);
	assert_true(adopted);
	segment_close(&next);
	end(dying);
}

static void test_beside_a_living_one_it_gives_up(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	assert_false(take(rig, 50, &adopted, &err));
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "another dispatcher"));
	assert_true(segment_still_named(&rig->seg));
}

static void test_who_is_asked_to_stop_does_not_wait(void **state)
{
	struct rig *rig = *state;
	struct err err;
	bool adopted;
	sigset_t term, before;
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &term, &before), 0);
	assert_int_equal(raise(SIGTERM), 0);
	(void)alarm(60); /* it would wait for hours */
	assert_false(take(rig, 24 * 3600 * 1000, &adopted, &err));
	(void)alarm(0);
	assert_int_equal(err.kind, ERR_CONFLICT);
	int number;
	assert_int_equal(sigwait(&term, &number), 0);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_free_node_is_taken_at_once),
		RIG_TEST(test_the_successor_waits_until_the_last_one_has_died),
		RIG_TEST(test_beside_a_living_one_it_gives_up),
		RIG_TEST(test_who_is_asked_to_stop_does_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
