/* The TLS wire as a process, between a child that asks and servers of all sorts: see tls_peer.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/strbuf.h"
#include "dispatcher/tls_link.h"
#include "dispatcher/tls_pipe.h"
#include "dispatcher/tls_wire.h"

#include "tests/unit/dispatcher/tls_peer.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
static int __lsan_do_recoverable_leak_check(void)
{
	return 0;
}
#endif

enum { PATIENCE_MS = 10000 };

static char dir[] = "/tmp/ccs-unit-XXXXXX";
static char ca_path[64], other_path[64], own_path[64], empty_path[64];
static struct identity ca, other, good, own;
static int listener;
static pid_t wire;

/* ---- the wire and its child's side ---- */

/* As the holder does: SIGTERM waits until the wire listens to it. */
static void start_wire(void)
{
	sigset_t set, before;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &before), 0);
	wire = fork();
	assert_true(wire >= 0);
	if (wire > 0) {
		assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	keep_only(&listener, 1);
	int status = tls_wire_run(STDERR_FILENO + 1);
	_exit(status ? status : __lsan_do_recoverable_leak_check());
}

static int stop_wire(int how)
{
	int status;
	assert_int_equal(kill(wire, how), 0);
	assert_int_equal(waitpid(wire, &status, 0), wire);
	return status;
}

static void set_text(char *out, size_t size, const char *text)
{
	assert_true(str_copy(out, size, str_of(text)));
}

static struct tls_request request_for(uint16_t port, const char *ca_file, const char *name)
{
	struct tls_request request = {
		.address_bytes = sizeof(struct sockaddr_in),
		.timeout_us = 10 * US_PER_S,
		.trust = {.verify = true},
	};
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port)};
	memcpy(&request.address, &at, sizeof(at));
	set_text(request.trust.ca, sizeof(request.trust.ca), ca_file);
	set_text(request.trust.name, sizeof(request.trust.name), name);
	return request;
}

static int ask_for(const struct tls_request *request)
{
	struct err err;
	int fd;
	if (!tls_ask(dir, request, &fd, &err))
		fail_msg("%s", err.text);
	return fd;
}

static void await_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* Returns what is wrong; "" = the connection stands. */
static const char *hear(int fd)
{
	static struct err err;
	await_readable(fd);
	enum tls_heard heard = tls_hear(fd, &err);
	assert_int_not_equal(heard, TLS_NOTHING_YET);
	if (heard == TLS_SECURED)
		return "";
	assert_true(*err.text);
	assert_true(strlen(err.text) < 128); /* as last_error can show it */
	return err.text;
}

static void expect_words(const char *said, const char *words)
{
	if (*words ? !strstr(said, words) : *said)
		fail_msg("said \"%s\", not \"%s\"", said, words);
}

static void read_exactly(int fd, char *out, size_t n)
{
	for (size_t got = 0; got < n;) {
		await_readable(fd);
		ssize_t k = recv(fd, out + got, n - got, 0);
		assert_true(k > 0);
		got += (size_t)k;
	}
}

