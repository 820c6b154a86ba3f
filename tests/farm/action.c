/* See action.h. */
#include <stdio.h>

#include <openssl/evp.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "tests/farm/action.h"
#include "tests/farm/dial.h"
#include "tests/farm/event.h"

#include "common/base.h"

/* ---- responses ---- */

/* The first lines of a response; more may be put behind them before say_response. */
static struct strbuf *response(
	struct session *session, const struct request *request, const char *result)
{
	struct strbuf *text = &session->server->farm->text;
	struct str id = request_header(request, "ActionID");

	strbuf_reset(text);
	strbuf_printf(text, "Response: %s\r\n", result);
	if (id.n)
		strbuf_printf(text, "ActionID: %.*s\r\n", (int)id.n, id.p);
	return text;
}

static void say_response(struct session *session)
{
	struct strbuf *text = &session->server->farm->text;
	strbuf_puts(text, "\r\n");
	session_say(session, strbuf_view(text));
}

static void answer(struct session *session, const struct request *request, const char *result,
	const char *message)
{
	strbuf_printf(response(session, request, result), "Message: %s\r\n", message);
	say_response(session);
}

static void refuse(struct session *session, const struct request *request, const char *message)
{
	answer(session, request, "Error", message);
}

/* ---- who are you ---- */

static bool has_word(struct str list, const char *word)
{
	struct str one;
	while (str_split(&list, ',', &one))
		if (str_case_eq(str_trim(one), str_of(word)))
			return true;
	return false;
}

static uint32_t mask_of(struct str text)
{
	if (text.n == 0 || has_word(text, "on") || has_word(text, "all"))
		return CLASS_ALL;
	return (has_word(text, "call") ? CLASS_CALL : 0) | (has_word(text, "cdr") ? CLASS_CDR : 0) |
	       (has_word(text, "system") ? CLASS_SYSTEM : 0) |
	       (has_word(text, "user") ? CLASS_USER : 0);
}

static void challenge(struct session *session, const struct request *request)
{
	if (!str_case_eq(request_header(request, "AuthType"), STR("MD5"))) {
		refuse(session, request, "Must specify AuthType");
		return;
	}
	(void)snprintf(session->challenge, sizeof(session->challenge), "%09u",
		dice_roll(&session->dice, 1000000000));
	strbuf_printf(
		response(session, request, "Success"), "Challenge: %s\r\n", session->challenge);
	say_response(session);
}

static bool key_fits(const struct session *session, struct str key)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[sizeof(session->challenge) + SERVER_SECRET_BYTES], hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int n = 0;

	(void)snprintf(text, sizeof(text), "%s%s", session->challenge, session->server->secret);
	if (!EVP_Digest(text, strlen(text), digest, &n, EVP_md5(), NULL))
		die("md5.missing", "do=\"allow MD5 in OpenSSL's configuration\"");
	hex_encode(digest, n, hex);
	return session->challenge[0] && str_case_eq(key, str_of(hex));
}

static bool is_user(const struct session *session, const struct request *request)
{
	const struct server *server = session->server;
	bool md5 = str_case_eq(request_header(request, "AuthType"), STR("MD5"));

	if (server->mood.on[MOOD_DENY] ||
		!str_case_eq(request_header(request, "Username"), STR(FARM_USER)))
		return false;
	if (md5)
		return key_fits(session, request_header(request, "Key"));
	return str_eq(request_header(request, "Secret"), str_of(server->secret));
}

static void login(struct session *session, const struct request *request)
{
	struct server *server = session->server;

	if (session->user) {
		answer(session, request, "Success", "Already authenticated");
		return;
	}
	if (!is_user(session, request)) {
		refuse(session, request, "Authentication failed");
		session_end(session);
		return;
	}
	session->user = true;
	session->mask = mask_of(request_header(request, "Events"));
	record_line(&server->farm->record, server->name, "login", "%s",
		str_case_eq(request_header(request, "AuthType"), STR("MD5")) ? "md5" : "plain");
	answer(session, request, "Success", "Authentication accepted");
	if (session->mask & CLASS_SYSTEM)
		event_fully_booted(session);
}

static void logoff(struct session *session, const struct request *request)
{
	answer(session, request, "Goodbye", "Thanks for all the fish.");
	session_end(session);
}

static void deny(struct session *session, const struct request *request)
{
	refuse(session, request, "Permission denied");
}

/* ---- the rest ---- */

