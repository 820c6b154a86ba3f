/* What a connection does while it is UP, and how it ends or is taken over, over TCP and over the Unix
 * stream of the TLS wire: see ami_manager.h. */
#include "tests/unit/dispatcher/ami_manager.h"

static void pings_and_gives_up_without_a_pong(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	int64_t now = clock_mono_us();
	assert_true(ami_conn_deadline(rig->conn) <= now + 5 * US_PER_S);
	ami_conn_tick(rig->conn, now + 5 * US_PER_S);
	expect(rig, "Action: Ping\r\n");
	ami_conn_tick(rig->conn, now + 14 * US_PER_S);
	assert_int_equal(rig->downs, 0);
	ami_conn_tick(rig->conn, now + 16 * US_PER_S);
	assert_why(rig, "no answer to Ping in time");
	rig_free(rig);
}

/* We were stopped for long, the Pong has been waiting in the kernel: not the server's fault. */
static void a_pong_that_we_read_late_still_counts(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	int64_t now = clock_mono_us();
	ami_conn_tick(rig->conn, now + 5 * US_PER_S);
	expect(rig, "Action: Ping\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nPing: Pong\r\n\r\n");
	ami_conn_tick(rig->conn, now + 60 * US_PER_S);
	assert_int_equal(rig->downs, 0);
	assert_int_equal(ami_conn_state(rig->conn), AMI_UP);
	rig_free(rig);
}

static void ends_are_told_apart(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	say(rig, "Event: Hangup\r\nUniqueid: last\r\n\r\nEvent: Newstate\r\nUniq");
	close(rig->peer);
	rig->peer = -1;
	assert_why(rig, "closed by the server");
	assert_int_equal(rig->messages, 1);
	assert_string_equal(rig->unique_id, "last");
	rig_free(rig);

	rig = rig_up(NULL);
	say(rig, "Event: Shutdown\r\nShutdown: Cleanly\r\nRestart: True\r\n\r\n");
	WAIT_FOR(rig, rig->messages == 1);
	assert_int_equal(rig->event, AMI_E_SHUTDOWN);
	assert_false(ami_conn_can_send(rig->conn));
	assert_false(ami_conn_send(rig->conn, STR("Action: Ping\r\n\r\n")));
	close(rig->peer);
	rig->peer = -1;
	assert_why(rig, "Asterisk has shut down");
	rig_free(rig);
}

