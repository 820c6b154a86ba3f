/* How the sandbox's calls go. That they do is for tests/system/test_sandbox.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "dispatcher/ami_outcome.h"
#include "dispatcher/player.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static enum disposition end_of(const char *number)
{
	struct play play = play_of(number);
	struct ami_fate fate = {.answered = play.answers,
		.originate_seen = true,
		.reason = play.answers ? 4 : play.reason,
		.channel_seen = true,
		.hangup_seen = true,
		.cause = play.answers ? 16 : play.cause};
	return ami_outcome(&fate).disposition;
}

static void test_the_last_two_digits_say_how_a_call_goes(void **state)
{
	(void)state;
	static const struct {
		const char *number;
		enum disposition end;
	} calls[] = {{"9876543201", DISPOSITION_BUSY}, {"9876543202", DISPOSITION_NO_ANSWER},
		{"9876543203", DISPOSITION_REJECTED}, {"9876543204", DISPOSITION_INVALID},
		{"+919876543205", DISPOSITION_CONGESTION}, {"9876543206", DISPOSITION_FAILED},
		{"9876543207", DISPOSITION_COMPLETED}, {"9876543200", DISPOSITION_COMPLETED},
		{"101", DISPOSITION_BUSY}, {"5", DISPOSITION_CONGESTION}};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_int_equal(end_of(calls[i].number), calls[i].end);
}

static void test_what_is_answered_talks_as_many_seconds_as_the_digits_say(void **state)
{
	(void)state;
	for (unsigned digits = 0; digits < 100; digits++) {
		char number[16];
		(void)snprintf(number, sizeof(number), "98765432%02u", digits);
		struct play play = play_of(number);
		assert_int_equal(play.answers, digits == 0 || digits > 6);
		assert_int_equal(play.talks_s, !play.answers ? 0 : digits ? digits : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_two_digits_say_how_a_call_goes),
		cmocka_unit_test(test_what_is_answered_talks_as_many_seconds_as_the_digits_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
