/* What Asterisk's messages do to a call, also to one whose life before was killed in the middle of taking one in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <utlist.h>

#include "sched_rig.h"

#include "dispatcher/ami_parse.h"
#include "dispatcher/call.h"
#include "dispatcher/call_id.h"
#include "dispatcher/call_result.h"
#include "dispatcher/disposition.h"
#include "shm/counters.h"

#include <cmocka.h> /* last: it has a macro fail() */

static const struct rig_size size = {
	.clients = 1, .servers = 1, .shares = 1, .calls = 64, .waiting = 1024};

static int set_up(void **state)
{
	*state = rig_new(&size);
	return 0;
}

static int tear_down(void **state)
{
	rig_free(*state);
	return 0;
}

/* A call whose Originate has been written; two Responses are owed, its own and one of another call. */
static struct slot *sent(struct rig *rig)
{
	struct call_cause cause = {.at_us = rig->d.now_us};
	uint64_t entry = rig->next_chunk << 10;
	rig_announce(rig, 0);
	sched_pass(&rig->d);
	struct slot *slot = slot_of_entry(&rig->d, entry);
	assert_non_null(slot);
	assert_true(call_step(&rig->d, slot, EV_JOURNALLED, &cause));
	DL_DELETE(slot->server->armed, slot);
	slot->server->armed_n--;
	slot->server->unanswered = 2;
	assert_true(call_step(&rig->d, slot, EV_WRITE, &cause));
	assert_int_equal(slot_state(slot), CALL_SENT);
	return slot;
}

static void hear_response(const struct slot *slot, const char *response)
{
	char id[AMI_CALL_ID_CHARS + 1], text[200];
	struct ami_message msg;
	size_t searched = 0, used;
	call_id_of(slot->entry_id, slot->head->n, id);
	(void)snprintf(text, sizeof(text),
		"Response: %s\r\nActionID: %s\r\nMessage: as told\r\n\r\n", response, id);
	assert_int_equal(ami_parse_next(str_of(text), &searched, &msg, &used), AMI_MESSAGE);
	call_message(slot->server, &msg);
}

static void a_response_is_taken_once(void **state)
{
	struct rig *rig = *state;
	struct slot *slot = sent(rig);
	hear_response(slot, "Success");
	assert_int_equal(slot_state(slot), CALL_DIALING);
	assert_int_equal(slot->server->unanswered, 1);
	hear_response(slot, "Error");
	assert_int_equal(slot_state(slot), CALL_DIALING);
	assert_int_equal(slot->server->unanswered, 1);
}

static void a_refusal_ends_the_call(void **state)
{
	struct rig *rig = *state;
	struct slot *slot = sent(rig);
	hear_response(slot, "Error");
	assert_int_equal(slot_state(slot), CALL_ENDED);
	assert_int_equal(slot->call->disposition, DISPOSITION_FAILED);
	assert_int_equal(slot->server->unanswered, 1);
}

/* Killed when the slot said that there was a Response, and before that had an effect: the next life reads it again, and does not
 * count it as owed. */
static void a_response_that_a_kill_has_cut_off_has_its_effect(void **state)
{
	static const struct {
		const char *response;
		enum shm_call_state state;
	} cases[] = {{"Success", CALL_DIALING}, {"Error", CALL_ENDED}};
	struct rig *rig = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slot *slot = sent(rig);
		call_see(&rig->d, slot, SEEN_RESPONSE);
		slot->server->unanswered = 1;
		hear_response(slot, cases[i].response);
		assert_int_equal(slot_state(slot), cases[i].state);
		assert_int_equal(slot->server->unanswered, 1);
	}
}

static void hear(struct server *server, const char *fmt, ...) PRINTF(2, 3);

static void hear(struct server *server, const char *fmt, ...)
{
	char text[1000];
	struct ami_message msg;
	size_t searched = 0, used;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert_int_equal(ami_parse_next(str_of(text), &searched, &msg, &used), AMI_MESSAGE);
	call_message(server, &msg);
}

/* As Asterisk writes it, on whatever channel. */
static void tell(struct server *server, const char *name, const char *call_id, const char *lines)
{
	hear(server,
		"Event: UserEvent\r\nPrivilege: user,all\r\nChannel: PJSIP/agent-1\r\nContext: "
		"x\r\n"
		"Uniqueid: 1795356975.7\r\nUserEvent: %s\r\n%s%s\r\n%s\r\n",
		name, *call_id ? "CallId: " : "", call_id, lines);
}

static uint64_t refused(const struct rig *rig)
{
	return counter_read(rig->d.seg, COUNTER_results_refused);
}

static void assert_result(const struct rig *rig, const struct slot *slot, const char *expected)
{
	struct strbuf json = STRBUF_INIT;
	call_result_json(&rig->d, slot, &json);
	assert_string_equal(json.p, expected);
	strbuf_free(&json);
}

static void results_are_of_the_call_that_is_named(void **state)
{
	struct rig *rig = *state;
	struct slot *slot = sent(rig);
	char id[AMI_CALL_ID_CHARS + 1], other[AMI_CALL_ID_CHARS + 1];
	call_id_of(slot->entry_id, slot->head->n, id);
	call_id_of(slot->entry_id, slot->head->n + 1, other);
	assert_result(rig, slot, "null");
	assert_null(call_answered_by(&rig->d, slot));
	tell(slot->server, "CcsResult", id, "digit: 5\r\nAnswer: yes: no\r\n");
	tell(slot->server, "CcsResult", id, "digit: 7\r\namd_status: NOTSURE\r\n");
	assert_result(
		rig, slot, "{\"Answer\":\"yes: no\",\"digit\":\"7\",\"amd_status\":\"NOTSURE\"}");
	assert_string_equal(call_answered_by(&rig->d, slot), "unknown");
	assert_int_equal(refused(rig), 0);
	tell(slot->server, "Somebody", id, "digit: 8\r\n");
	assert_int_equal(refused(rig), 0);
	tell(slot->server, "CcsResult", other, "digit: 8\r\n");
	tell(slot->server, "CcsResult", "nothing", "digit: 8\r\n");
	tell(slot->server, "CcsResult", "", "digit: 8\r\n");
	tell(slot->server, "CcsResult", id, "a-b: 8\r\n");
	assert_int_equal(refused(rig), 4);
	assert_result(
		rig, slot, "{\"Answer\":\"yes: no\",\"digit\":\"7\",\"amd_status\":\"NOTSURE\"}");
}

/* What is read again after a kill is known; what is new comes too late. */
static void results_end_with_the_call(void **state)
{
	struct rig *rig = *state;
	struct slot *slot = sent(rig);
	char id[AMI_CALL_ID_CHARS + 1];
	call_id_of(slot->entry_id, slot->head->n, id);
	tell(slot->server, "CcsResult", id, "digit: 5\r\n");
	hear_response(slot, "Error");
	assert_int_equal(slot_state(slot), CALL_ENDED);
	tell(slot->server, "CcsResult", id, "digit: 5\r\n");
	assert_int_equal(refused(rig), 0);
	tell(slot->server, "CcsResult", id, "digit: 6\r\n");
	assert_int_equal(refused(rig), 1);
	assert_result(rig, slot, "{\"digit\":\"5\"}");
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_response_is_taken_once),
		RIG_TEST(a_refusal_ends_the_call),
		RIG_TEST(a_response_that_a_kill_has_cut_off_has_its_effect),
		RIG_TEST(results_are_of_the_call_that_is_named),
		RIG_TEST(results_end_with_the_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
