/* The TLS wire: who is believed, what is told, and how it ends. */
#include "tests/unit/dispatcher/tls_stand.h"

/* ---- who is believed ---- */

struct meeting {
	struct says says;
	const char *ca_file, *name;
	const char *words;	      /* "" = the connection stands */
	const char *words_unverified; /* NULL: it stands then */
};

static void meet(const struct meeting *m, bool verify)
{
	struct identity identity = identity_new(&m->says);
	struct peer peer = peer_start(&identity, NULL, echoes);
	struct tls_request request = request_for(peer.port, m->ca_file, m->name);
	char hello[6];

	request.trust.verify = verify;
	int fd = ask_for(&request);
	const char *words = verify ? m->words : m->words_unverified ? m->words_unverified : "";
	expect_words(hear(fd), words);
	if (!*words) {
		read_exactly(fd, hello, sizeof(hello));
		assert_memory_equal(hello, "hello\n", 6);
		(void)shutdown(fd, SHUT_RDWR);
	}
	close(fd);
	peer_end(&peer);
	identity_free(&identity);
}

static void meet_all(const struct meeting *meetings, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		meet(&meetings[i], true);
		meet(&meetings[i], false);
	}
}

static void who_shows_a_good_certificate_is_believed(void **state)
{
	(void)state;
	const struct meeting meetings[] = {
		{{.names = "DNS:ast1.test", .issuer = &ca}, ca_path, "ast1.test", "", NULL},
		{{.names = "IP:127.0.0.1", .issuer = &ca}, ca_path, "127.0.0.1", "", NULL},
		{{.names = "IP:::1", .issuer = &ca}, ca_path, "::1", "", NULL},
		{{.names = "DNS:x.test,DNS:*.ast.test", .issuer = &ca}, ca_path, "a.ast.test", "",
			NULL},
		{{.issuer = &ca}, ca_path, "ast1.test", "", NULL}, /* by its common name */
	};
	meet_all(meetings, ARRAY_LEN(meetings));
}

static void a_servers_own_certificate_can_vouch_for_it(void **state)
{
	(void)state;
	struct peer peer = peer_start(&own, NULL, echoes);
	struct tls_request request = request_for(peer.port, own_path, "ast1.test");
	int fd = ask_for(&request);
	expect_words(hear(fd), "");
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
	peer_end(&peer);
}

static void who_shows_a_bad_certificate_is_refused_in_words(void **state)
{
	(void)state;
	static const char missing[] = "/nowhere/ca.pem";
	const struct says fine = {.names = "DNS:ast1.test", .issuer = &ca};
	const struct meeting meetings[] = {
		{fine, ca_path, "127.0.0.1", "is for ast1.test, not 127.0.0.1; tls_name", NULL},
		{{.common_name = "x", .names = "IP:192.0.2.1", .issuer = &ca}, ca_path, "ast1.test",
			"is for 192.0.2.1, not ast1.test", NULL},
		{{.names = "DNS:*.test", .issuer = &ca}, ca_path, "a.b.test", "is for *.test, not",
			NULL},
		{{.names = "DNS:ast1.test", .from_days = -9, .to_days = -1, .issuer = &ca}, ca_path,
			"ast1.test", "of ast1.test has expired: renew it", NULL},
		{{.names = "DNS:ast1.test", .from_days = 1, .to_days = 9, .issuer = &ca}, ca_path,
			"ast1.test", "of ast1.test is not valid yet: compare the clocks", NULL},
		{fine, other_path, "ast1.test", "no certificate in", NULL},
		{{.names = "DNS:ast1.test"}, ca_path, "ast1.test", "no certificate in", NULL},
		{fine, "", "ast1.test", "set tls_ca", NULL},
		{{.names = "DNS:ast1.test"}, "", "ast1.test", "set tls_ca", NULL},
		{{.names = "DNS:ast1.test", .usage = "clientAuth", .issuer = &ca}, ca_path,
			"ast1.test", "of ast1.test is not one for servers", NULL},
		{fine, missing, "ast1.test", "tls_ca /nowhere/ca.pem: No such file", NULL},
		{fine, empty_path, "ast1.test", "there is no certificate in it", NULL},
	};
	meet_all(meetings, ARRAY_LEN(meetings));
}

/* ---- what is no TLS server, or none of ours ---- */

static void others_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		struct oddity oddity;
		role_fn *role;
		int64_t timeout_us;
		const char *words;
	} others[] = {
		{{.in_clear = true}, greets_in_clear, 10 * US_PER_S, "does not speak TLS"},
		{{.in_clear = true}, says_nothing, US_PER_S / 5,
			"no answer to the handshake in time"},
		{{.in_clear = true}, hangs_up, 10 * US_PER_S, "handshake failed"},
		{{.newest = TLS1_1_VERSION}, echoes, 10 * US_PER_S, "no TLS 1.2 or later"},
		{{.newest = TLS1_2_VERSION}, echoes, 10 * US_PER_S, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct peer peer = peer_start(&good, &others[i].oddity, others[i].role);
		struct tls_request request = request_for(peer.port, ca_path, "ast1.test");
		request.timeout_us = others[i].timeout_us;
		int fd = ask_for(&request);
		expect_words(hear(fd), others[i].words);
		(void)shutdown(fd, SHUT_RDWR);
		close(fd);
		peer_end(&peer);
	}
}