static void expect_end(int fd)
{
	char c;
	await_readable(fd);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

/* A connection through the wire to this server, that stands. */
static int open_to(const struct peer *peer)
{
	struct tls_request request = request_for(peer->port, ca_path, "ast1.test");
	int fd = ask_for(&request);
	expect_words(hear(fd), "");
	return fd;
}

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

/* ---- bytes ---- */

static void records_end_with_lines(void **state)
{
	(void)state;
	char text[3000];
	memset(text, 'x', sizeof(text));
	assert_int_equal(tls_record_bytes(STR(""), false), 0);
	assert_int_equal(tls_record_bytes(STR(""), true), 0);
	assert_int_equal(tls_record_bytes(STR("Action: Ping\r"), false), 0);
	assert_int_equal(tls_record_bytes(STR("Action: Ping\r"), true), 13);
	assert_int_equal(tls_record_bytes(STR("a: b\r\nc: d\r\n\r\nAct"), false), 14);
	assert_int_equal(tls_record_bytes((struct str){text, 1023}, false), 0);
	assert_int_equal(tls_record_bytes((struct str){text, 1024}, false), 1024);
	assert_int_equal(tls_record_bytes((struct str){text, 3000}, false), 1024);
	text[1023] = '\n';
	assert_int_equal(tls_record_bytes((struct str){text, 3000}, false), 1024);
	text[1023] = 'x';
	text[1024] = '\n';
	text[9] = '\n';
	assert_int_equal(tls_record_bytes((struct str){text, 3000}, false), 10);
}

/* One SSL_read returns at most one record: tells its length and its last byte. */
static void tells_records(struct stage *stage)
{
	char piece[16384];
	int n;
	while ((n = SSL_read(stage->ssl, piece, sizeof(piece))) > 0) {
		int record[2] = {n, piece[n - 1]};
		(void)!write(stage->tell, record, sizeof(record));
	}
	int ended_by_tls = SSL_get_shutdown(stage->ssl) & SSL_RECEIVED_SHUTDOWN ? -1 : -2;
	(void)!write(stage->tell, (int[2]){ended_by_tls, 0}, 2 * sizeof(int));
}

static void what_the_child_writes_last_still_arrives(void **state)
{
	(void)state;
	struct peer peer = peer_start(&good, NULL, tells_records);
	struct strbuf out = STRBUF_INIT;
	int fd = open_to(&peer);
	size_t heard = 0;
	int record[2];

	for (int i = 0; i < 100; i++)
		strbuf_printf(&out,
			"Action: Originate\r\nActionID: ccs-%014x01\r\nData: %0*d\r\n\r\n", i,
			i * 9 + 1, 0);
	assert_int_equal(send(fd, out.p, out.n, MSG_NOSIGNAL), out.n);
	(void)shutdown(fd, SHUT_RDWR); /* as ami_sock_close does, also for the holder's copy */
	close(fd);
	for (;;) {
		await_readable(peer.told);
		assert_int_equal(read(peer.told, record, sizeof(record)), sizeof(record));
		if (record[0] < 0)
			break;
		assert_true(record[0] <= 1024);
		assert_int_equal(record[1], '\n');
		heard += (size_t)record[0];
	}
	assert_int_equal(record[0], -1);
	assert_int_equal(heard, out.n);
	strbuf_free(&out);
	peer_end(&peer);
}

/* Writes until nobody takes any more for a while, says how much that was, and ends. */
static void floods(struct stage *stage)
{
	static char block[16000];
	uint64_t written = 0;
	(void)fcntl(stage->fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)((written + i) % 251);
		if (SSL_write(stage->ssl, block, sizeof(block)) > 0) {
			written += sizeof(block);
			continue;
		}
		struct pollfd p = {.fd = stage->fd, .events = POLLOUT};
		if (poll(&p, 1, 300) == 0)
			break;
	}
	(void)!write(stage->tell, &written, sizeof(written));
	(void)fcntl(stage->fd, F_SETFL, 0);
	(void)SSL_write(stage->ssl, block, sizeof(block)); /* the one that had not gone */
	(void)SSL_shutdown(stage->ssl);
}

static void a_child_that_does_not_read_stops_the_server(void **state)
{
	(void)state;
	enum { BOUND = 64 << 20 }; /* of all the kernel's buffers on the way, and a piece */
	struct peer peer = peer_start(&good, NULL, floods);
	int fd = open_to(&peer);
	uint64_t written;
	char block[16000];

	await_readable(peer.told);
	assert_int_equal(read(peer.told, &written, sizeof(written)), sizeof(written));
	assert_true(written > 0 && written < BOUND);
	for (uint64_t at = 0; at < written + sizeof(block); at += sizeof(block)) {
		read_exactly(fd, block, sizeof(block));
		for (size_t i = 0; i < sizeof(block); i++)
			if (block[i] != (char)((at + i) % 251))
				fail_msg("byte %zu is wrong", (size_t)at + i);
	}
	expect_end(fd);
	close(fd);
	peer_end(&peer);
}

/* Reads nothing until it may, then all. */
static void reads_late(struct stage *stage)
{
	char piece[16384];
	uint64_t heard = 0;
	int n;
	await_word(stage);
	while ((n = SSL_read(stage->ssl, piece, sizeof(piece))) > 0)
		heard += (uint64_t)n;
	(void)!write(stage->tell, &heard, sizeof(heard));
}

