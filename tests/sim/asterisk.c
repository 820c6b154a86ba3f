/* Asterisk servers: what they answer, and what becomes of a call, as the real ones were seen to do it (tests/farm plays them
 * with all headers). A server may hang, which keeps the order of everything; be cut off, which its calls survive; or restart,
 * which they do not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dispatcher/ami_action.h"
#include "dispatcher/call_id.h"
#include "tests/sim/sim.h"

#include "common/base.h"

enum { CHANNELS_MAX = 256, SESSIONS_MAX = 8, STATE_RINGING = 5, STATE_UP = 6 };

enum end {
	END_BUSY,
	END_REJECTED,
	END_CONGESTION,
	END_INVALID,
	END_RINGS_OUT,
	END_ANSWERED,
	END__N
};

static const struct {
	uint32_t cause, reason; /* of Hangup and OriginateResponse */
	const char *dialed;
} ends[END__N] = {
	[END_BUSY] = {17, 5, "BUSY"},
	[END_REJECTED] = {21, 0, "NOANSWER"},
	[END_CONGESTION] = {34, 8, "CONGESTION"},
	[END_INVALID] = {1, 0, "NOANSWER"},
	[END_RINGS_OUT] = {19, 3, "NOANSWER"},
	[END_ANSWERED] = {16, 4, "ANSWER"},
};

struct channel {
	uint64_t serial; /* 0: free */
	char id[AMI_CALL_ID_CHARS + 1];
	uint64_t entry_id;
	uint32_t n;
	uint32_t state;
	enum end end;
};

struct message { /* while the server hangs */
	uint32_t wire;
	bool is_in;
	struct strbuf text;
	struct message *next;
};

struct asterisk {
	bool listens;
	int64_t hangs_until_us;
	uint32_t sessions[SESSIONS_MAX]; /* wires that have logged in */
	uint32_t sessions_n;
	struct channel channels[CHANNELS_MAX];
	struct message *held, **held_last;
};

static struct asterisk asterisks[SERVERS_MAX];
static uint64_t serials;

static bool hangs(const struct asterisk *a)
{
	return sim.now_us < a->hangs_until_us;
}

static void hold(struct asterisk *a, uint32_t wire, bool is_in, struct str text)
{
	struct message *m = calloc(1, sizeof(*m));
	if (!m)
		die("memory.exhausted", "what=message");
	m->wire = wire;
	m->is_in = is_in;
	strbuf_str(&m->text, text);
	*a->held_last = m;
	a->held_last = &m->next;
}

static void tell(struct asterisk *a, uint32_t wire, struct str text)
{
	if (hangs(a))
		hold(a, wire, false, text);
	else
		wire_to_ccs(wire, text.p, text.n);
}

static void tell_all(struct asterisk *a, struct str text)
{
	for (uint32_t i = 0; i < a->sessions_n; i++)
		tell(a, a->sessions[i], text);
}

/* ---- events ---- */

