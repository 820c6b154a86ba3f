/* A TLS wire as a process, its child's side, and identities for servers of all sorts (tls_peer.h): set up for a group of tests. */
#ifndef CCS_TESTS_TLS_STAND_H
#define CCS_TESTS_TLS_STAND_H

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
__attribute__((unused)) static int __lsan_do_recoverable_leak_check(void)
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
__attribute__((unused)) static void start_wire(void)
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

__attribute__((unused)) static int stop_wire(int how)
{
	int status;
	assert_int_equal(kill(wire, how), 0);
	assert_int_equal(waitpid(wire, &status, 0), wire);
	return status;
}

__attribute__((unused)) static void set_text(char *out, size_t size, const char *text)
{
	assert_true(str_copy(out, size, str_of(text)));
}

__attribute__((unused)) static struct tls_request request_for(
	uint16_t port, const char *ca_file, const char *name)
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

__attribute__((unused)) static int ask_for(const struct tls_request *request)
{
	struct err err;
	int fd;
	if (!tls_ask(dir, request, &fd, &err))
		fail_msg("%s", err.text);
	return fd;
}

__attribute__((unused)) static void await_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* Returns what is wrong; "" = the connection stands. */
__attribute__((unused)) static const char *hear(int fd)
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

__attribute__((unused)) static void expect_words(const char *said, const char *words)
{
	if (*words ? !strstr(said, words) : *said)
		fail_msg("said \"%s\", not \"%s\"", said, words);
}

__attribute__((unused)) static void read_exactly(int fd, char *out, size_t n)
{
	for (size_t got = 0; got < n;) {
		await_readable(fd);
		ssize_t k = recv(fd, out + got, n - got, 0);
		assert_true(k > 0);
		got += (size_t)k;
	}
}

__attribute__((unused)) static void expect_end(int fd)
{
	char c;
	await_readable(fd);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

/* A connection through the wire to this server, that stands. */
__attribute__((unused)) static int open_to(const struct peer *peer)
{
	struct tls_request request = request_for(peer->port, ca_path, "ast1.test");
	int fd = ask_for(&request);
	expect_words(hear(fd), "");
	return fd;
}

/* One SSL_read returns at most one record: tells its length and its last byte. */
__attribute__((unused)) static void tells_records(struct stage *stage)
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

/* ---- the group of tests ---- */

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

#endif