static void ping(struct session *session, const struct request *request)
{
	int64_t now_us = clock_wall_us();

	strbuf_printf(response(session, request, "Success"),
		"Ping: Pong\r\nTimestamp: %lld.%06lld\r\n", (long long)(now_us / US_PER_S),
		(long long)(now_us % US_PER_S));
	say_response(session);
}

static void set_events(struct session *session, const struct request *request)
{
	struct str mask = request_header(request, "EventMask");

	if (mask.n == 0) {
		refuse(session, request, "Invalid event mask");
		return;
	}
	session->mask = mask_of(mask);
	strbuf_printf(response(session, request, "Success"), "Events: %s\r\n",
		session->mask ? "On" : "Off");
	say_response(session);
}

static void originate(struct session *session, const struct request *request)
{
	struct server *server = session->server;
	struct originate asked;
	const char *error = dial_read(server, request, &asked), *verdict = "refused";

	if (error) {
		refuse(session, request, error);
	} else {
		answer(session, request, "Success", "Originate successfully queued");
		verdict = channel_dial(server, &asked);
	}
	record_line(&server->farm->record, server->name, "originate", "%s\t%s\t%s\t%s\t%s\t%s",
		asked.id, asked.action_id, asked.number, verdict, asked.context, asked.exten);
}

static void hangup(struct session *session, const struct request *request)
{
	enum { CAUSE_NORMAL = 16, CAUSE_MAX = 127 };
	struct str name = request_header(request, "Channel");
	struct channel *channel = channel_find(session->server, name);
	uint64_t cause;

	if (!channel) {
		refuse(session, request, name.n ? "No such channel" : "No channel specified");
		return;
	}
	if (!str_to_u64(request_header(request, "Cause"), 1, CAUSE_MAX, &cause))
		cause = CAUSE_NORMAL;
	answer(session, request, "Success", "Channel Hungup");
	channel_hangup(channel, (uint32_t)cause);
}

static void list_channels(struct session *session, const struct request *request)
{
	struct server *server = session->server;
	struct strbuf *text = &server->farm->text;
	struct str id = request_header(request, "ActionID");
	const struct channel *channel;

	strbuf_puts(response(session, request, "Success"),
		"EventList: start\r\nMessage: Channels will follow\r\n");
	say_response(session);
	for (channel = server->channels; channel; channel = channel->hh.next) {
		strbuf_reset(text);
		event_list_entry(channel, id, server->farm->now_us, text);
		session_say(session, strbuf_view(text));
	}
	strbuf_reset(text);
	strbuf_printf(text,
		"Event: CoreShowChannelsComplete\r\nActionID: %.*s\r\nEventList: Complete\r\n"
		"ListItems: %u\r\n",
		(int)id.n, id.p, HASH_COUNT(server->channels));
	say_response(session);
}

static void settings(struct session *session, const struct request *request)
{
	const struct server *server = session->server;

	strbuf_printf(response(session, request, "Success"),
		"AMIversion: %s\r\nAsteriskVersion: %s\r\nSystemName: %s\r\nCoreMaxCalls: 0\r\n"
		"CoreMaxLoadAvg: 0.000000\r\nCoreCDRenabled: Yes\r\n",
		server->asterisk->ami_version, server->asterisk->version, server->name);
	say_response(session);
}

/* ---- the table ---- */

static const struct {
	struct str name;
	bool anybody;
	void (*fn)(struct session *session, const struct request *request);
} actions[] = {
#define ACTION(name, anybody, fn) {{name, sizeof(name) - 1}, anybody, fn},
#include "tests/farm/actions.def"
#undef ACTION
};

static size_t find(struct str name)
{
	size_t i = 0;
	while (i < ARRAY_LEN(actions) && !str_case_eq(actions[i].name, name))
		i++;
	return i;
}

static void refuse_unknown(struct session *session, const struct request *request, struct str name)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		"Invalid/unknown command: %.*s. Use Action: ListCommands to show available "
		"commands.",
		(int)MIN(name.n, (size_t)100), name.p);
	refuse(session, request, text);
}

void action_do(struct session *session, const struct request *request)
{
	struct str name = request_header(request, "Action");
	size_t i = find(name);

	if (request->too_many)
		refuse(session, request, "Too many lines in message or allocation failure");
	else if (name.n == 0)
		refuse(session, request, "Missing action in request");
	else if (!session->user && (i == ARRAY_LEN(actions) || !actions[i].anybody))
		deny(session, request);
	else if (i == ARRAY_LEN(actions))
		refuse_unknown(session, request, name);
	else
		actions[i].fn(session, request);
}
