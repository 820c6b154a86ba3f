/* See event.h. */
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "tests/farm/event.h"

#include "common/base.h"

/* The endpoint's own context, where a channel stands until it is answered. */
#define CONTEXT_BEFORE "refused"

static const struct {
	const char *name;
	enum class class;
	bool subscribed;
} events[EVENT__N] = {
#define EVENT(constant, name, class, subscribed)                                                   \
	[EVENT_##constant] = {name, CLASS_##class, subscribed},
#include "tests/farm/event.def"
#undef EVENT
};

static const char *class_name(enum class class)
{
	return class == CLASS_CALL   ? "call"
	       : class == CLASS_CDR  ? "cdr"
	       : class == CLASS_USER ? "user"
				     : "system";
}

static void line(struct strbuf *out, const char *prefix, const char *name, const char *value)
{
	strbuf_puts(out, prefix);
	strbuf_puts(out, name);
	strbuf_add(out, ": ", 2);
	strbuf_puts(out, value);
	strbuf_add(out, "\r\n", 2);
}

static void number_line(struct strbuf *out, const char *prefix, const char *name, uint64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	line(out, prefix, name, text);
}

static void begin(struct strbuf *out, enum event event)
{
	char text[40];

	strbuf_reset(out);
	line(out, "", "Event", events[event].name);
	(void)snprintf(text, sizeof(text), "%s,all", class_name(events[event].class));
	line(out, "", "Privilege", text);
}

static void stamp(struct strbuf *out, const struct server *server)
{
	char text[40];
	int64_t now_us = clock_wall_us();

	(void)snprintf(text, sizeof(text), "%lld.%06lld", (long long)(now_us / US_PER_S),
		(long long)(now_us % US_PER_S));
	line(out, "", "Timestamp", text);
	line(out, "", "SystemName", server->name);
}

/* How far a channel was when an event of it is told: the first ones know little about it. */
struct view {
	enum channel_state state;
	bool account, caller, connected, answered;
};

static struct view view_of(const struct channel *channel, enum event event)
{
	bool first = event <= EVENT_DIAL_BEGIN;
	bool in_dialplan = channel->state == CHANNEL_UP && event >= EVENT_HANGUP_REQUEST;

	return (struct view){
		.state = first ? CHANNEL_DOWN : channel->state,
		.account = event != EVENT_NEWCHANNEL,
		.caller = event > EVENT_NEW_ACCOUNT_CODE,
		.connected = event > EVENT_NEW_CALLERID,
		.answered = in_dialplan,
	};
}

static const char *known(const char *text, bool when)
{
	return when && text[0] ? text : "<unknown>";
}

static void snapshot(struct strbuf *out, const struct channel *channel, const char *prefix,
	const struct view *view)
{
	const struct originate *asked = &channel->asked;

	line(out, prefix, "Channel", channel->name);
	number_line(out, prefix, "ChannelState", view->state);
	line(out, prefix, "ChannelStateDesc", channel_state_name(view->state));
	line(out, prefix, "CallerIDNum", known(asked->caller, view->caller));
	line(out, prefix, "CallerIDName", "<unknown>");
	line(out, prefix, "ConnectedLineNum", known(asked->caller, view->connected));
	line(out, prefix, "ConnectedLineName", "<unknown>");
	line(out, prefix, "Language", "en");
	line(out, prefix, "AccountCode", view->account ? asked->account : "");
	line(out, prefix, "Context", view->answered ? asked->context : CONTEXT_BEFORE);
	line(out, prefix, "Exten", view->answered ? asked->exten : "s");
	line(out, prefix, "Priority", "1");
	line(out, prefix, "Uniqueid", asked->id);
	line(out, prefix, "Linkedid", asked->id);
}

static void cause_lines(struct strbuf *out, const struct channel *channel, enum event event)
{
	bool tells = channel->server->asterisk->tells_cause;

	if (event == EVENT_SOFT_HANGUP_REQUEST)
		number_line(out, "", "Cause", channel->ended_by == BY_RESTART ? 4 : 16);
	else if (event == EVENT_HANGUP || tells)
		number_line(out, "", "Cause", channel->cause);
	if (event == EVENT_HANGUP)
		line(out, "", "Cause-txt", channel->cause_text);
	if (event != EVENT_SOFT_HANGUP_REQUEST && tells && channel->sip >= 300)
		number_line(out, "", "TechCause", channel->sip);
}

static void originate_response(struct strbuf *out, const struct originate *asked,
	const char *channel, const char *caller, uint32_t reason)
{
	if (asked->action_id[0])
		line(out, "", "ActionID", asked->action_id);
	line(out, "", "Response", reason == 4 ? "Success" : "Failure");
	line(out, "", "Channel", channel);
	line(out, "", "Context", asked->context);
	line(out, "", "Exten", asked->exten);
	number_line(out, "", "Reason", reason);
	line(out, "", "Uniqueid", asked->id);
	line(out, "", "CallerIDNum", known(caller, true));
	line(out, "", "CallerIDName", "<unknown>");
}

/* Asterisk's AST_CONTROL_ANSWER, AST_CONTROL_RINGING (nobody answered in time), and 0: see the cause. */
static uint32_t reason_of(const struct channel *channel)
{
	enum { LOOK_AT_CAUSE = 0, TIMED_OUT = 3, ANSWERED = 4 };
	if (channel->answered_us)
		return ANSWERED;
	return channel->ended_by == BY_TIMEOUT ? TIMED_OUT : LOOK_AT_CAUSE;
}

static void time_line(struct strbuf *out, const char *name, int64_t wall_us)
{
	char text[32] = "";
	time_t seconds = (time_t)(wall_us / US_PER_S);
	struct tm utc;

	if (wall_us)
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &utc));
	line(out, "", name, text);
}

