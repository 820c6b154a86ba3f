/* The connection against a manager that this file plays, over TCP on loopback:
 *
 *   connection                        manager
 *   connects                          "Asterisk Call Manager/11.0.0"
 *   Challenge                         Challenge: 123456
 *   Login                             Success, FullyBooted
 *   CoreShowChannels                  CoreShowChannel ..., CoreShowChannelsComplete
 *   Ping                              Pong
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "dispatcher/ami_conn.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { PATIENCE_US = 10000000, TURN_US = 20000 };

struct rig {
	struct poll *poll;
	struct ami_conn *conn;
	int listener, peer;  /* the manager's ends */
	struct strbuf heard; /* what the manager has read and not yet taken as an action */
	char action[1024];   /* the last action it took */
	char action_id[64];

	unsigned ups, downs, probes, messages;
	char why[256];
	struct ami_live live[8];
	size_t live_n;
	enum ami_event event; /* of the last message */
	char unique_id[64], message_id[64];
	int unread_in_callback; /* bytes in the kernel while the last callback ran */
};

static void copy(char *out, size_t size, struct str text)
{
	assert_true(str_copy(out, size, text));
}

static void on_up(void *arg, const struct ami_live *live, size_t n)
{
	struct rig *rig = arg;
	rig->ups++;
	assert_true(n <= ARRAY_LEN(rig->live));
	rig->live_n = n;
	if (n)
		memcpy(rig->live, live, n * sizeof(*live));
	assert_int_equal(ami_conn_state(rig->conn), AMI_UP);
	assert_true(ami_conn_can_send(rig->conn));
}

static void on_down(void *arg, const char *why)
{
	struct rig *rig = arg;
	rig->downs++;
	copy(rig->why, sizeof(rig->why), str_of(why));
	assert_string_equal(ami_conn_error(rig->conn), why);
	assert_int_equal(ami_conn_state(rig->conn), AMI_DOWN);
	assert_int_equal(ami_conn_fd(rig->conn), -1);
}

static void on_message(void *arg, const struct ami_message *msg)
{
	struct rig *rig = arg;
	rig->messages++;
	rig->event = msg->event;
	copy(rig->unique_id, sizeof(rig->unique_id), ami_header(msg, AMI_H_UNIQUEID));
	copy(rig->message_id, sizeof(rig->message_id), ami_header(msg, AMI_H_ACTION_ID));
	assert_int_equal(ioctl(ami_conn_fd(rig->conn), FIONREAD, &rig->unread_in_callback), 0);
}

static void on_probed(void *arg)
{
	((struct rig *)arg)->probes++;
}

static const struct ami_conn_ops ops = {on_up, on_down, on_message, on_probed};

static uint16_t listen_somewhere(int *listener)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(at);
	*listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(*listener >= 0);
	assert_int_equal(bind(*listener, (struct sockaddr *)&at, bytes), 0);
	assert_int_equal(listen(*listener, 8), 0);
	assert_int_equal(getsockname(*listener, (struct sockaddr *)&at, &bytes), 0);
	return ntohs(at.sin_port);
}

static struct ami_conn_conf conf_of(uint16_t port)
{
	return (struct ami_conn_conf){.host = "127.0.0.1",
		.port = port,
		.user = "disp",
		.secret = "s3cret",
		.md5 = true,
		.ping_us = 5 * US_PER_S,
		.timeout_us = 10 * US_PER_S,
		.backoff_max_us = 30 * US_PER_S};
}

static struct rig *rig_with(const struct ami_conn_conf *wanted)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct ami_conn_conf conf = conf_of(listen_somewhere(&rig->listener));
	struct err err;
	if (wanted) {
		uint16_t port = wanted->port ? wanted->port : conf.port;
		conf = *wanted;
		conf.port = port;
	}
	rig->poll = poll_new();
	rig->peer = -1;
	rig->conn = ami_conn_new(rig->poll, &conf, &ops, rig, &err);
	assert_non_null(rig->conn);
	return rig;
}

