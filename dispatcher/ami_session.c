/* The conversation: see ami_session.h. */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "dispatcher/ami_session.h"

#include "common/base.h"

enum {
	BOOT_WAIT_US = 2000000, /* FullyBooted comes only to users with class system */
	FAILURES_HOPELESS = 1000,
};

/* An ActionID for our own next action. */
static struct str next_id(struct ami_conn *conn, const char *word)
{
	(void)snprintf(conn->action_id, sizeof(conn->action_id), "%s-%s-%u", word, conn->life,
		conn->serial++);
	conn->awaiting = true;
	conn->asked_us = conn->now_us;
	return str_of(conn->action_id);
}

/* Sends our own action, if the encoder took it. */
static void ask(struct ami_conn *conn, bool encoded, const struct err *err)
{
	if (encoded)
		ami_conn_flush(conn);
	else
		ami_conn_lose(conn, err->text);
}

static void send_challenge(struct ami_conn *conn)
{
	struct err err;
	ami_conn_enter(conn, PHASE_CHALLENGE);
	ask(conn, ami_challenge(&conn->sock.out, next_id(conn, "challenge"), &err), &err);
}

static bool encode_login(
	struct ami_conn *conn, struct strbuf *out, struct str challenge, struct err *err)
{
	struct str id = next_id(conn, "login"), user = str_of(conn->user);
	struct str secret = str_of(conn->secret);

	return conn->conf.md5 ? ami_login_md5(out, id, user, secret, challenge, err)
			      : ami_login_plain(out, id, user, secret, err);
}

static void send_login(struct ami_conn *conn, struct str challenge)
{
	struct err err;
	ami_conn_enter(conn, PHASE_LOGIN);
	ask(conn, encode_login(conn, &conn->sock.out, challenge, &err), &err);
}

void ami_session_list(struct ami_conn *conn)
{
	struct err err;
	ami_conn_enter(conn, PHASE_RESYNC);
	ask(conn, ami_core_show_channels(&conn->sock.out, next_id(conn, "list"), &err), &err);
}

void ami_session_ping(struct ami_conn *conn)
{
	struct err err;
	ami_conn_enter(conn, PHASE_UP);
	ask(conn, ami_ping(&conn->sock.out, next_id(conn, "ping"), &err), &err);
}

static void logged_in(struct ami_conn *conn)
{
	ami_conn_enter(conn, PHASE_BOOT);
	conn->deadline_us = conn->now_us + BOOT_WAIT_US;
}

static void refused(struct ami_conn *conn, const char *what, const struct ami_message *msg)
{
	struct str message = ami_header(msg, AMI_H_MESSAGE);
	char why[AMI_ERROR_BYTES];

	/* Only an operator can mend a wrong secret: do not knock at the door every moment. */
	if (str_case_eq(message, STR("Authentication failed")))
		conn->failures = FAILURES_HOPELESS;
	(void)snprintf(why, sizeof(why), "%s refused: %.*s", what, (int)MIN(message.n, sizeof(why)),
		message.p);
	ami_conn_lose(conn, why);
}

static void pong(struct ami_conn *conn)
{
	bool probed = conn->probing;

	conn->probing = false;
	conn->lag_us = conn->now_us - conn->asked_us;
	conn->deadline_us = conn->asked_us + conn->conf.ping_us;
	if (probed)
		conn->ops->probed(conn->arg);
}

static void own_response(struct ami_conn *conn, const struct ami_message *msg)
{
	bool good = ami_is_success(msg);

	conn->awaiting = false;
	if (conn->phase == PHASE_CHALLENGE && good)
		send_login(conn, ami_header(msg, AMI_H_CHALLENGE));
	else if (conn->phase == PHASE_CHALLENGE)
		refused(conn, "Challenge", msg);
	else if (conn->phase == PHASE_LOGIN && good)
		logged_in(conn);
	else if (conn->phase == PHASE_LOGIN)
		refused(conn, "Login", msg);
	else if (conn->phase == PHASE_RESYNC && !good)
		refused(conn, "CoreShowChannels", msg);
	else if (conn->phase == PHASE_UP)
		pong(conn);
}