static void a_server_that_does_not_read_stops_the_child(void **state)
{
	(void)state;
	struct peer peer = peer_start(&good, NULL, reads_late);
	static const char line[] = "Action: Ping\r\nActionID: 0123456789\r\n\r\n";
	struct pollfd p;
	uint64_t written = 0, heard;
	int fd = open_to(&peer);

	for (;;) {
		ssize_t n = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			assert_int_equal(n, strlen(line));
			written += (uint64_t)n;
			continue;
		}
		p = (struct pollfd){.fd = fd, .events = POLLOUT};
		if (poll(&p, 1, 300) == 0)
			break;
		assert_true(written < 64 << 20);
	}
	peer_go(&peer);
	p = (struct pollfd){.fd = fd, .events = POLLOUT};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	(void)shutdown(fd, SHUT_WR);
	await_readable(peer.told);
	assert_int_equal(read(peer.told, &heard, sizeof(heard)), sizeof(heard));
	assert_int_equal(heard, written);
	close(fd);
	peer_end(&peer);
}

/* Sockets that the wire has open beside the one it listens on. */
static int wires_sockets(void)
{
	char path[64], target[64];
	int n = -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)wire);
	DIR *folder = opendir(path);
	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target));
		n += bytes > 7 && memcmp(target, "socket:", 7) == 0;
	}
	(void)closedir(folder);
	return n;
}

static void wait_until_idle(void)
{
	int64_t end = clock_mono_us() + PATIENCE_MS * 1000;
	while (wires_sockets() > 0) {
		assert_true(clock_mono_us() < end);
		(void)poll(NULL, 0, 10);
	}
}

static void waits(struct stage *stage)
{
	await_word(stage);
}

static void a_child_that_goes_leaves_a_stuck_server_behind(void **state)
{
	(void)state;
	wait_until_idle();
	struct peer peer = peer_start(&good, NULL, waits);
	static char lines[16000];
	int fd = open_to(&peer);
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	memset(lines, '\n', sizeof(lines));
	do {
		while (send(fd, lines, sizeof(lines), MSG_NOSIGNAL) > 0)
			;
	} while (poll(&p, 1, 300) == 1);
	(void)shutdown(fd, SHUT_RDWR);
	close(fd);
	assert_int_equal(wires_sockets(), 2);
	wait_until_idle();
	peer_end(&peer);
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

/* ---- all of it ---- */

static void path_in(char *out, size_t size, const char *name)
{
	(void)snprintf(out, size, "%s/%s", dir, name);
}

static int set_up(void **state)
{
	(void)state;
	struct err err;
	assert_non_null(mkdtemp(dir));
	path_in(ca_path, sizeof(ca_path), "ca.pem");
	path_in(other_path, sizeof(other_path), "other.pem");
	path_in(own_path, sizeof(own_path), "own.pem");
	path_in(empty_path, sizeof(empty_path), "empty.pem");
	ca = identity_new(&(struct says){.common_name = "an authority", .is_authority = true});
	other = identity_new(&(struct says){.common_name = "another", .is_authority = true});
	good = identity_new(&(struct says){.names = "DNS:ast1.test", .issuer = &ca});
	own = identity_new(&(struct says){.names = "DNS:ast1.test"});
	identity_write(&ca, ca_path);
	identity_write(&other, other_path);
	identity_write(&own, own_path);
	close(open(empty_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (!tls_listen(dir, &listener, &err))
		fail_msg("%s", err.text);
	start_wire();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	int status = stop_wire(SIGTERM);
	close(listener);
	tls_unlisten(dir);
	(void)unlink(ca_path);
	(void)unlink(other_path);
	(void)unlink(own_path);
	(void)unlink(empty_path);
	identity_free(&ca);
	identity_free(&other);
	identity_free(&good);
	identity_free(&own);
	return rmdir(dir) || !WIFEXITED(status) || WEXITSTATUS(status);
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
		cmocka_unit_test(records_end_with_lines),
		cmocka_unit_test(what_the_child_writes_last_still_arrives),
		cmocka_unit_test(a_child_that_does_not_read_stops_the_server),
		cmocka_unit_test(a_server_that_does_not_read_stops_the_child),
		cmocka_unit_test(a_child_that_goes_leaves_a_stuck_server_behind),
		cmocka_unit_test(the_next_wire_answers_what_was_asked_of_none),
		cmocka_unit_test(an_orderly_end_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