static void nobody_there_is_told(void **state)
{
	(void)state;
	uint16_t port;
	int fd = listen_on_loopback(&port);
	close(fd);
	struct tls_request request = request_for(port, ca_path, "ast1.test");
	fd = ask_for(&request);
	expect_words(hear(fd), "no connection: Connection refused");
	expect_end(fd);
	close(fd);
}

static void waits_for_a_word(struct stage *stage)
{
	static const struct oddity none;
	await_word(stage);
	stage->ssl = accept_tls(stage->fd, &good, &none);
	echoes(stage);
}

static void a_slow_handshake_holds_up_nobody(void **state)
{
	(void)state;
	const struct oddity slow = {.in_clear = true};
	struct peer first = peer_start(&good, &slow, waits_for_a_word);
	struct tls_request request = request_for(first.port, ca_path, "ast1.test");
	int waiting = ask_for(&request);

	struct peer second = peer_start(&good, NULL, echoes);
	int fd = open_to(&second);
	close(fd);
	peer_end(&second);

	peer_go(&first);
	expect_words(hear(waiting), "");
	close(waiting);
	peer_end(&first);
}

static void a_child_that_goes_ends_the_attempt(void **state)
{
	(void)state;
	const struct oddity slow = {.in_clear = true};
	struct peer peer = peer_start(&good, &slow, says_nothing); /* until the wire hangs up */
	struct tls_request request = request_for(peer.port, ca_path, "ast1.test");
	int fd = ask_for(&request);
	close(fd);
	peer_end(&peer);
}

static void a_request_that_is_none_is_closed(void **state)
{
	(void)state;
	struct tls_request request = request_for(1, ca_path, "ast1.test");
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct tls_world world = {
		.poll = poll_new(), .context = tls_context(), .soonest_us = INT64_MAX};
	struct tls_pipe *pipe = tls_pipe_new(&world, pair[0]);
	assert_int_equal(send(pair[1], &request, 5, 0), 5);
	poll_wait(world.poll, PATIENCE_MS * 1000);
	assert_int_equal(pipe->state, TLS_ENDED);
	assert_true(world.soonest_us <= clock_mono_us());
	tls_pipe_free(pipe);
	expect_end(pair[1]);
	close(pair[1]);
	SSL_CTX_free(world.context);
	poll_free(world.poll);
}

/* ---- the wire's own end ---- */

static void the_next_wire_answers_what_was_asked_of_none(void **state)
{
	(void)state;
	struct peer first = peer_start(&good, NULL, echoes);
	struct peer second = peer_start(&good, NULL, echoes);
	int fd = open_to(&first);
	char hello[6];

	read_exactly(fd, hello, sizeof(hello));
	assert_int_equal(WTERMSIG(stop_wire(SIGKILL)), SIGKILL);
	expect_end(fd);
	close(fd);
	peer_end(&first);

	struct tls_request request = request_for(second.port, ca_path, "ast1.test");
	fd = ask_for(&request);
	start_wire();
	expect_words(hear(fd), "");
	close(fd);
	peer_end(&second);
}

static void an_orderly_end_leaves_nothing(void **state)
{
	(void)state;
	struct peer peer = peer_start(&good, NULL, tells_records);
	static const char logoff[] = "Action: Logoff\r\n\r\n";
	int fd = open_to(&peer);
	int record[2];

	assert_int_equal(send(fd, logoff, strlen(logoff), MSG_NOSIGNAL), strlen(logoff));
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
	int status = stop_wire(SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	await_readable(peer.told);
	assert_int_equal(read(peer.told, record, sizeof(record)), sizeof(record));
	assert_int_equal(record[0], strlen(logoff));
	assert_int_equal(read(peer.told, record, sizeof(record)), sizeof(record));
	assert_int_equal(record[0], -1);
	peer_end(&peer);
	start_wire();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_shows_a_good_certificate_is_believed),
		cmocka_unit_test(a_servers_own_certificate_can_vouch_for_it),
		cmocka_unit_test(who_shows_a_bad_certificate_is_refused_in_words),
		cmocka_unit_test(others_are_told_apart),
		cmocka_unit_test(nobody_there_is_told),
		cmocka_unit_test(a_slow_handshake_holds_up_nobody),
		cmocka_unit_test(a_child_that_goes_ends_the_attempt),
		cmocka_unit_test(a_request_that_is_none_is_closed),
		cmocka_unit_test(the_next_wire_answers_what_was_asked_of_none),
		cmocka_unit_test(an_orderly_end_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
