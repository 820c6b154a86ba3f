/* Whose rules say whether an attempt was the last one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "dispatcher/disposition.h"
#include "dispatcher/redial_rules.h"

#include "common/base.h"

#include <cmocka.h> /* last: it has a macro fail() */

static const int64_t ended_us = 1000 * US_PER_S;

struct call {
	struct client client;
	struct queue queue;
	struct chunk chunk;
	struct shm_call_head head;
	struct slot slot;
};

/* Its attempt n ends busy. rules: of its client and of its batch; NULL: it says nothing. */
static struct shm_call judged(const char *of_client, const char *of_batch, uint32_t n)
{
	static struct call c;
	struct shm_call facts = {.disposition = DISPOSITION_BUSY, .ended_us = ended_us};
	c = (struct call){.head = {.n = n}};
	c.chunk.queue = &c.queue;
	c.slot = (struct slot){.client = &c.client, .chunk = &c.chunk, .head = &c.head};
	assert_true(redial_read(str_of(of_client), &c.client.redial));
	c.queue.terms.has_redial = of_batch != NULL;
	assert_true(redial_read(str_of(of_batch), &c.queue.terms.redial));
	redial_rules_judge(&c.slot, &facts);
	return facts;
}

static void assert_again(struct shm_call facts, int64_t after_s, uint32_t left)
{
	assert_true(facts.seen & SEEN_NOT_FINAL);
	assert_int_equal(facts.redial_us, ended_us + after_s * US_PER_S);
	assert_int_equal(facts.attempts_left, left);
}

static void assert_final(struct shm_call facts)
{
	assert_false(facts.seen & SEEN_NOT_FINAL);
	assert_int_equal(facts.redial_us, 0);
	assert_int_equal(facts.attempts_left, 0);
}

static void the_clients_rules_hold_where_the_batch_says_nothing(void **state)
{
	(void)state;
	assert_again(judged("busy:3:60:linear", NULL, 2), 120, 2);
	assert_final(judged("busy:3:60:linear", NULL, 4));
	assert_final(judged("", NULL, 1));
}

static void the_batchs_rules_hold_alone(void **state)
{
	(void)state;
	assert_again(judged("busy:3:60:linear", "busy:9:5", 4), 5, 6);
	assert_again(judged("", "busy:1:5", 1), 5, 1);
	assert_final(judged("busy:3:60", "busy:1:60", 2));
	assert_final(judged("busy:3:60", "no_answer:5:60", 1));
}

static void a_batch_that_wants_nothing_called_again_is_heard(void **state)
{
	(void)state;
	assert_final(judged("busy:3:60", "", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clients_rules_hold_where_the_batch_says_nothing),
		cmocka_unit_test(the_batchs_rules_hold_alone),
		cmocka_unit_test(a_batch_that_wants_nothing_called_again_is_heard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