static void cdr(struct strbuf *out, const struct channel *channel)
{
	const struct originate *asked = &channel->asked;
	bool up = channel->answered_us != 0;
	int64_t ended_us = channel->ended_wall_us;

	line(out, "", "AccountCode", asked->account);
	line(out, "", "Source", asked->caller);
	line(out, "", "Destination", up ? asked->exten : "s");
	line(out, "", "DestinationContext", up ? asked->context : CONTEXT_BEFORE);
	strbuf_printf(out, "CallerID: \"\" <%s>\r\n", asked->caller);
	line(out, "", "Channel", channel->name);
	line(out, "", "DestinationChannel", "");
	line(out, "", "LastApplication", up ? "Wait" : "AppDial2");
	line(out, "", "LastData", up ? "86400" : "(Outgoing Line)");
	time_line(out, "StartTime", channel->dialled_wall_us);
	time_line(out, "AnswerTime", channel->answered_wall_us);
	time_line(out, "EndTime", ended_us);
	number_line(
		out, "", "Duration", (uint64_t)(ended_us - channel->dialled_wall_us) / US_PER_S);
	number_line(out, "", "BillableSeconds",
		up ? (uint64_t)(ended_us - channel->answered_wall_us) / US_PER_S : 0);
	line(out, "", "Disposition", channel->cdr);
	line(out, "", "AMAFlags", "DOCUMENTATION");
	line(out, "", "UniqueID", asked->id);
	line(out, "", "UserField", "");
}

/* Mood results: the called party has keyed in the last digit of his own number. */
static void result_lines(struct strbuf *out, const struct originate *asked)
{
	size_t n = strlen(asked->number);

	line(out, "", "UserEvent", "CcsResult");
	line(out, "", "CallId", asked->id);
	line(out, "", "digit", n ? &asked->number[n - 1] : "");
}