static void add_live(struct ami_conn *conn, const struct ami_message *msg)
{
	struct str id = ami_header(msg, AMI_H_UNIQUEID);

	if (!ami_is_call_id(id))
		return;
	if (conn->live_n == conn->live_cap) {
		size_t cap = MAX(2 * conn->live_cap, (size_t)64);
		struct ami_live *live = reallocarray(conn->live, cap, sizeof(*live));
		if (!live)
			die("memory.exhausted", "bytes=%zu", cap * sizeof(*live));
		conn->live = live;
		conn->live_cap = cap;
	}
	struct ami_live *live = &conn->live[conn->live_n++];
	memcpy(live->call_id, id.p, AMI_CALL_ID_CHARS);
	live->call_id[AMI_CALL_ID_CHARS] = '\0';
	live->channel_state = ami_number(msg, AMI_H_CHANNEL_STATE, 0);
}

void ami_session_forget(struct ami_conn *conn)
{
	free(conn->live);
	conn->live = NULL;
	conn->live_n = conn->live_cap = 0;
}

static void is_up(struct ami_conn *conn)
{
	conn->failures = 0;
	conn->phase = PHASE_UP;
	conn->ops->up(conn->arg, conn->live, conn->live_n);
	ami_session_forget(conn);
	ami_session_ping(conn);
}

/* True when msg belongs to the list of channels that we asked for. */
static bool own_list(struct ami_conn *conn, const struct ami_message *msg)
{
	if (conn->phase != PHASE_RESYNC ||
		!str_eq(ami_header(msg, AMI_H_ACTION_ID), str_of(conn->action_id)))
		return false;
	ami_conn_enter(conn, PHASE_RESYNC); /* it moves on: a new deadline */
	if (msg->event == AMI_E_CORE_SHOW_CHANNEL)
		add_live(conn, msg);
	else if (msg->event == AMI_E_CORE_SHOW_CHANNELS_COMPLETE)
		is_up(conn);
	return true;
}

static void handle(struct ami_conn *conn, const struct ami_message *msg)
{
	if (msg->kind == AMI_KIND_RESPONSE && conn->awaiting &&
		str_eq(ami_header(msg, AMI_H_ACTION_ID), str_of(conn->action_id))) {
		own_response(conn, msg);
		return;
	}
	if (conn->phase < PHASE_BOOT || own_list(conn, msg))
		return;
	if (msg->event == AMI_E_SHUTDOWN)
		conn->stopping = true;
	if (conn->phase == PHASE_BOOT && msg->event == AMI_E_FULLY_BOOTED)
		ami_session_list(conn);
	else
		conn->ops->message(conn->arg, msg);
}

static enum ami_parsed take_one(struct ami_conn *conn, struct str in, size_t *used)
{
	struct ami_message msg;
	struct str version;
	enum ami_parsed parsed;

	if (conn->phase == PHASE_BANNER) {
		parsed = ami_parse_banner(in, &version, used);
		if (parsed == AMI_MESSAGE && conn->conf.md5)
			send_challenge(conn);
		else if (parsed == AMI_MESSAGE)
			send_login(conn, STR(""));
	} else {
		parsed = ami_parse_next(in, &conn->searched, &msg, used);
		if (parsed == AMI_MESSAGE)
			handle(conn, &msg);
	}
	return parsed;
}

size_t ami_session_take(struct ami_conn *conn, struct str in, bool *bad)
{
	size_t taken = 0, used = 0;
	enum ami_parsed parsed = AMI_MESSAGE;

	while (conn->phase != PHASE_IDLE) {
		parsed = take_one(conn, (struct str){in.p + taken, in.n - taken}, &used);
		if (parsed != AMI_MESSAGE)
			break;
		taken += used;
	}
	*bad = parsed == AMI_BAD;
	return taken;
}

void ami_session_logoff(struct ami_conn *conn)
{
	if (ami_logoff(&conn->sock.out, next_id(conn, "logoff"), NULL))
		ami_conn_flush(conn);
}

bool ami_session_check(struct ami_conn *conn, struct err *err)
{
	struct strbuf out = STRBUF_INIT;
	bool ok = encode_login(conn, &out, STR("1"), err);

	if (out.p)
		explicit_bzero(out.p, out.cap);
	strbuf_free(&out);
	conn->awaiting = false;
	return ok;
}