static void reset_peer(struct rig *rig)
{
	struct linger reset = {.l_onoff = 1};
	assert_int_equal(setsockopt(rig->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(rig->peer);
	rig->peer = -1;
}

static void a_reset_is_told_but_not_after_a_goodbye(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	reset_peer(rig);
	assert_why(rig, "onnection");
	rig_free(rig);

	rig = rig_up(NULL);
	say(rig, "Event: Shutdown\r\nShutdown: Cleanly\r\nRestart: True\r\n\r\n");
	WAIT_FOR(rig, rig->messages == 1);
	reset_peer(rig);
	assert_why(rig, "Asterisk has shut down");
	rig_free(rig);
}

static void bytes_are_taken_after_they_have_taken_effect(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	static const char event[] = "Event: Hangup\r\nUniqueid: a\r\n\r\n";
	int unread = -1;
	say(rig, event);
	WAIT_FOR(rig, rig->messages == 1);
	assert_int_equal(rig->unread_in_callback, strlen(event));
	assert_int_equal(ioctl(ami_conn_fd(rig->conn), FIONREAD, &unread), 0);
	assert_int_equal(unread, 0);
	rig_free(rig);
}

/* A loop would sleep on now. */
static bool is_quiet(struct rig *rig)
{
	int64_t start = clock_mono_us();
	poll_wait(rig->poll, TURN_US);
	return clock_mono_us() - start >= TURN_US;
}

/* The part stays in the kernel, and must not wake us again and again. */
static void a_part_of_a_message_waits_quietly(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	say(rig, "Event: Hangup\r\nUniqueid: first\r\n\r\nEvent: Hangup\r\nUni");
	WAIT_FOR(rig, rig->messages == 1);
	assert_true(is_quiet(rig));
	say(rig, "queid: second\r\n");
	WAIT_FOR(rig, is_quiet(rig));
	assert_int_equal(rig->messages, 1);
	say(rig, "\r\n");
	WAIT_FOR(rig, rig->messages == 2);
	assert_string_equal(rig->unique_id, "second");
	assert_true(is_quiet(rig));
	say(rig, "Event: Hangup\r\nUniqueid: x\r\n\r\n"); /* shorter than what was expected */
	WAIT_FOR(rig, rig->messages == 3);
	rig_free(rig);
}

/* The manager speaks more than the kernel takes at once. */
static void say_bytes(struct rig *rig, const char *bytes, size_t n)
{
	size_t sent = 0;
	int64_t end = clock_mono_us() + PATIENCE_US;
	while (sent < n && rig->downs == 0 && clock_mono_us() < end) {
		ssize_t k = send(rig->peer, bytes + sent, n - sent, MSG_NOSIGNAL);
		if (k > 0)
			sent += (size_t)k;
		turn(rig);
	}
	assert_true(sent == n || rig->downs);
}

static void long_messages_come_whole_and_endless_ones_end_it(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	size_t most = manager_is_local ? AMI_LOCAL_MESSAGE_MAX : AMI_MESSAGE_MAX;
	size_t endless = most + 100;
	char *text = malloc(endless);
	memset(text, 'x', endless);
	say(rig, "Event: Hangup\r\nChanVariable: ");
	say_bytes(rig, text, most * 2 / 3);
	say(rig, "\r\nUniqueid: long\r\n\r\n");
	WAIT_FOR(rig, rig->messages == 1);
	assert_string_equal(rig->unique_id, "long");
	say_bytes(rig, text, endless);
	assert_why(rig, "a message without an end");
	free(text);
	rig_free(rig);
}

static void one_turn_reads_a_bounded_amount(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	struct strbuf events = STRBUF_INIT;
	static const char event[] = "Event: Hangup\r\nUniqueid: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
	unsigned said = 0, most = 0, turns = 0;

	for (; events.n < 2000000; said++)
		strbuf_puts(&events, event);
	for (size_t sent = 0; rig->messages < said; turns++) {
		unsigned before = rig->messages;
		ssize_t k =
			sent < events.n ? send(rig->peer, events.p + sent, events.n - sent, 0) : 0;
		sent += k > 0 ? (size_t)k : 0;
		turn(rig);
		most = MAX(most, rig->messages - before);
		assert_true(turns < 10000);
	}
	assert_true(most <= (256 + 16) * 1024 / strlen(event) + 1);
	assert_true(turns > 5);
	strbuf_free(&events);
	rig_free(rig);
}

static void only_foreign_business_is_passed_on(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	say(rig, "Response: Success\r\nActionID: ccs-0000000000000a01\r\nMessage: queued\r\n\r\n"
		 "Event: VarSet\r\n\r\n");
	WAIT_FOR(rig, rig->messages == 2);
	ami_conn_tick(rig->conn, clock_mono_us() + 5 * US_PER_S);
	expect(rig, "Action: Ping\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nPing: Pong\r\n\r\n"
		 "Response: Success\r\nActionID: %\r\nPing: Pong\r\n\r\n");
	WAIT_FOR(rig, rig->messages == 3); /* nobody waits for the second */
	rig_free(rig);
}

static void a_batch_is_written_whole_or_later(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	struct strbuf batch = STRBUF_INIT;
	static const char action[] = "Action: Hangup\r\nActionID: hangup-1\r\nChannel: x\r\n\r\n";
	unsigned sent = 0, heard = 0, batches = 0;

	while (batch.n + strlen(action) <= AMI_QUEUE_MAX / 2) {
		strbuf_puts(&batch, action);
		batches++;
	}
	while (ami_conn_can_send(rig->conn)) { /* the manager reads nothing meanwhile */
		assert_true(ami_conn_send(rig->conn, strbuf_view(&batch)));
		ami_conn_flush(rig->conn);
		sent += batches;
		assert_true(sent < 10000000 / strlen(action));
	}
	assert_true(ami_conn_send(rig->conn, strbuf_view(&batch)));
	sent += batches;
	assert_false(ami_conn_send(rig->conn, strbuf_view(&batch)));
	assert_true(ami_conn_deadline(rig->conn) < clock_mono_us() + US_PER_S);
	while (heard < sent) {
		expect(rig, "Action: Hangup\r\nActionID: hangup-1\r\nChannel: x\r\n\r\n");
		assert_int_equal(strlen(rig->action), strlen(action));
		heard++;
	}
	WAIT_FOR(rig, ami_conn_can_send(rig->conn));
	assert_int_equal(rig->heard.n, 0);
	assert_int_equal(rig->downs, 0);
	strbuf_free(&batch);
	rig_free(rig);
}

static void a_write_into_a_dead_connection_tells_at_the_next_tick(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	reset_peer(rig);
	assert_true(ami_conn_send(rig->conn, STR("Action: Ping\r\n\r\n")));
	ami_conn_flush(rig->conn);
	assert_int_equal(rig->downs, 0);
	assert_false(ami_conn_can_send(rig->conn));
	assert_int_equal(ami_conn_deadline(rig->conn), 0);
	assert_why(rig, "connection lost");
	rig_free(rig);
}

/* The first life is killed with unread bytes; its socket lives on in a copy. */
static void a_successor_goes_on_where_the_first_was_killed(void **state)
{
	(void)state;
	struct rig *first = rig_up(NULL);
	struct rig *second = rig_with(NULL);
	say(first, "Event: Hangup\r\nUniqueid: unread\r\n\r\nEvent: Hangup\r\nUniqueid: cu");

	ami_conn_adopt(second->conn, dup(ami_conn_fd(first->conn)), clock_mono_us());
	assert_int_equal(ami_conn_state(second->conn), AMI_UP);
	second->peer = first->peer;
	expect(second, "Action: Ping\r\n");
	WAIT_FOR(second, second->messages == 1);
	assert_string_equal(second->unique_id, "unread");
	assert_int_equal(second->probes, 0);
	say(second, "t\r\n\r\n"
		    "Response: Success\r\nActionID: ping-of-the-first\r\nPing: Pong\r\n\r\n");
	WAIT_FOR(second, second->messages == 3);
	assert_int_equal(second->probes, 0);
	say(second, "Response: Success\r\nActionID: %\r\nPing: Pong\r\n\r\n");
	WAIT_FOR(second, second->probes == 1);
	assert_int_equal(second->ups, 0);
	assert_true(ami_conn_can_send(second->conn));

	ami_conn_tick(second->conn, clock_mono_us() + 6 * US_PER_S);
	expect(second, "Action: Ping\r\n");
	say(second, "Response: Success\r\nActionID: %\r\nPing: Pong\r\n\r\n");
	WAIT_FOR(second, ami_conn_deadline(second->conn) > clock_mono_us() + 3 * US_PER_S);
	assert_int_equal(second->probes, 1);
	first->peer = -1;
	rig_free(second);
	rig_free(first);
}

static void an_adopted_corpse_is_replaced(void **state)
{
	(void)state;
	struct rig *first = rig_up(NULL);
	struct rig *second = rig_with(NULL);
	int fd = dup(ami_conn_fd(first->conn));
	close(first->peer);
	first->peer = -1;
	ami_conn_adopt(second->conn, fd, clock_mono_us());
	WAIT_FOR(second, second->downs == 1);
	WAIT_FOR(second, accepted(second));
	rig_free(second);
	rig_free(first);
}

/* Ending the connection ends it for the holder's copy too: the manager sees it. */
static void freeing_ends_the_connection_and_says_so(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	int held = dup(ami_conn_fd(rig->conn));
	char c;
	ami_conn_free(rig->conn);
	rig->conn = NULL;
	ssize_t n = recv(rig->peer, strbuf_room(&rig->heard, 1024), 1024, 0);
	assert_true(n > 0);
	assert_non_null(memmem(rig->heard.p, (size_t)n, "Action: Logoff\r\n", 16));
	assert_int_equal(recv(rig->peer, &c, 1, 0), 0);
	close(held);
	rig_free(rig);
}

/* The wire's verdict and all that the manager says may come at once. */
static void the_wires_verdict_is_heard(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	struct tls_verdict no = {.why = "TLS: the certificate of ast1 has expired: renew it"};
	WAIT_FOR(rig, (rig->peer = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	assert_int_equal(ami_conn_state(rig->conn), AMI_CONNECTING);
	assert_int_equal(send(rig->peer, &no, sizeof(no), 0), sizeof(no));
	assert_why(rig, "certificate of ast1 has expired");
	rig_free(rig);

	rig = rig_with(NULL);
	WAIT_FOR(rig, (rig->peer = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	close(rig->peer);
	rig->peer = -1;
	assert_why(rig, "the process that speaks it has ended");
	rig_free(rig);

	rig = rig_with(NULL);
	WAIT_FOR(rig, (rig->peer = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	int64_t now = clock_mono_us();
	ami_conn_tick(rig->conn, now + 29 * US_PER_S); /* the wire has its time, twice over */
	assert_int_equal(rig->downs, 0);
	ami_conn_tick(rig->conn, now + 31 * US_PER_S);
	assert_why(rig, "no answer from the process that speaks it");
	rig_free(rig);
}

/* More is there than one turn reads, and nothing that comes in later says so again. */
static void what_one_turn_leaves_is_read_in_the_next(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	struct strbuf events = STRBUF_INIT;
	static const char event[] = "Event: Hangup\r\nUniqueid: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
	int sndbuf = 1 << 20;
	unsigned said = 0;

	assert_int_equal(setsockopt(rig->peer, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)), 0);
	for (; events.n < 300000; said++)
		strbuf_puts(&events, event);
	assert_int_equal(send(rig->peer, events.p, events.n, 0), events.n);
	WAIT_FOR(rig, rig->messages == said);
	assert_true(is_quiet(rig));
	strbuf_free(&events);
	rig_free(rig);
}

static void without_a_wire_it_tries_again(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	tls_unlisten(rig->run_dir);
	assert_why(rig, "no way to the process that speaks it: No such file");
	rig_free(rig);
}

static const struct CMUnitTest both_ways[] = {
	cmocka_unit_test(pings_and_gives_up_without_a_pong),
	cmocka_unit_test(a_pong_that_we_read_late_still_counts),
	cmocka_unit_test(ends_are_told_apart),
	cmocka_unit_test(bytes_are_taken_after_they_have_taken_effect),
	cmocka_unit_test(a_part_of_a_message_waits_quietly),
	cmocka_unit_test(long_messages_come_whole_and_endless_ones_end_it),
	cmocka_unit_test(one_turn_reads_a_bounded_amount),
	cmocka_unit_test(only_foreign_business_is_passed_on),
	cmocka_unit_test(a_batch_is_written_whole_or_later),
	cmocka_unit_test(a_write_into_a_dead_connection_tells_at_the_next_tick),
	cmocka_unit_test(a_successor_goes_on_where_the_first_was_killed),
	cmocka_unit_test(an_adopted_corpse_is_replaced),
	cmocka_unit_test(freeing_ends_the_connection_and_says_so),
};
static const struct CMUnitTest over_tcp[] = {
	cmocka_unit_test(a_reset_is_told_but_not_after_a_goodbye),
};
static const struct CMUnitTest by_the_wire[] = {
	cmocka_unit_test(the_wires_verdict_is_heard),
	cmocka_unit_test(what_one_turn_leaves_is_read_in_the_next),
	cmocka_unit_test(without_a_wire_it_tries_again),
};

int main(void)
{
	int failed = cmocka_run_group_tests(both_ways, NULL, NULL);

	failed += cmocka_run_group_tests(over_tcp, NULL, NULL);
	manager_is_local = true;
	failed += cmocka_run_group_tests(both_ways, NULL, NULL);
	return failed + cmocka_run_group_tests(by_the_wire, NULL, NULL);
}
