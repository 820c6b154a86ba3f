/* What Asterisk 16 and 22 were measured to say, and what it means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatcher/ami_outcome.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

struct outcome_case {
	const char *what;
	struct ami_fate fate;
	enum disposition disposition;
	const char *reason;
};

/* A failed OriginateResponse and the Hangup of a channel that was there. */
#define FAILED(reason_, cause_, dial)                                                              \
	{.originate_seen = true,                                                                   \
		.reason = reason_,                                                                 \
		.channel_seen = true,                                                              \
		.hangup_seen = true,                                                               \
		.cause = cause_,                                                                   \
		.dialed = AMI_DIAL_##dial}
#define REFUSED(message) {.refused = true, .refusal = {message, sizeof(message) - 1}}

static const struct outcome_case cases[] = {
	{"SIP 486", FAILED(0, 17, BUSY), DISPOSITION_BUSY, "busy"},
	{"Busy() in band", FAILED(5, 0, BUSY), DISPOSITION_BUSY, "busy"},
	{"Busy() in band, DialEnd only", FAILED(0, 0, BUSY), DISPOSITION_BUSY, "busy"},
	{"Congestion() in band", FAILED(8, 0, CONGESTION), DISPOSITION_CONGESTION, "congestion"},
	{"congestion by DialEnd only", FAILED(0, 0, CONGESTION), DISPOSITION_CONGESTION,
		"congestion"},
	{"SIP 503", FAILED(0, 34, CONGESTION), DISPOSITION_CONGESTION, "no circuit available"},
	{"SIP 500", FAILED(0, 38, CONGESTION), DISPOSITION_CONGESTION, "network out of order"},
	{"SIP 404", FAILED(0, 1, NOANSWER), DISPOSITION_INVALID, "number does not exist"},
	{"SIP 484", FAILED(0, 28, NOANSWER), DISPOSITION_INVALID,
		"number is incomplete or malformed"},
	{"SIP 480", FAILED(0, 19, NOANSWER), DISPOSITION_NO_ANSWER, "no answer"},
	{"SIP 603", FAILED(0, 21, NOANSWER), DISPOSITION_REJECTED, "rejected by the far end"},
	{"SIP timer B", FAILED(0, 18, NOANSWER), DISPOSITION_NO_ANSWER,
		"no response from the far end"},
	{"timeout, Asterisk 22", FAILED(3, 19, NONE), DISPOSITION_NO_ANSWER, "no answer"},
	{"timeout, Asterisk 16", FAILED(3, 0, NONE), DISPOSITION_NO_ANSWER, "no answer"},
	{"hung up while ringing", FAILED(0, 16, NOANSWER), DISPOSITION_NO_ANSWER,
		"hung up before the answer"},
	{"NOANSWER without a cause", FAILED(0, 0, NOANSWER), DISPOSITION_NO_ANSWER, "no answer"},
	{"no such extension; maxcalls; restart", FAILED(0, 0, NONE), DISPOSITION_FAILED,
		"failed without a cause"},
	{"a cause that nobody knows", FAILED(0, 99, NOANSWER), DISPOSITION_FAILED,
		"failed on the way"},
	{"a reason that nobody knows", FAILED(77, 17, NONE), DISPOSITION_BUSY, "busy"},
	{"no channel", {.originate_seen = true}, DISPOSITION_FAILED,
		"no channel: trunk or endpoint unavailable"},
	{"no channel within the timeout", {.originate_seen = true, .reason = 3},
		DISPOSITION_NO_ANSWER, "no answer"},
	{"answered",
		{.answered = true,
			.originate_seen = true,
			.reason = 4,
			.hangup_seen = true,
			.channel_seen = true,
			.cause = 16},
		DISPOSITION_COMPLETED, "answered"},
	{"answered, then the server died", {.answered = true, .channel_seen = true},
		DISPOSITION_COMPLETED, "answered"},
	{"answered, then cause 17", {.answered = true, .hangup_seen = true, .cause = 17},
		DISPOSITION_COMPLETED, "answered"},
	{"answered by Reason alone", {.originate_seen = true, .reason = 4}, DISPOSITION_COMPLETED,
		"answered"},
	{"nothing was seen", {.cause = 0}, DISPOSITION_UNKNOWN, "outcome could not be learned"},
	{"nothing was seen in time", {.ring_expired = true}, DISPOSITION_UNKNOWN,
		"outcome could not be learned"},
	{"only the hang-up was seen", {.hangup_seen = true, .channel_seen = true, .cause = 17},
		DISPOSITION_BUSY, "busy"},
	{"a stray Reason without its event", {.reason = 5, .hangup_seen = true, .cause = 21},
		DISPOSITION_REJECTED, "rejected by the far end"},
	{"our deadline, hung up by us",
		{.channel_seen = true, .hangup_seen = true, .cause = 16, .ring_expired = true},
		DISPOSITION_NO_ANSWER, "no answer"},
	{"our deadline, no hang-up", {.channel_seen = true, .ring_expired = true},
		DISPOSITION_NO_ANSWER, "no answer"},
	{"our deadline, but rejected",
		{.channel_seen = true, .hangup_seen = true, .cause = 21, .ring_expired = true},
		DISPOSITION_REJECTED, "rejected by the far end"},
	{"refused: stopping", REFUSED("Asterisk is shutting down"), DISPOSITION_FAILED,
		"server is shutting down"},
	{"refused: extension", REFUSED("Extension does not exist."), DISPOSITION_FAILED,
		"server has no such extension"},
	{"refused: rights", REFUSED("permission denied"), DISPOSITION_FAILED,
		"AMI user may not originate"},
	{"refused: something new", REFUSED("Not on Sundays"), DISPOSITION_FAILED,
		"server refused the call"},
	{"refused: silently", REFUSED(""), DISPOSITION_FAILED, "server refused the call"},
};

static void what_asterisk_says_is_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ami_outcome got = ami_outcome(&cases[i].fate);
		if (got.disposition != cases[i].disposition ||
			strcmp(got.reason, cases[i].reason) != 0)
			fail_msg("%s: %s, \"%s\"", cases[i].what, disposition_name(got.disposition),
				got.reason);
	}
}