static void body(struct strbuf *out, const struct channel *channel, enum event event)
{
	const struct originate *asked = &channel->asked;
	struct view view = view_of(channel, event);
	bool dial =
		event == EVENT_DIAL_BEGIN || event == EVENT_DIAL_STATE || event == EVENT_DIAL_END;

	if (event == EVENT_ORIGINATE_RESPONSE) {
		originate_response(out, asked,
			channel->answered_us ? channel->name : asked->dialled, asked->caller,
			reason_of(channel));
		return;
	}
	if (event == EVENT_CDR) {
		cdr(out, channel);
		return;
	}
	snapshot(out, channel, dial ? "Dest" : "", &view);
	if (event == EVENT_NEW_ACCOUNT_CODE)
		line(out, "", "OldAccountCode", "");
	else if (event == EVENT_NEW_CALLERID)
		line(out, "", "CID-CallingPres", "0 (Presentation Allowed, Not Screened)");
	else if (event == EVENT_DIAL_BEGIN)
		line(out, "", "DialString", strchr(asked->dialled, '/') + 1);
	else if (event == EVENT_DIAL_STATE)
		line(out, "", "DialStatus", "RINGING");
	else if (event == EVENT_DIAL_END)
		line(out, "", "DialStatus", channel->dial_status);
	else if (event == EVENT_USER_EVENT)
		result_lines(out, asked);
	else if (event >= EVENT_HANGUP_REQUEST)
		cause_lines(out, channel, event);
}

static bool is_wanted(const struct server *server, enum event event)
{
	return server->sessions && (server->farm->all_events || events[event].subscribed);
}

static void send_event(struct server *server, enum event event)
{
	struct strbuf *text = &server->farm->text;

	strbuf_puts(text, "\r\n");
	server_tell(server, events[event].class, strbuf_view(text));
}

void event_of_channel(const struct channel *channel, enum event event)
{
	struct server *server = channel->server;
	struct strbuf *text = &server->farm->text;

	if (!is_wanted(server, event))
		return;
	begin(text, event);
	stamp(text, server);
	body(text, channel, event);
	send_event(server, event);
}

void event_no_channel(struct server *server, const struct originate *asked)
{
	struct strbuf *text = &server->farm->text;

	begin(text, EVENT_ORIGINATE_RESPONSE);
	stamp(text, server);
	originate_response(text, asked, asked->dialled, asked->caller, 0);
	send_event(server, EVENT_ORIGINATE_RESPONSE);
}

void event_shutdown(struct server *server)
{
	struct strbuf *text = &server->farm->text;

	begin(text, EVENT_SHUTDOWN);
	stamp(text, server);
	strbuf_puts(text, "Shutdown: Cleanly\r\nRestart: True\r\n");
	send_event(server, EVENT_SHUTDOWN);
}

void event_fully_booted(struct session *session)
{
	struct farm *farm = session->server->farm;
	uint64_t up_s = (uint64_t)(farm->now_us - session->server->booted_us) / US_PER_S;

	begin(&farm->text, EVENT_FULLY_BOOTED);
	number_line(&farm->text, "", "Uptime", up_s);
	number_line(&farm->text, "", "LastReload", up_s);
	strbuf_puts(&farm->text, "Status: Fully Booted\r\n\r\n");
	session_say(session, strbuf_view(&farm->text));
}

void event_list_entry(
	const struct channel *channel, struct str action_id, int64_t now_us, struct strbuf *out)
{
	bool up = channel->state == CHANNEL_UP;
	uint64_t seconds = (uint64_t)(now_us - channel->dialled_us) / US_PER_S;
	struct view view = {channel->state, true, true, true, up};

	line(out, "", "Event", "CoreShowChannel");
	strbuf_printf(out, "ActionID: %.*s\r\n", (int)action_id.n, action_id.p);
	snapshot(out, channel, "", &view);
	line(out, "", "Application", up ? "Wait" : "AppDial2");
	line(out, "", "ApplicationData", up ? "86400" : "(Outgoing Line)");
	strbuf_printf(out, "Duration: %02llu:%02llu:%02llu\r\nBridgeId: \r\n\r\n",
		(unsigned long long)seconds / 3600, (unsigned long long)seconds / 60 % 60,
		(unsigned long long)seconds % 60);
}