PRINTF(3, 4) static void event(struct asterisk *a, const char *name, const char *fmt, ...)
{
	struct strbuf sb = STRBUF_INIT;
	char body[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(body, sizeof(body), fmt, ap);
	va_end(ap);
	strbuf_printf(&sb, "Event: %s\r\nPrivilege: call,all\r\nTimestamp: %lld.%06lld\r\n%s\r\n",
		name, (long long)(sim.now_us / US_PER_S), (long long)(sim.now_us % US_PER_S), body);
	bool lost = !sim.calm && dice_chance(sim.mood.ami_lost_in_1000);
	if (!lost)
		tell_all(a, strbuf_view(&sb));
	if (!lost && !sim.calm && dice_chance(sim.mood.ami_twice_in_1000))
		tell_all(a, strbuf_view(&sb));
	say("s%td %s %.*s%s", a - asterisks, name, 40, body, lost ? " (lost)" : "");
	strbuf_free(&sb);
}

static void newstate(struct asterisk *a, struct channel *c, uint32_t state)
{
	c->state = state;
	event(a, "Newstate", "Uniqueid: %s\r\nChannelState: %u\r\n", c->id, state);
}

static void originate_response(struct asterisk *a, const char *id, uint32_t reason)
{
	event(a, "OriginateResponse",
		"ActionID: %s\r\nResponse: %s\r\nReason: %u\r\nUniqueid: %s\r\n", id,
		reason == 4 ? "Success" : "Failure", reason, id);
}

static void hangup_event(struct asterisk *a, const char *id, uint32_t state, uint32_t cause)
{
	event(a, "Hangup", "Uniqueid: %s\r\nChannelState: %u\r\nCause: %u\r\n", id, state, cause);
}

/* ---- a call ---- */

static struct channel *channel_of(uint64_t at, uint64_t serial)
{
	struct channel *c = &asterisks[at / CHANNELS_MAX].channels[at % CHANNELS_MAX];
	return c->serial == serial ? c : NULL;
}

static uint64_t place_of(const struct asterisk *a, const struct channel *c)
{
	return (uint64_t)(a - asterisks) * CHANNELS_MAX + (uint64_t)(c - a->channels);
}

static void later(struct asterisk *a, const struct channel *c, int64_t us, timer_fn *fn)
{
	timer_at(sim.now_us + us, fn, place_of(a, c), c->serial);
}

static void over(struct channel *c)
{
	rules_over(c->entry_id, c->n);
	c->serial = 0;
}

struct belated {
	uint32_t server;
	bool is_hangup;
	char id[AMI_CALL_ID_CHARS + 1];
	uint32_t state, number;
};

static void tell_belated(uint64_t belated, uint64_t unused)
{
	struct belated *b = (struct belated *)(uintptr_t)belated;
	struct asterisk *a = &asterisks[b->server];
	(void)unused;
	if (a->listens && b->is_hangup)
		hangup_event(a, b->id, b->state, b->number);
	else if (a->listens)
		originate_response(a, b->id, b->number);
	free(b);
}

static void tell_later(struct asterisk *a, const struct belated *what)
{
	struct belated *b = malloc(sizeof(*b));
	if (!b)
		die("memory.exhausted", "what=belated");
	*b = *what;
	b->server = (uint32_t)(a - asterisks);
	timer_at(sim.now_us + dice_between(0, sim.mood.ami_late_ms * US_PER_MS), tell_belated,
		(uint64_t)(uintptr_t)b, 0);
}

/* Hangup and, unless it was answered, OriginateResponse, in either order. */
static void end_call(struct asterisk *a, struct channel *c, uint32_t cause, uint32_t reason)
{
	struct belated hangup = {.is_hangup = true, .state = c->state, .number = cause};
	struct belated response = {.number = reason};
	bool answered = c->state == STATE_UP, hangup_first = dice_chance(500);
	memcpy(hangup.id, c->id, sizeof(hangup.id));
	memcpy(response.id, c->id, sizeof(response.id));
	over(c);
	if (answered || hangup_first)
		hangup_event(a, hangup.id, hangup.state, cause);
	if (!answered && !hangup_first)
		originate_response(a, response.id, reason);
	if (!answered)
		tell_later(a, hangup_first ? &response : &hangup);
}

static void hang_up(uint64_t at, uint64_t serial)
{
	struct channel *c = channel_of(at, serial);
	if (c)
		end_call(&asterisks[at / CHANNELS_MAX], c, 16, ends[END_RINGS_OUT].reason);
}

static void decide(uint64_t at, uint64_t serial)
{
	struct channel *c = channel_of(at, serial);
	struct asterisk *a = &asterisks[at / CHANNELS_MAX];
	if (!c || c->state == STATE_UP)
		return;
	if (dice_chance(500))
		event(a, "DialEnd", "DestUniqueid: %s\r\nDialStatus: %s\r\n", c->id,
			ends[c->end].dialed);
	if (c->end != END_ANSWERED) {
		end_call(a, c, ends[c->end].cause, ends[c->end].reason);
		return;
	}
	bool state_first = dice_chance(500);
	if (state_first)
		newstate(a, c, STATE_UP);
	originate_response(a, c->id, ends[END_ANSWERED].reason);
	if (!state_first)
		newstate(a, c, STATE_UP);
	later(a, c, dice_between(1000, sim.mood.talk_us), hang_up);
}

static void ring(uint64_t at, uint64_t serial)
{
	struct channel *c = channel_of(at, serial);
	if (c && c->state < STATE_RINGING)
		newstate(&asterisks[at / CHANNELS_MAX], c, STATE_RINGING);
}

static void appear(uint64_t at, uint64_t serial)
{
	struct channel *c = channel_of(at, serial);
	if (!c)
		return;
	event(&asterisks[at / CHANNELS_MAX], "Newchannel", "Uniqueid: %s\r\nChannelState: 0\r\n",
		c->id);
}

static void fail_without_channel(uint64_t at, uint64_t serial)
{
	struct channel *c = channel_of(at, serial);
	char id[AMI_CALL_ID_CHARS + 1];
	if (!c)
		return;
	memcpy(id, c->id, sizeof(id));
	over(c);
	originate_response(&asterisks[at / CHANNELS_MAX], id, 0);
}

static void begin_call(struct asterisk *a, struct channel *c, int64_t timeout_us, int64_t limit_us)
{
	if (!sim.calm && dice_chance(sim.mood.no_channel_in_1000)) {
		later(a, c, dice_between(500, 50000), fail_without_channel);
		return;
	}
	later(a, c, dice_between(10, 2000), appear);
	if (dice_chance(800))
		later(a, c, dice_between(2000, 200000), ring);
	c->end = dice_chance(500) ? END_ANSWERED : (enum end)dice(END__N);
	bool rings_out = c->end == END_RINGS_OUT;
	int64_t after_us = dice_between(3000, sim.mood.ring_us);
	later(a, c, rings_out ? timeout_us : MIN(after_us, timeout_us), decide);
	later(a, c, limit_us, hang_up);
}

/* ---- actions ---- */

static struct str header(struct str action, const char *name)
{
	struct str rest = action, line, key;
	while (rest.n && str_split(&rest, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_split(&line, ':', &key) && str_eq(key, str_of(name)))
			return (struct str){line.p + 1, line.n - 1};
	}
	return STR("");
}

static int64_t number_in(struct str text)
{
	uint64_t n;
	if (!str_to_u64(str_trim(text), 0, INT64_MAX, &n))
		violated("an action with a header that is no number");
	return (int64_t)n;
}

PRINTF(4, 5)
static void respond(struct asterisk *a, uint32_t wire, struct str id, const char *fmt, ...)
{
	struct strbuf sb = STRBUF_INIT;
	char body[128];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(body, sizeof(body), fmt, ap);
	va_end(ap);
	strbuf_printf(&sb, "Response: %s\r\n", body);
	strbuf_printf(&sb, "ActionID: %.*s\r\n\r\n", (int)id.n, id.p);
	tell(a, wire, strbuf_view(&sb));
	strbuf_free(&sb);
}

static void originate(struct asterisk *a, uint32_t wire, struct str action, struct str id)
{
	uint64_t entry_id;
	uint32_t n;
	struct channel *c = a->channels;
	struct str channel = header(action, "Channel"), number;

	if (!call_id_parse(header(action, "ChannelId"), &entry_id, &n))
		violated("an Originate without a ChannelId");
	channel.p += sizeof("PJSIP/") - 1;
	channel.n -= sizeof("PJSIP/") - 1;
	(void)str_split(&channel, '@', &number);
	char digits[20];
	if (!str_copy(digits, sizeof(digits), number))
		violated("a number of %zu digits is dialled", number.n);
	char shown[24];
	if (!str_copy(shown, sizeof(shown), header(action, "CallerID")))
		violated("a number of %zu digits is shown", header(action, "CallerID").n);
	rules_dialled(entry_id, n, digits, shown);
	if (!sim.calm && dice_chance(sim.mood.refuse_in_1000)) {
		respond(a, wire, id, "Error\r\nMessage: Extension does not exist.");
		rules_over(entry_id, n);
		return;
	}
	while (c->serial)
		if (++c == a->channels + CHANNELS_MAX)
			violated("more than %d channels on one server", CHANNELS_MAX);
	*c = (struct channel){.serial = ++serials, .entry_id = entry_id, .n = n};
	call_id_of(entry_id, n, c->id);
	respond(a, wire, id, "Success\r\nMessage: Originate successfully queued");
	int64_t timeout_us = number_in(header(action, "Timeout")) * US_PER_MS;
	begin_call(a, c, timeout_us, timeout_us + sim.conf.dispatcher_max_call_seconds * US_PER_S);
}

static void list_channels(struct asterisk *a, uint32_t wire, struct str id)
{
	struct strbuf sb = STRBUF_INIT;
	respond(a, wire, id, "Success\r\nEventList: start");
	for (struct channel *c = a->channels; c < a->channels + CHANNELS_MAX; c++)
		if (c->serial)
			strbuf_printf(&sb,
				"Event: CoreShowChannel\r\nActionID: %.*s\r\nUniqueid: "
				"%s\r\nChannelState: %u\r\n\r\n",
				(int)id.n, id.p, c->id, c->state);
	strbuf_printf(
		&sb, "Event: CoreShowChannelsComplete\r\nActionID: %.*s\r\n\r\n", (int)id.n, id.p);
	tell(a, wire, strbuf_view(&sb));
	strbuf_free(&sb);
}

static void hang_up_by_order(struct asterisk *a, uint32_t wire, struct str action, struct str id)
{
	struct str which = header(action, "Channel");
	for (struct channel *c = a->channels; c < a->channels + CHANNELS_MAX; c++)
		if (c->serial && str_eq(which, str_of(c->id))) {
			respond(a, wire, id, "Success\r\nMessage: Channel Hungup");
			end_call(a, c, 16, 3);
			return;
		}
	respond(a, wire, id, "Error\r\nMessage: No such channel");
}

static void log_in(struct asterisk *a, uint32_t wire, struct str id)
{
	respond(a, wire, id, "Success\r\nMessage: Authentication accepted");
	if (a->sessions_n == SESSIONS_MAX)
		violated("more than %d sessions on one server", SESSIONS_MAX);
	a->sessions[a->sessions_n++] = wire;
	tell(a, wire, STR("Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n"));
}

static void obey(struct asterisk *a, uint32_t wire, struct str action)
{
	struct str name = header(action, "Action"), id = header(action, "ActionID");
	say("s%td wire=%u %.*s %.*s", a - asterisks, wire, (int)name.n, name.p, (int)id.n, id.p);
	if (str_eq(name, STR("Login")))
		log_in(a, wire, id);
	else if (str_eq(name, STR("Ping")))
		respond(a, wire, id, "Success\r\nPing: Pong");
	else if (str_eq(name, STR("CoreShowChannels")))
		list_channels(a, wire, id);
	else if (str_eq(name, STR("Originate")))
		originate(a, wire, action, id);
	else if (str_eq(name, STR("Hangup")))
		hang_up_by_order(a, wire, action, id);
	else
		respond(a, wire, id, "Error\r\nMessage: Invalid/unknown command");
}

static void obey_all(struct asterisk *a, uint32_t wire, struct str text)
{
	while (text.n) {
		const char *end = memmem(text.p, text.n, "\r\n\r\n", 4);
		if (!end)
			violated("half an action was written");
		struct str action = {text.p, (size_t)(end - text.p) + 2};
		text.n -= action.n + 2;
		text.p += action.n + 2;
		obey(a, wire, action);
	}
}

/* Nobody will ever obey it. */
static void forget_calls_of(struct str text)
{
	static const char head[] = "ChannelId: ";
	const char *at = text.p, *end = text.p + text.n;
	while ((at = memmem(at, (size_t)(end - at), head, sizeof(head) - 1))) {
		uint64_t entry_id;
		uint32_t n;
		at += sizeof(head) - 1;
		if (call_id_parse((struct str){at, AMI_CALL_ID_CHARS}, &entry_id, &n))
			rules_over(entry_id, n);
	}
}

/* ---- wire.c's side ---- */

bool asterisk_listens(uint32_t server)
{
	return asterisks[server].listens;
}

void asterisk_connected(uint32_t server, uint32_t wire)
{
	tell(&asterisks[server], wire, STR("Asterisk Call Manager/9.0.0\r\n"));
}

/* What has arrived is obeyed, also when its connection has just been lost; or it is not. */
void asterisk_take(uint32_t server, uint32_t wire, bool stands, struct str text)
{
	struct asterisk *a = &asterisks[server];
	if (!a->listens || (!stands && dice_chance(500)))
		forget_calls_of(text);
	else if (hangs(a))
		hold(a, wire, true, text);
	else
		obey_all(a, wire, text);
}

void asterisk_gone(uint32_t server, uint32_t wire)
{
	struct asterisk *a = &asterisks[server];
	for (uint32_t i = 0; i < a->sessions_n; i++)
		if (a->sessions[i] == wire)
			a->sessions[i--] = a->sessions[--a->sessions_n];
}

/* ---- faults ---- */

static void wake_up(uint64_t server, uint64_t forget)
{
	struct asterisk *a = &asterisks[server];
	struct message *held = a->held, *next;
	if (hangs(a))
		return;
	a->held = NULL;
	a->held_last = &a->held;
	for (struct message *m = held; m; m = next) {
		next = m->next;
		struct str text = strbuf_view(&m->text);
		if (forget && m->is_in)
			forget_calls_of(text);
		else if (!forget && m->is_in)
			obey_all(a, m->wire, text);
		else if (!forget)
			wire_to_ccs(m->wire, text.p, text.n);
		strbuf_free(&m->text);
		free(m);
	}
}

bool asterisk_hangs(uint32_t server)
{
	return hangs(&asterisks[server]);
}

void asterisk_hang(uint32_t server, int64_t us)
{
	struct asterisk *a = &asterisks[server];
	a->hangs_until_us = sim.now_us + us;
	timer_at(a->hangs_until_us, wake_up, server, false);
}

void asterisk_cut(uint32_t server)
{
	struct asterisk *a = &asterisks[server];
	while (a->sessions_n)
		wire_close(a->sessions[--a->sessions_n], dice_chance(500));
}

static void start_again(uint64_t server, uint64_t unused)
{
	(void)unused;
	asterisks[server].listens = true;
}

void asterisk_restart(uint32_t server, int64_t us)
{
	struct asterisk *a = &asterisks[server];
	a->hangs_until_us = 0;
	asterisk_cut(server);
	wake_up(server, true);
	a->listens = false;
	for (struct channel *c = a->channels; c < a->channels + CHANNELS_MAX; c++)
		if (c->serial)
			over(c);
	timer_at(sim.now_us + us, start_again, server, 0);
}

uint32_t asterisk_live(uint32_t server)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < CHANNELS_MAX; i++)
		n += asterisks[server].channels[i].serial != 0;
	return n;
}

void asterisk_start(void)
{
	for (uint32_t i = 0; i < sim.servers_n; i++) {
		asterisks[i] = (struct asterisk){.listens = true};
		asterisks[i].held_last = &asterisks[i].held;
	}
}