/* The causes of the API's published map. */
static void causes_map_as_published(void **state)
{
	(void)state;
	for (uint32_t cause = 1; cause < 200; cause++) {
		struct ami_fate fate = FAILED(0, cause, NOANSWER);
		enum disposition want = DISPOSITION_FAILED;
		if (cause == 17)
			want = DISPOSITION_BUSY;
		else if (cause == 16 || cause == 18 || cause == 19)
			want = DISPOSITION_NO_ANSWER;
		else if (cause == 21)
			want = DISPOSITION_REJECTED;
		else if (cause == 1 || cause == 28)
			want = DISPOSITION_INVALID;
		else if (cause == 34 || cause == 38 || cause == 41 || cause == 42 || cause == 44)
			want = DISPOSITION_CONGESTION;
		assert_int_equal(ami_outcome(&fate).disposition, want);
	}
}

static void reasons_fit_a_call_slot(void **state)
{
	(void)state;
	static const char *const words[] = {
#define OUTCOME_REFUSAL(message, disposition, where, words) words,
#define OUTCOME_REASON(reason, disposition, where, words)   words,
#define OUTCOME_DIAL(status, disposition, where, words)	    words,
#define OUTCOME_CAUSE(cause, disposition, where, words)	    words,
#include "dispatcher/outcome.def"
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_in_range(strlen(words[i]), 1, 47);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_in_range(strlen(cases[i].reason), 1, 47);
}

static void dial_statuses_are_known_by_name(void **state)
{
	(void)state;
	assert_int_equal(ami_dial_status(STR("")), AMI_DIAL_NONE);
	assert_int_equal(ami_dial_status(STR("ANSWER")), AMI_DIAL_ANSWER);
	assert_int_equal(ami_dial_status(STR("BUSY")), AMI_DIAL_BUSY);
	assert_int_equal(ami_dial_status(STR("CONGESTION")), AMI_DIAL_CONGESTION);
	assert_int_equal(ami_dial_status(STR("NOANSWER")), AMI_DIAL_NOANSWER);
	assert_int_equal(ami_dial_status(STR("CHANUNAVAIL")), AMI_DIAL_OTHER);
}

/* enum disposition of migration 0002, word for word. */
static void dispositions_are_those_of_sql(void **state)
{
	(void)state;
	static const char *const names[] = {"completed", "busy", "no_answer", "rejected", "invalid",
		"congestion", "failed", "canceled", "expired", "suppressed", "unknown"};
	assert_int_equal(ARRAY_LEN(names), DISPOSITION__N);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_string_equal(disposition_name((enum disposition)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_asterisk_says_is_understood),
		cmocka_unit_test(causes_map_as_published),
		cmocka_unit_test(reasons_fit_a_call_slot),
		cmocka_unit_test(dial_statuses_are_known_by_name),
		cmocka_unit_test(dispositions_are_those_of_sql),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
