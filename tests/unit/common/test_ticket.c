/* Tickets: what is read back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ticket.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

#define NOW_US INT64_C(1795337990250000)

static struct jwt_ring ring;
static char path[64];

static int make_ring(void **state)
{
	struct err err;
	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/ccs-ticket-jwt-%d", (int)getpid());
	assert_true(jwt_ring_create(path, &err) && jwt_ring_load(&ring, path, &err));
	return 0;
}

static int remove_ring(void **state)
{
	(void)state;
	return unlink(path);
}

static struct ticket by_key(void)
{
	return (struct ticket){.issued_us = NOW_US, .client_id = 7, .key = digest_of(STR("key"))};
}

static void issue(struct ticket *ticket, char text[TICKET_CHARS + 1])
{
	struct err err;
	assert_true(ticket_issue(&ring, "node", ticket, text, &err));
	assert_int_equal(strlen(text), TICKET_CHARS);
}

static const char *refusal_of(const char *node, const char *text, int64_t now_us)
{
	static struct err err;
	struct ticket ticket = {.client_id = 99};
	assert_false(ticket_read(&ring, node, str_of(text), now_us, &ticket, &err));
	assert_int_equal(err.kind, ERR_AUTH);
	assert_int_equal(ticket.client_id, 99);
	return err.code;
}

static void test_what_is_issued_is_read(void **state)
{
	(void)state;
	struct ticket key = by_key(), read;
	struct ticket token = {.issued_us = NOW_US,
		.client_id = 7,
		.by_token = 1,
		.token = {.user_id = 1,
			.session_id = 2,
			.version = 3,
			.expires_s = 1795339000,
			.kid = "abcdefgh"}};
	char text[TICKET_CHARS + 1];
	struct err err;
	issue(&key, text);
	assert_true(
		ticket_read(&ring, "node", str_of(text), NOW_US + 30 * US_PER_S - 1, &read, &err));
	assert_memory_equal(&read, &key, sizeof(key));
	issue(&token, text);
	assert_true(ticket_read(&ring, "node", str_of(text), NOW_US, &read, &err));
	assert_memory_equal(&read, &token, sizeof(token));
}

static void test_no_two_are_alike(void **state)
{
	(void)state;
	struct ticket one = by_key(), two = by_key();
	char first[TICKET_CHARS + 1], second[TICKET_CHARS + 1];
	issue(&one, first);
	issue(&two, second);
	assert_string_not_equal(first, second);
}

static void test_every_changed_character_is_noticed(void **state)
{
	(void)state;
	struct ticket ticket = by_key();
	char text[TICKET_CHARS + 1];
	issue(&ticket, text);
	for (size_t i = 0; i < TICKET_CHARS; i++) {
		char kept = text[i];
		text[i] = kept == '0' ? '1' : '0';
		assert_string_equal(refusal_of("node", text, NOW_US), "ticket_invalid");
		text[i] = kept;
	}
	text[TICKET_CHARS - 1] = '\0';
	assert_string_equal(refusal_of("node", text, NOW_US), "ticket_invalid");
	assert_string_equal(refusal_of("node", "", NOW_US), "ticket_invalid");
}

static void test_it_is_over_after_half_a_minute_and_belongs_to_its_node(void **state)
{
	(void)state;
	struct ticket ticket = by_key();
	char text[TICKET_CHARS + 1];
	issue(&ticket, text);
	assert_string_equal(refusal_of("node", text, NOW_US + 30 * US_PER_S), "ticket_expired");
	assert_string_equal(refusal_of("other", text, NOW_US), "ticket_invalid");
}

static void test_a_retired_key_takes_its_tickets_along(void **state)
{
	(void)state;
	struct ticket ticket = by_key(), read;
	char text[TICKET_CHARS + 1], kid[JWT_KID_CHARS + 1];
	struct err err;
	issue(&ticket, text);
	memcpy(kid, text, JWT_KID_CHARS);
	kid[JWT_KID_CHARS] = '\0';
	assert_true(jwt_ring_rotate(path, &err));
	assert_true(ticket_read(&ring, "node", str_of(text), NOW_US, &read, &err));
	assert_true(jwt_ring_retire(path, str_of(kid), &err) && jwt_ring_load(&ring, path, &err));
	assert_string_equal(refusal_of("node", text, NOW_US), "ticket_invalid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_issued_is_read),
		cmocka_unit_test(test_no_two_are_alike),
		cmocka_unit_test(test_every_changed_character_is_noticed),
		cmocka_unit_test(test_it_is_over_after_half_a_minute_and_belongs_to_its_node),
		cmocka_unit_test(test_a_retired_key_takes_its_tickets_along),
	};
	return cmocka_run_group_tests(tests, make_ring, remove_ring);
}
