/* The table of an attempt's life, as a graph; and call ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "dispatcher/call.h"
#include "dispatcher/call_id.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

static void every_state_is_reached_and_left(void **state)
{
	bool reached[CALL_STATE__N] = {[CALL_PLANNED] = true}; /* by slot_open */
	(void)state;
	for (unsigned round = 0; round < CALL_STATE__N; round++)
		for (size_t i = 0; i < call_transitions_n; i++)
			if (reached[call_transitions[i].state])
				reached[call_transitions[i].next] = true;
	for (int s = CALL_FREE; s < CALL_STATE__N; s++)
		assert_true(reached[s]);
	for (int s = CALL_PLANNED; s < CALL_STATE__N; s++) {
		bool left = false;
		for (size_t i = 0; i < call_transitions_n; i++)
			left = left || ((int)call_transitions[i].state == s &&
					       (int)call_transitions[i].next != s);
		assert_true(left);
	}
}

static void no_pair_of_state_and_event_stands_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_transitions_n; i++)
		for (size_t k = i + 1; k < call_transitions_n; k++)
			assert_false(call_transitions[i].state == call_transitions[k].state &&
				     call_transitions[i].event == call_transitions[k].event);
}

/* Only proof that nothing was written (EV_NEVER_WRITTEN) leads back from SENT to where it may be written again. */
static void what_was_sent_is_never_sent_again_without_proof(void **state)
{
	(void)state;
	for (size_t i = 0; i < call_transitions_n; i++) {
		const struct call_transition *t = &call_transitions[i];
		if (t->state >= CALL_SENT && t->next != CALL_FREE && t->next < t->state)
			assert_int_equal(t->event, EV_NEVER_WRITTEN);
	}
}

static void ids_are_fixed_width_and_come_back(void **state)
{
	static const struct {
		uint64_t entry;
		uint32_t n;
		const char *id;
	} cases[] = {
		{0, 1, "ccs-0000000000000001"},
		{UINT64_C(49478023249920), 1, "ccs-002d000000000001"},
		{(UINT64_C(1) << 53) - 1, 255, "ccs-1fffffffffffffff"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char id[AMI_CALL_ID_CHARS + 1];
		uint64_t entry = 0;
		uint32_t n = 0;
		call_id_of(cases[i].entry, cases[i].n, id);
		assert_string_equal(id, cases[i].id);
		assert_true(call_id_parse(str_of(id), &entry, &n));
		assert_true(entry == cases[i].entry && n == cases[i].n);
	}
}

static void other_peoples_ids_are_not_ours(void **state)
{
	static const char *const others[] = {"", "1795356975.12", "ccs-", "ccs-0000000000000a0",
		"ccs-0000000000000A01", "ccs-000000000000000g", "ccs-0000000000000001;2",
		"xcs-0000000000000001"};
	uint64_t entry;
	uint32_t n;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(call_id_parse(str_of(others[i]), &entry, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_is_reached_and_left),
		cmocka_unit_test(no_pair_of_state_and_event_stands_twice),
		cmocka_unit_test(what_was_sent_is_never_sent_again_without_proof),
		cmocka_unit_test(ids_are_fixed_width_and_come_back),
		cmocka_unit_test(other_peoples_ids_are_not_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
