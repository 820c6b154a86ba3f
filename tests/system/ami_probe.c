/* A dispatcher reduced to its AMI connection, for tests on a real Asterisk (test_ami.py).
 *
 *   AMI_SECRET=... ami_probe HOST PORT USER md5|plain CONTEXT EXTEN [HOLDER_FD [ADOPTED_FD]]
 *
 * Reads commands, a line each, fields separated by tabs, %XX for a byte that a line cannot hold:
 *
 *   originate CALL_ID CHANNEL CALLER RING_MS MAX_S    hangup CALL_ID    outcome CALL_ID    quit
 *
 * and says what happens, a line each, fields separated by tabs. An effect is stored when its line is
 * written, so nothing that the connection has discarded may be missing from the lines, however this
 * process ends. When it is up it sends a copy of its socket to HOLDER_FD, a Unix socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ami_conn.h"
#include "dispatcher/ami_outcome.h"

#include "common/base.h"

enum { FIELDS_MAX = 8, CALLS_MAX = 1024 };

struct call {
	char id[AMI_CALL_ID_CHARS + 1];
	char refusal[128];
	struct ami_fate fate;
};

struct probe {
	struct poll *poll;
	struct ami_conn *conn;
	const char *context, *exten;
	int holder;
	struct strbuf commands;
	struct strbuf waiting; /* encoded, until the connection can send */
	bool quit;
	struct call calls[CALLS_MAX];
	size_t calls_n;
};

static void say(const char *fmt, ...) PRINTF(1, 2);
static void say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void hand_over(int holder, int fd)
{
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	if (sendmsg(holder, &msg, 0) < 0)
		die("probe.failed", "what=sendmsg errno=%d", errno);
}

static void on_up(void *arg, const struct ami_live *live, size_t n)
{
	struct probe *probe = arg;

	for (size_t i = 0; i < n; i++)
		say("live\t%s\t%" PRIu32, live[i].call_id, live[i].channel_state);
	if (probe->holder >= 0)
		hand_over(probe->holder, ami_conn_fd(probe->conn));
	say("up\t%zu", n);
}

static void on_down(void *arg, const char *why)
{
	(void)arg;
	say("down\t%s", why);
}

/* The call of that id; made when it is new, NULL when it is none. */
static struct call *call_of(struct probe *probe, struct str id)
{
	if (!ami_is_call_id(id))
		return NULL;
	for (size_t i = 0; i < probe->calls_n; i++)
		if (str_eq(str_of(probe->calls[i].id), id))
			return &probe->calls[i];
	if (probe->calls_n == CALLS_MAX)
		die("probe.failed", "what=calls");
	struct call *call = &probe->calls[probe->calls_n++];
	memcpy(call->id, id.p, id.n);
	return call;
}

static void note(struct probe *probe, const struct ami_message *msg)
{
	struct call *by_action = call_of(probe, ami_header(msg, AMI_H_ACTION_ID));
	struct call *by_channel = call_of(probe, ami_header(msg, AMI_H_UNIQUEID));
	struct call *by_dial = call_of(probe, ami_header(msg, AMI_H_DEST_UNIQUEID));
	bool is_up = ami_number(msg, AMI_H_CHANNEL_STATE, 0) == 6;

	if (msg->kind == AMI_KIND_RESPONSE && by_action && !ami_is_success(msg)) {
		by_action->fate.refused = true;
		if (!str_copy(by_action->refusal, sizeof(by_action->refusal),
			    ami_header(msg, AMI_H_MESSAGE)))
			die("probe.failed", "what=message");
		by_action->fate.refusal = str_of(by_action->refusal);
	} else if (msg->event == AMI_E_ORIGINATE_RESPONSE && by_action) {
		by_action->fate.originate_seen = true;
		by_action->fate.reason = ami_number(msg, AMI_H_REASON, 0);
		by_action->fate.answered |= ami_is_success(msg);
	} else if (msg->event == AMI_E_DIAL_END && by_dial) {
		by_dial->fate.dialed = ami_dial_status(ami_header(msg, AMI_H_DIAL_STATUS));
	} else if (by_channel && msg->event != AMI_E_CDR) {
		by_channel->fate.channel_seen = true;
		by_channel->fate.answered |= is_up;
		if (msg->event == AMI_E_HANGUP) {
			by_channel->fate.hangup_seen = true;
			by_channel->fate.cause = ami_number(msg, AMI_H_CAUSE, 0);
		}
	}
}

static void on_message(void *arg, const struct ami_message *msg)
{
	struct probe *probe = arg;
	static const char *const events[AMI_EVENT__N] = {
		[AMI_E_OTHER] = "",
#define AMI_EVENT(constant, name) [AMI_E_##constant] = name,
#include "dispatcher/ami_events.def"
#undef AMI_EVENT
	};
	static const char *const headers[AMI_HEADER__N] = {
#define AMI_HEADER(constant, name) [AMI_H_##constant] = name,
#include "dispatcher/ami_headers.def"
#undef AMI_HEADER
	};
	struct strbuf line = STRBUF_INIT;

	note(probe, msg);
	strbuf_puts(&line, msg->kind == AMI_KIND_EVENT ? "event\t" : "response\t");
	strbuf_puts(&line, events[msg->event]);
	for (int h = 0; h < AMI_HEADER__N; h++) {
		struct str value = ami_header(msg, (enum ami_header)h);
		if (msg->seen & UINT32_C(1) << h)
			strbuf_printf(&line, "\t%s=%.*s", headers[h], (int)value.n, value.p);
	}
	say("%s", line.p);
	strbuf_free(&line);
}