static void rig_free(struct rig *rig)
{
	ami_conn_free(rig->conn);
	poll_free(rig->poll);
	strbuf_free(&rig->heard);
	if (rig->peer >= 0)
		close(rig->peer);
	close(rig->listener);
	free(rig);
}

/* One turn of the dispatcher's loop. */
static void turn(struct rig *rig)
{
	int64_t now = clock_mono_us();
	if (now >= ami_conn_deadline(rig->conn))
		ami_conn_tick(rig->conn, now);
	poll_wait(rig->poll, TURN_US);
}

#define WAIT_FOR(rig, condition)                                                                   \
	do {                                                                                       \
		int64_t end_ = clock_mono_us() + PATIENCE_US;                                      \
		while (!(condition)) {                                                             \
			if (clock_mono_us() > end_)                                                \
				fail_msg("waited in vain for %s; last error: %s", #condition,      \
					ami_conn_error((rig)->conn));                              \
			turn(rig);                                                                 \
		}                                                                                  \
	} while (0)

static bool accepted(struct rig *rig)
{
	if (rig->peer < 0)
		rig->peer = accept4(rig->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	return rig->peer >= 0;
}

/* The manager reads; true when a whole action has come, which then stands in rig->action. */
static bool heard_action(struct rig *rig)
{
	ssize_t n = recv(rig->peer, strbuf_room(&rig->heard, 65536), 65536, 0);
	if (n > 0)
		rig->heard.n += (size_t)n;
	struct str in = strbuf_view(&rig->heard);
	const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	if (!end)
		return false;
	size_t bytes = (size_t)(end + 4 - in.p);
	copy(rig->action, sizeof(rig->action), (struct str){in.p, bytes});
	strbuf_consume(&rig->heard, bytes);
	const char *id = strstr(rig->action, "ActionID: ");
	assert_non_null(id);
	id += strlen("ActionID: ");
	copy(rig->action_id, sizeof(rig->action_id), (struct str){id, strcspn(id, "\r")});
	return true;
}

static void expect(struct rig *rig, const char *action)
{
	WAIT_FOR(rig, heard_action(rig));
	if (!strstr(rig->action, action))
		fail_msg("expected \"%s\", heard \"%s\"", action, rig->action);
}

/* The manager speaks; a % stands for the ActionID of the action it heard last. */
static void say(struct rig *rig, const char *text)
{
	struct strbuf out = STRBUF_INIT;
	for (const char *p = text; *p; p++) {
		if (*p == '%')
			strbuf_puts(&out, rig->action_id);
		else
			strbuf_putc(&out, *p);
	}
	assert_int_equal(send(rig->peer, out.p, out.n, MSG_NOSIGNAL), out.n);
	strbuf_free(&out);
}

static void greet(struct rig *rig)
{
	WAIT_FOR(rig, accepted(rig));
	say(rig, "Asterisk Call Manager/11.0.0\r\n");
}

static void let_in(struct rig *rig)
{
	greet(rig);
	expect(rig, "Action: Challenge\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nChallenge: 123456\r\n\r\n");
	/* md5 of "123456s3cret" */
	expect(rig, "Key: 5ed1f0dc9003f2a40604fea3cf6cd609\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nMessage: Authentication accepted\r\n\r\n");
}

static void list_nothing(struct rig *rig)
{
	expect(rig, "Action: CoreShowChannels\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nEventList: start\r\n\r\n"
		 "Event: CoreShowChannelsComplete\r\nActionID: %\r\nListItems: 0\r\n\r\n");
	WAIT_FOR(rig, rig->ups == 1);
}

static struct rig *rig_up(const struct ami_conn_conf *conf)
{
	struct rig *rig = rig_with(conf);
	let_in(rig);
	say(rig, "Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n");
	list_nothing(rig);
	expect(rig, "Action: Ping\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nPing: Pong\r\n\r\n");
	WAIT_FOR(rig, ami_conn_lag_us(rig->conn) > 0);
	assert_int_equal(rig->messages, 0);
	return rig;
}

static void assert_why(struct rig *rig, const char *why)
{
	WAIT_FOR(rig, rig->downs == 1);
	if (!strstr(rig->why, why))
		fail_msg("down because \"%s\", not \"%s\"", rig->why, why);
}

static void logs_in_and_learns_what_is_there(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	assert_int_equal(ami_conn_state(rig->conn), AMI_DOWN);
	let_in(rig);
	assert_int_equal(ami_conn_state(rig->conn), AMI_LOGIN);
	say(rig, "Event: FullyBooted\r\n\r\n");
	expect(rig, "Action: CoreShowChannels\r\n");
	assert_int_equal(ami_conn_state(rig->conn), AMI_RESYNC);
	assert_false(ami_conn_send(rig->conn, STR("Action: Ping\r\n\r\n")));
	say(rig, "Event: Hangup\r\nUniqueid: ccs-0000000000000c01\r\n\r\n"
		 "Response: Success\r\nActionID: %\r\nEventList: start\r\n\r\n"
		 "Event: CoreShowChannel\r\nActionID: %\r\nUniqueid: ccs-0000000000000a01\r\n"
		 "ChannelState: 6\r\n\r\n"
		 "Event: CoreShowChannel\r\nActionID: %\r\nUniqueid: ccs-0000000000000a01;2\r\n\r\n"
		 "Event: CoreShowChannel\r\nActionID: other\r\nUniqueid: "
		 "ccs-0000000000000d01\r\n\r\n"
		 "Event: CoreShowChannel\r\nActionID: %\r\nUniqueid: ast0-17953.1\r\n\r\n"
		 "Event: CoreShowChannel\r\nActionID: %\r\nUniqueid: ccs-0000000000000b02\r\n"
		 "ChannelState: 5\r\n\r\n"
		 "Event: CoreShowChannelsComplete\r\nActionID: %\r\n\r\n");
	WAIT_FOR(rig, rig->ups == 1);
	assert_int_equal(rig->live_n, 2);
	assert_string_equal(rig->live[0].call_id, "ccs-0000000000000a01");
	assert_int_equal(rig->live[0].channel_state, 6);
	assert_string_equal(rig->live[1].call_id, "ccs-0000000000000b02");
	assert_int_equal(rig->live[1].channel_state, 5);
	assert_int_equal(rig->messages, 2); /* the hang-up, and the list that was not ours */
	rig_free(rig);
}

static void logs_in_with_the_secret_where_md5_is_off(void **state)
{
	(void)state;
	struct ami_conn_conf conf = conf_of(0);
	conf.md5 = false;
	struct rig *rig = rig_with(&conf);
	greet(rig);
	expect(rig, "Secret: s3cret\r\n");
	assert_non_null(strstr(rig->action, "Events: call,cdr,system\r\n"));
	say(rig, "Response: Success\r\nActionID: %\r\n\r\nEvent: FullyBooted\r\n\r\n");
	list_nothing(rig);
	rig_free(rig);
}

static void a_wrong_secret_is_said_and_not_tried_at_once_again(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	greet(rig);
	expect(rig, "Action: Challenge\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nChallenge: 1\r\n\r\n");
	expect(rig, "Action: Login\r\n");
	say(rig, "Response: Error\r\nActionID: %\r\nMessage: Authentication failed\r\n\r\n");
	assert_why(rig, "Login refused: Authentication failed");
	assert_true(ami_conn_deadline(rig->conn) - clock_mono_us() > 14 * US_PER_S);
	rig_free(rig);
}

static void other_refusals_are_told_with_the_servers_words(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	greet(rig);
	expect(rig, "Action: Challenge\r\n");
	say(rig, "Response: Error\r\nActionID: %\r\nMessage: shutting \x01\xff down\r\n\r\n");
	assert_why(rig, "Challenge refused: shutting ?? down");
	assert_true(ami_conn_deadline(rig->conn) - clock_mono_us() < US_PER_S);
	rig_free(rig);

	rig = rig_with(NULL);
	let_in(rig);
	say(rig, "Event: FullyBooted\r\n\r\n");
	expect(rig, "Action: CoreShowChannels\r\n");
	say(rig, "Response: Error\r\nActionID: %\r\nMessage: Permission denied\r\n\r\n");
	assert_why(rig, "CoreShowChannels refused: Permission denied");
	rig_free(rig);
}

static void a_user_that_never_hears_fully_booted_gets_on(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	let_in(rig);
	WAIT_FOR(rig, ami_conn_deadline(rig->conn) - clock_mono_us() < 3 * US_PER_S);
	assert_int_equal(ami_conn_state(rig->conn), AMI_LOGIN);
	ami_conn_tick(rig->conn, clock_mono_us() + 3 * US_PER_S);
	list_nothing(rig);
	rig_free(rig);
}

static void another_service_is_recognised(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	WAIT_FOR(rig, accepted(rig));
	say(rig, "SSH-2.0-OpenSSH_9.2\r\n");
	assert_why(rig, "no Asterisk manager on this port");
	rig_free(rig);
}

static void silence_ends_every_phase(void **state)
{
	(void)state;
	struct rig *rig = rig_with(NULL);
	WAIT_FOR(rig, accepted(rig));
	WAIT_FOR(rig, ami_conn_state(rig->conn) == AMI_LOGIN);
	ami_conn_tick(rig->conn, clock_mono_us() + 11 * US_PER_S);
	assert_why(rig, "no Asterisk manager greets");
	rig_free(rig);

	rig = rig_with(NULL);
	greet(rig);
	expect(rig, "Action: Challenge\r\n");
	ami_conn_tick(rig->conn, clock_mono_us() + 11 * US_PER_S);
	assert_why(rig, "no answer to Challenge");
	rig_free(rig);

	rig = rig_with(NULL);
	let_in(rig);
	say(rig, "Event: FullyBooted\r\n\r\n");
	expect(rig, "Action: CoreShowChannels\r\n");
	ami_conn_tick(rig->conn, clock_mono_us() + 11 * US_PER_S);
	assert_why(rig, "no answer to CoreShowChannels");
	rig_free(rig);
}

static void pings_and_gives_up_without_a_pong(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	int64_t now = clock_mono_us();
	assert_in_range(ami_conn_deadline(rig->conn) - now, 3 * US_PER_S, 5 * US_PER_S);
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

	rig = rig_up(NULL);
	struct linger reset = {.l_onoff = 1};
	assert_int_equal(setsockopt(rig->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(rig->peer);
	rig->peer = -1;
	assert_why(rig, "onnection");
	rig_free(rig);
}

static void comes_back_after_a_pause(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	close(rig->peer);
	rig->peer = -1;
	assert_why(rig, "closed by the server");
	assert_in_range(ami_conn_deadline(rig->conn) - clock_mono_us(), 0, US_PER_S / 4);
	let_in(rig);
	say(rig, "Event: FullyBooted\r\n\r\n");
	expect(rig, "Action: CoreShowChannels\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\n\r\n"
		 "Event: CoreShowChannelsComplete\r\nActionID: %\r\n\r\n");
	WAIT_FOR(rig, rig->ups == 2);
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

static bool is_readable(struct rig *rig)
{
	struct pollfd p = {.fd = ami_conn_fd(rig->conn), .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

/* The part stays in the kernel, and must not wake us again and again. */
static void a_part_of_a_message_waits_quietly(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	say(rig, "Event: Hangup\r\nUniqueid: first\r\n\r\nEvent: Hangup\r\nUni");
	WAIT_FOR(rig, rig->messages == 1);
	assert_false(is_readable(rig));
	say(rig, "queid: second\r\n");
	WAIT_FOR(rig, !is_readable(rig));
	assert_int_equal(rig->messages, 1);
	say(rig, "\r\n");
	WAIT_FOR(rig, rig->messages == 2);
	assert_string_equal(rig->unique_id, "second");
	assert_false(is_readable(rig));
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
	enum { LONG = 700000, ENDLESS = AMI_MESSAGE_MAX + 100 };
	char *text = malloc(ENDLESS);
	memset(text, 'x', ENDLESS);
	say(rig, "Event: Hangup\r\nChanVariable: ");
	say_bytes(rig, text, LONG);
	say(rig, "\r\nUniqueid: long\r\n\r\n");
	WAIT_FOR(rig, rig->messages == 1);
	assert_string_equal(rig->unique_id, "long");
	say_bytes(rig, text, ENDLESS);
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
	struct linger reset = {.l_onoff = 1};
	assert_int_equal(setsockopt(rig->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(rig->peer);
	rig->peer = -1;
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

static void names_are_looked_up(void **state)
{
	(void)state;
	struct ami_conn_conf conf = conf_of(0);
	conf.host = "localhost"; /* often ::1 first, where nobody listens */
	struct rig *rig = rig_with(&conf);
	ami_conn_tick(rig->conn, clock_mono_us());
	assert_int_equal(ami_conn_state(rig->conn), AMI_CONNECTING);
	greet(rig);
	expect(rig, "Action: Challenge\r\n");
	rig_free(rig);

	conf.host = "no..such..name";
	rig = rig_with(&conf);
	assert_why(rig, "host name: ");
	rig_free(rig);

	conf.host = "localhost";
	rig = rig_with(&conf);
	ami_conn_tick(rig->conn, clock_mono_us());
	rig_free(rig); /* in the middle of the look-up */
}

static void nobody_listens(void **state)
{
	(void)state;
	int unused;
	struct ami_conn_conf conf = conf_of(listen_somewhere(&unused));
	close(unused);
	struct rig *rig = rig_with(&conf);
	assert_why(rig, "no connection: Connection refused");
	WAIT_FOR(rig, rig->downs == 3);
	assert_true(ami_conn_deadline(rig->conn) - clock_mono_us() > US_PER_S / 4);
	rig_free(rig);
}

static void a_login_that_cannot_be_sent_is_refused(void **state)
{
	(void)state;
	struct poll *poll = poll_new();
	struct ami_conn_conf conf = conf_of(5038);
	struct err err;
	conf.user = "disp\nAction: x";
	assert_null(ami_conn_new(poll, &conf, &ops, NULL, &err));
	assert_non_null(strstr(err.text, "Username"));
	conf = conf_of(5038);
	conf.md5 = false;
	conf.secret = "two\r\nlines";
	assert_null(ami_conn_new(poll, &conf, &ops, NULL, &err));
	assert_non_null(strstr(err.text, "Secret"));
	assert_null(strstr(err.text, "lines"));
	poll_free(poll);
}

static void the_pause_grows_and_is_spread(void **state)
{
	(void)state;
	int64_t max = 30 * US_PER_S;
	assert_int_equal(ami_backoff_us(1, max, 0), 250000);
	assert_int_equal(ami_backoff_us(2, max, 0), 500000);
	assert_int_equal(ami_backoff_us(5, max, 0), 4000000);
	assert_int_equal(ami_backoff_us(8, max, 0), max);
	assert_int_equal(ami_backoff_us(4000000000U, max, 0), max);
	assert_int_equal(ami_backoff_us(0, max, 0), 250000);
	assert_int_equal(ami_backoff_us(1, 100000, 0), 100000);
	for (unsigned n = 1; n < 40; n++) {
		int64_t full = ami_backoff_us(n, max, 0);
		assert_int_equal(ami_backoff_us(n, max, UINT32_MAX), full - full / 2);
		assert_in_range(ami_backoff_us(n, max, UINT32_MAX / 3), full / 2, full);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in_and_learns_what_is_there),
		cmocka_unit_test(logs_in_with_the_secret_where_md5_is_off),
		cmocka_unit_test(a_wrong_secret_is_said_and_not_tried_at_once_again),
		cmocka_unit_test(other_refusals_are_told_with_the_servers_words),
		cmocka_unit_test(a_user_that_never_hears_fully_booted_gets_on),
		cmocka_unit_test(another_service_is_recognised),
		cmocka_unit_test(silence_ends_every_phase),
		cmocka_unit_test(pings_and_gives_up_without_a_pong),
		cmocka_unit_test(a_pong_that_we_read_late_still_counts),
		cmocka_unit_test(ends_are_told_apart),
		cmocka_unit_test(comes_back_after_a_pause),
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
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_login_that_cannot_be_sent_is_refused),
		cmocka_unit_test(the_pause_grows_and_is_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
