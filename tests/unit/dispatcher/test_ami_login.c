/* From DOWN to UP, and what can be in the way: see ami_manager.h. */
#include "dispatcher/ami_sock.h"
#include "tests/unit/dispatcher/ami_manager.h"

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
	assert_non_null(strstr(rig->action, "Events: call,cdr,system,user\r\n"));
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
	assert_true(rig->pause_us > 14 * US_PER_S);
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
	assert_true(rig->pause_us <= US_PER_S / 4);
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

static void comes_back_after_a_pause(void **state)
{
	(void)state;
	struct rig *rig = rig_up(NULL);
	close(rig->peer);
	rig->peer = -1;
	assert_why(rig, "closed by the server");
	assert_true(rig->pause_us <= US_PER_S / 4);
	let_in(rig);
	say(rig, "Event: FullyBooted\r\n\r\n");
	expect(rig, "Action: CoreShowChannels\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\n\r\n"
		 "Event: CoreShowChannelsComplete\r\nActionID: %\r\n\r\n");
	WAIT_FOR(rig, rig->ups == 2);
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
	assert_true(rig->pause_us > US_PER_S / 4);
	rig_free(rig);
}

static void a_socket_connected_to_itself_is_no_server(void **state)
{
	(void)state;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(at);
	struct ami_sock sock = AMI_SOCK_NONE;
	struct err err;
	sock.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(sock.fd, (struct sockaddr *)&at, bytes), 0);
	assert_int_equal(getsockname(sock.fd, (struct sockaddr *)&at, &bytes), 0);
	assert_int_equal(connect(sock.fd, (struct sockaddr *)&at, bytes), 0);
	assert_false(ami_sock_connected(&sock, &err));
	assert_string_equal(err.text, "no connection: Connection refused");
	ami_sock_close(&sock);
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
		cmocka_unit_test(comes_back_after_a_pause),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_socket_connected_to_itself_is_no_server),
		cmocka_unit_test(a_login_that_cannot_be_sent_is_refused),
		cmocka_unit_test(the_pause_grows_and_is_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
