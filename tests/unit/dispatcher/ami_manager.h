/* A manager that a test plays, over TCP on loopback, and a connection that talks with it:
 *
 *   connection                        manager
 *   connects                          "Asterisk Call Manager/11.0.0"
 *   Challenge                         Challenge: 123456
 *   Login                             Success, FullyBooted
 *   CoreShowChannels                  CoreShowChannel ..., CoreShowChannelsComplete
 *   Ping                              Pong
 *
 * Or, when manager_is_local, over a Unix stream: then the test plays the TLS wire as well.
 */
#ifndef CCS_TESTS_UNIT_DISPATCHER_AMI_MANAGER_H
#define CCS_TESTS_UNIT_DISPATCHER_AMI_MANAGER_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "dispatcher/ami_conn.h"
#include "dispatcher/ami_sock.h"
#include "dispatcher/tls_link.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { PATIENCE_US = 10000000, TURN_US = 20000 };

static bool manager_is_local;

struct rig {
	struct poll *poll;
	struct ami_conn *conn;
	char run_dir[32];    /* of the wire */
	int listener, peer;  /* the manager's ends */
	struct strbuf heard; /* what the manager has read and not yet taken as an action */
	char action[1024];   /* the last action it took */
	char action_id[64];

	unsigned ups, downs, probes, messages;
	char why[256];
	int64_t pause_us; /* until the next attempt, as it was when it went down */
	struct ami_live live[8];
	size_t live_n;
	enum ami_event event; /* of the last message */
	char unique_id[64], message_id[64];
	int unread_in_callback; /* bytes in the kernel while the last callback ran */
};

static inline void copy(char *out, size_t size, struct str text)
{
	assert_true(str_copy(out, size, text));
}

static inline void on_up(void *arg, const struct ami_live *live, size_t n)
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

static inline void on_down(void *arg, const char *why)
{
	struct rig *rig = arg;
	rig->downs++;
	rig->pause_us = ami_conn_deadline(rig->conn) - clock_mono_us();
	copy(rig->why, sizeof(rig->why), str_of(why));
	assert_string_equal(ami_conn_error(rig->conn), why);
	assert_int_equal(ami_conn_state(rig->conn), AMI_DOWN);
	assert_int_equal(ami_conn_fd(rig->conn), -1);
}

static inline void on_message(void *arg, const struct ami_message *msg)
{
	struct rig *rig = arg;
	rig->messages++;
	rig->event = msg->event;
	copy(rig->unique_id, sizeof(rig->unique_id), ami_header(msg, AMI_H_UNIQUEID));
	copy(rig->message_id, sizeof(rig->message_id), ami_header(msg, AMI_H_ACTION_ID));
	assert_int_equal(ioctl(ami_conn_fd(rig->conn), FIONREAD, &rig->unread_in_callback), 0);
}

static inline void on_probed(void *arg)
{
	((struct rig *)arg)->probes++;
}

static const struct ami_conn_ops ops = {
	.up = on_up, .down = on_down, .message = on_message, .probed = on_probed};

static inline uint16_t listen_somewhere(int *listener)
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

static inline struct ami_conn_conf conf_of(uint16_t port)
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

static inline struct rig *rig_with(const struct ami_conn_conf *wanted)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct ami_conn_conf conf = conf_of(listen_somewhere(&rig->listener));
	struct err err;
	if (wanted) {
		uint16_t port = wanted->port ? wanted->port : conf.port;
		conf = *wanted;
		conf.port = port;
	}
	if (manager_is_local) {
		(void)snprintf(rig->run_dir, sizeof(rig->run_dir), "/tmp/ccs-unit-XXXXXX");
		conf.tls_run_dir = mkdtemp(rig->run_dir);
		close(rig->listener);
		assert_true(tls_listen(conf.tls_run_dir, &rig->listener, &err));
	}
	rig->poll = poll_new();
	rig->peer = -1;
	rig->conn = ami_conn_new(rig->poll, &conf, &ops, rig, &err);
	assert_non_null(rig->conn);
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	ami_conn_free(rig->conn);
	poll_free(rig->poll);
	strbuf_free(&rig->heard);
	if (rig->peer >= 0)
		close(rig->peer);
	close(rig->listener);
	if (manager_is_local) {
		tls_unlisten(rig->run_dir);
		assert_int_equal(rmdir(rig->run_dir), 0);
	}
	free(rig);
}

/* One turn of the dispatcher's loop. */
static inline void turn(struct rig *rig)
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

/* What the wire does when all is well. */
static inline void play_wire(int peer)
{
	struct tls_request request;
	struct tls_verdict verdict = {.why = ""};
	assert_int_equal(recv(peer, &request, sizeof(request), 0), sizeof(request));
	assert_int_equal(send(peer, &verdict, sizeof(verdict), 0), sizeof(verdict));
}

static inline bool accepted(struct rig *rig)
{
	if (rig->peer >= 0)
		return true;
	rig->peer = accept4(rig->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (rig->peer >= 0 && manager_is_local)
		play_wire(rig->peer);
	return rig->peer >= 0;
}

/* The manager reads; true when a whole action has come, which then stands in rig->action. */
static inline bool heard_action(struct rig *rig)
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

static inline void expect(struct rig *rig, const char *action)
{
	WAIT_FOR(rig, heard_action(rig));
	if (!strstr(rig->action, action))
		fail_msg("expected \"%s\", heard \"%s\"", action, rig->action);
}

/* The manager speaks; a % stands for the ActionID of the action it heard last. */
static inline void say(struct rig *rig, const char *text)
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

static inline void greet(struct rig *rig)
{
	WAIT_FOR(rig, accepted(rig));
	say(rig, "Asterisk Call Manager/11.0.0\r\n");
}

static inline void let_in(struct rig *rig)
{
	greet(rig);
	expect(rig, "Action: Challenge\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nChallenge: 123456\r\n\r\n");
	/* md5 of "123456s3cret" */
	expect(rig, "Key: 5ed1f0dc9003f2a40604fea3cf6cd609\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nMessage: Authentication accepted\r\n\r\n");
}

static inline void list_nothing(struct rig *rig)
{
	expect(rig, "Action: CoreShowChannels\r\n");
	say(rig, "Response: Success\r\nActionID: %\r\nEventList: start\r\n\r\n"
		 "Event: CoreShowChannelsComplete\r\nActionID: %\r\nListItems: 0\r\n\r\n");
	WAIT_FOR(rig, rig->ups == 1);
}

static inline struct rig *rig_up(const struct ami_conn_conf *conf)
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

static inline void assert_why(struct rig *rig, const char *why)
{
	WAIT_FOR(rig, rig->downs == 1);
	if (!strstr(rig->why, why))
		fail_msg("down because \"%s\", not \"%s\"", rig->why, why);
}

#endif