static void on_probed(void *arg)
{
	(void)arg;
	say("probed");
}

static const struct ami_conn_ops ops = {
	.up = on_up, .down = on_down, .message = on_message, .probed = on_probed};

static struct str decode(char *text)
{
	char *out = text;

	for (char *p = text; *p; out++) {
		unsigned byte;
		if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1) {
			*out = (char)byte;
			p += 3;
		} else {
			*out = *p++;
		}
	}
	return (struct str){text, (size_t)(out - text)};
}

static void command(struct probe *probe, char *line)
{
	struct str field[FIELDS_MAX] = {{"", 0}};
	struct call *call;
	struct err err;
	size_t n = 0;
	bool encoded = true;

	for (char *part; n < FIELDS_MAX && (part = strsep(&line, "\t"));)
		field[n++] = decode(part);
	if (str_eq(field[0], STR("originate")) && n == 6) {
		struct ami_originate originate = {
			.call_id = field[1],
			.channel = field[2],
			.context = str_of(probe->context),
			.exten = str_of(probe->exten),
			.caller_number = field[3],
			.account = STR("probe"),
			.ring_ms = (uint32_t)strtoul(field[4].p, NULL, 10),
			.max_call_s = (uint32_t)strtoul(field[5].p, NULL, 10),
		};
		encoded = ami_originate(&probe->waiting, &originate, &err);
	} else if (str_eq(field[0], STR("hangup")) && n == 2) {
		encoded = ami_hangup(&probe->waiting, field[1], 16, &err);
	} else if (str_eq(field[0], STR("outcome")) && (call = call_of(probe, field[1]))) {
		struct ami_outcome outcome = ami_outcome(&call->fate);
		say("outcome\t%s\t%s\t%s", call->id, disposition_name(outcome.disposition),
			outcome.reason);
	} else {
		probe->quit = true;
		return;
	}
	if (!encoded)
		say("refused\t%s", err.text);
}

static void on_command(void *arg, uint32_t events)
{
	struct probe *probe = arg;
	ssize_t n = read(STDIN_FILENO, strbuf_room(&probe->commands, 65536), 65536);

	(void)events;
	if (n <= 0) {
		probe->quit = true;
		return;
	}
	probe->commands.n += (size_t)n;
	probe->commands.p[probe->commands.n] = '\0';
	for (char *lf; (lf = strchr(probe->commands.p, '\n'));) {
		size_t bytes = (size_t)(lf + 1 - probe->commands.p);
		*lf = '\0';
		command(probe, probe->commands.p);
		strbuf_consume(&probe->commands, bytes);
	}
}

static void send_waiting(struct probe *probe)
{
	if (probe->waiting.n == 0 || !ami_conn_can_send(probe->conn) ||
		!ami_conn_send(probe->conn, strbuf_view(&probe->waiting)))
		return;
	strbuf_reset(&probe->waiting);
	ami_conn_flush(probe->conn);
}

static void run(struct probe *probe)
{
	enum shm_ami_state shown = AMI_DOWN;

	while (!probe->quit) {
		int64_t now = clock_mono_us();
		if (now >= ami_conn_deadline(probe->conn))
			ami_conn_tick(probe->conn, now);
		send_waiting(probe);
		if (ami_conn_state(probe->conn) != shown)
			say("state\t%d", (int)(shown = ami_conn_state(probe->conn)));
		int64_t wait = ami_conn_deadline(probe->conn) - clock_mono_us();
		poll_wait(probe->poll, MAX(wait, INT64_C(0)));
	}
}

static uint64_t number(const char *text, uint64_t most)
{
	uint64_t value;
	if (!str_to_u64(str_of(text), 0, most, &value))
		die("probe.usage", "why=\"%s is no number\"", text);
	return value;
}

int main(int argc, char **argv)
{
	static struct probe probe;
	struct err err;

	log_open("ami_probe", LOG_DEBUG);
	probe.poll = poll_new();
	probe.holder = -1;
	if (argc < 7 || !getenv("AMI_SECRET"))
		die("probe.failed", "what=usage");
	struct ami_conn_conf conf = {
		.host = argv[1],
		.port = (uint16_t)number(argv[2], UINT16_MAX),
		.user = argv[3],
		.secret = getenv("AMI_SECRET"),
		.md5 = strcmp(argv[4], "md5") == 0,
		.ping_us = 200 * US_PER_MS,
		.timeout_us = 5 * US_PER_S,
		.backoff_max_us = US_PER_S,
	};
	probe.context = argv[5];
	probe.exten = argv[6];
	if (argc > 7)
		probe.holder = (int)number(argv[7], INT32_MAX);
	probe.conn = ami_conn_new(probe.poll, &conf, &ops, &probe, &err);
	if (!probe.conn || !poll_add(probe.poll, STDIN_FILENO, EPOLLIN, on_command, &probe, &err))
		die("probe.failed", "why=%s", log_q(err.text));
	if (argc > 8)
		ami_conn_adopt(probe.conn, (int)number(argv[8], INT32_MAX), clock_mono_us());
	run(&probe);
	ami_conn_free(probe.conn);
	poll_free(probe.poll);
	strbuf_free(&probe.commands);
	strbuf_free(&probe.waiting);
	return 0;
}
