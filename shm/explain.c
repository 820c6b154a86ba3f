/* Gates in words: see explain.h. */
#include "shm/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "shm/hours.h"

#include "common/base.h"

/* What one gate is asked about. The parts that are not asked about are NULL. */
struct question {
	const struct explain *ex;
	struct gate_view view;
	const struct view_allocation *share;
};

/* ---- figures ---- */

__attribute__((format(printf, 2, 3))) static void say(struct explained *e, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(e->detail, sizeof(e->detail), format, args);
	va_end(args);
}

/* " until 2026-11-22T09:00:00Z", or nothing where nobody knows. */
static const char *moment(const char *before, int64_t at_us, char text[64])
{
	char time[CLOCK_TEXT_BYTES];
	*text = '\0';
	if (at_us > 0 && at_us != INT64_MAX)
		(void)snprintf(text, 64, " %s %s", before, clock_utc(at_us, time));
	return text;
}

static void say_channels(struct explained *e, const struct gate_quota *q, const char *whose)
{
	say(e, "%u of %u channels%s in use%s%s", q->channels_used, q->channels_limit, whose,
		*e->server_code ? " on server " : "", e->server_code);
}

static void say_rate(struct explained *e, const struct question *q, const struct gate_quota *quota,
	uint32_t per_hour, uint32_t per_second, uint32_t started)
{
	const char *on = *e->server_code ? " on server " : "";
	bool by_second = per_second && !rate_check(&quota->pace, quota->pace_us, q->view.now_us) &&
			 rate_check(&quota->hourly, quota->rate_us, q->view.now_us);
	if (by_second)
		say(e, "the limit of %u calls a second is used up%s%s", per_second, on,
			e->server_code);
	else
		say(e, "%u calls started in the last hour, of %u an hour%s%s", started, per_hour,
			on, e->server_code);
}

static void say_client(struct explained *e, const struct question *q)
{
	const struct client_facts *facts = &q->ex->facts;
	const struct shm_client *c = &facts->client;
	if (e->gate == GATE_client_inactive && e->blocks && c->status == CLIENT_SUSPENDED)
		say(e, "the account is suspended");
	else if (e->gate == GATE_paused && e->blocks)
		say(e, q->view.client->paused ? "calling is paused for the account"
					      : "the batch is paused");
	else if (e->gate == GATE_client_channels)
		say_channels(e, &q->view.client->quota, " of the account");
	else if (e->gate == GATE_client_rate)
		say(e, "%u calls started in the last hour, of %u an hour", facts->usage.started,
			c->rate_limit);
	else if (e->gate == GATE_client_cps && c->calls_per_second)
		say(e, "at most %u calls a second", c->calls_per_second);
}

static void say_batch(struct explained *e, const struct question *q)
{
	const struct gate_batch *batch = q->view.entry ? &q->view.entry->batch : NULL;
	if (batch && e->gate == GATE_batch_channels && batch->channels_limit)
		say(e, "%u of %u channels of the batch in use", batch->channels_used,
			batch->channels_limit);
	else if (batch && e->gate == GATE_batch_cps && q->ex->entry->batch_cps)
		say(e, "at most %u calls of the batch a second", q->ex->entry->batch_cps);
}

static void say_window(struct explained *e, const struct question *q)
{
	const struct gate_entry *entry = q->view.entry;
	char when[64];
	if (!e->blocks)
		return;
	if (!entry || !entry->hours_begin_us)
		say(e, "outside the account's calling hours%s",
			moment("until", q->view.client->window_open_us, when));
	else if (entry->hours_begin_us == INT64_MAX)
		say(e, "nobody knows a time that is inside the calling hours wherever the number "
		       "may be");
	else
		say(e, "outside the calling hours where the number is%s",
			moment("until", entry->hours_begin_us, when));
}

static bool is_used_up(const struct gate_day *day)
{
	return day->is_capped && day->used >= day->cap;
}

static void say_day(struct explained *e, const struct question *q)
{
	const struct gate_day *all = &q->view.client->day;
	const struct gate_day *region = q->view.entry ? &q->view.entry->day : NULL;
	if (region && region->is_capped && (!all->is_capped || !is_used_up(all)))
		say(e, "%u of %u calls of the day into region %s used", region->used, region->cap,
			q->ex->entry->region);
	else if (all->is_capped)
		say(e, "%u of %u calls of the day used", all->used, all->cap);
}

static void say_moment(struct explained *e, const struct question *q)
{
	const struct gate_entry *entry = q->view.entry;
	char when[64];
	if (!e->blocks)
		return;
	if (e->gate == GATE_not_started)
		say(e, "the batch starts%s", moment("at", entry->starts_us, when));
	else if (e->gate == GATE_expired)
		say(e, "the time of the batch was over%s", moment("at", entry->expires_us, when));
	else
		say(e, "the next attempt is due%s", moment("at", entry->due_us, when));
}

static void say_list(struct explained *e, const struct question *q)
{
	static const struct {
		const char *list, *whose;
	} words[] = {{"everybody", "everybody's"}, {"client", "the account's"},
		{"batch", "the batch's"}};

	for (size_t i = 0; e->blocks && i < ARRAY_LEN(words); i++)
		if (strcmp(q->ex->entry->list, words[i].list) == 0)
			say(e, "the number is on %s do-not-call list", words[i].whose);
}

static void say_allocation(struct explained *e, const struct question *q)
{
	const struct gate_allocation *a = q->view.allocation;
	const struct shm_allocation *limits = &q->share->allocation;
	if (e->gate == GATE_allocation_channels)
		say_channels(e, &a->quota, " of the account");
	else if (e->gate == GATE_allocation_rate)
		say_rate(e, q, &a->quota, limits->rate_limit, limits->calls_per_second,
			q->share->usage.started);
	else if (e->blocks)
		say(e, "the account's share of server %s is switched off", e->server_code);
}

static void say_down(struct explained *e, const struct server_facts *server)
{
	switch (server->server.status) {
	case SERVER_DRAINING:
		say(e, "server %s takes no new calls: it is being drained", e->server_code);
		return;
	case SERVER_DISABLED:
		say(e, "server %s is disabled", e->server_code);
		return;
	default:
		say(e, "no connection to server %s", e->server_code);
	}
}

/* Of what others do on a server only what is in the way. */
static void say_server(struct explained *e, const struct question *q)
{
	const struct server_facts *server = &q->share->server;
	char when[64];
	if (!e->blocks)
		return;
	if (e->gate == GATE_server_down)
		say_down(e, server);
	else if (e->gate == GATE_server_breaker)
		say(e, "server %s has failed too often (%s) and is given a pause%s", e->server_code,
			fault_words(server->health.fault),
			moment("until", server->health.next_us, when));
	else if (e->gate == GATE_server_pace)
		say(e,
			"server %s is given %u calls at once for now: its trunk refused more, or "
			"it has just recovered",
			e->server_code, server->health.pace);
	else if (e->gate == GATE_server_channels)
		say_channels(e, &q->view.server->quota, "");
	else if (e->gate == GATE_server_rate)
		say_rate(e, q, &q->view.server->quota, server->server.rate_limit,
			server->server.calls_per_second, server->usage.started);
	else if (e->gate == GATE_server_backlog)
		say(e, "server %s owes an answer to %u calls, of at most %u", e->server_code,
			q->view.server->unanswered, q->view.server->window);
}

typedef void say_fn(struct explained *e, const struct question *q);

/* Those that are not here have their sentence. */
static say_fn *const words[GATE__N] = {
	[GATE_client_inactive] = say_client,
	[GATE_paused] = say_client,
	[GATE_dnc] = say_list,
	[GATE_window_closed] = say_window,
	[GATE_daily_cap] = say_day,
	[GATE_not_started] = say_moment,
	[GATE_expired] = say_moment,
	[GATE_retry_wait] = say_moment,
	[GATE_client_channels] = say_client,
	[GATE_client_rate] = say_client,
	[GATE_client_cps] = say_client,
	[GATE_batch_channels] = say_batch,
	[GATE_batch_cps] = say_batch,
	[GATE_allocation_off] = say_allocation,
	[GATE_allocation_channels] = say_allocation,
	[GATE_allocation_rate] = say_allocation,
	[GATE_server_down] = say_server,
	[GATE_server_breaker] = say_server,
	[GATE_server_channels] = say_server,
	[GATE_server_pace] = say_server,
	[GATE_server_rate] = say_server,
	[GATE_server_backlog] = say_server,
};

/* ---- since when ---- */

/* The dispatcher notes what has the client wait, and since when; the rest carries its own moment. */
static int64_t since(const struct explained *e, const struct question *q)
{
	const struct explain_entry *entry = q->ex->entry;
	const struct usage *usage = &q->ex->facts.usage;
	if (e->gate == GATE_not_dispatched)
		return entry->created_us;
	if (e->gate == GATE_canceled)
		return entry->canceled_us;
	if (e->gate == GATE_paused && !q->view.client->paused)
		return entry->paused_us;
	if (e->gate == GATE_server_down && q->share->server.server.status == SERVER_ACTIVE)
		return q->share->server.ami.since_us;
	return usage->gate == (uint32_t)e->gate ? usage->gate_us : 0;
}

/* ---- asking ---- */

static void ask(const struct question *q, enum gate gate, struct explained *out)
{
	struct gate_verdict verdict;
	*out = (struct explained){.gate = gate, .blocks = gate_blocks(gate, &q->view, &verdict)};
	if (q->share)
		memcpy(out->server_code, q->share->server.server.server_code,
			sizeof(out->server_code));
	if (out->blocks) {
		out->since_us = since(out, q);
		out->next_us = verdict.next_us == INT64_MAX ? 0 : verdict.next_us;
		say(out, "%s", gate_texts[gate].sentence);
	}
	if (words[gate])
		words[gate](out, q);
}

bool explain_begin(struct explain *ex, const struct view *view, int64_t now_us,
	const struct explain_entry *entry)
{
	struct view_allocation share;
	uint32_t at = 0;
	*ex = (struct explain){.view = *view, .now_us = now_us, .entry = entry};
	if (!view_client(view, &ex->facts))
		return false;
	if (hours_are_over(&ex->facts.client, now_us)) /* the dispatcher looks once a second */
		hours_look(&ex->facts.client, now_us);
	struct gate_day day = gate_day_of(&ex->facts.day);
	ex->client = gate_client_of(
		&ex->facts.client, &ex->facts.usage, &day, view_next_allocation(view, &at, &share));
	return true;
}

static bool is_asked(const struct explain *ex, enum gate gate)
{
	enum gate_part part = gate_texts[gate].asks;
	return part == GATE_OF_CLIENT || (part == GATE_OF_BATCH && ex->entry) ||
	       (part == GATE_OF_NUMBER && ex->entry && ex->entry->is_number);
}

uint32_t explain_gates(const struct explain *ex, struct explained gates[GATE__N])
{
	struct question q = {ex,
		{.now_us = ex->now_us,
			.client = &ex->client,
			.entry = ex->entry ? &ex->entry->gate : NULL},
		NULL};
	uint32_t n = 0;
	for (enum gate gate = GATE_NONE + 1; gate < GATE__N; gate++)
		if (is_asked(ex, gate))
			ask(&q, gate, &gates[n++]);
	return n;
}

bool explain_next_server(const struct explain *ex, uint32_t *at, struct explained_server *out)
{
	struct view_allocation share;
	if (!view_next_allocation(&ex->view, at, &share))
		return false;
	struct gate_allocation allocation = gate_allocation_of(&share.allocation, &share.usage);
	struct gate_server server = gate_server_of(
		&share.server.server, &share.server.usage, &share.server.ami, &share.server.health);
	struct question q = {
		ex, {.now_us = ex->now_us, .allocation = &allocation, .server = &server}, &share};
	out->n = 0;
	out->first = (struct explained){.gate = GATE_NONE};
	memcpy(out->server_code, share.server.server.server_code, sizeof(out->server_code));
	for (enum gate gate = GATE_NONE + 1; gate < GATE__N; gate++) {
		if (gate_texts[gate].asks < GATE_OF_ALLOCATION)
			continue;
		struct explained *e = &out->gates[out->n++];
		ask(&q, gate, e);
		if (e->blocks && !out->first.blocks)
			out->first = *e;
	}
	return true;
}

/* Does a open before b? One that nobody can tell of opens last. */
static bool is_sooner(const struct explained *a, const struct explained *b)
{
	return a->next_us && (!b->next_us || a->next_us < b->next_us);
}

static bool servers_block(const struct explain *ex, struct explained *out)
{
	struct explained_server server;
	bool any = false;
	for (uint32_t at = 0; explain_next_server(ex, &at, &server);) {
		if (!server.first.blocks)
			return false;
		if (!any || is_sooner(&server.first, out))
			*out = server.first;
		any = true;
	}
	return any;
}

/* The client may call and there is a server, but each number that is left waits for something of its own: for a call to the
 * same number, or for its region's next day. Only the dispatcher, who looked at all of them, can tell. */
static bool rest_blocks(const struct explain *ex, struct explained *out)
{
	const struct usage *usage = &ex->facts.usage;
	bool is_closed =
		usage->gate == GATE_window_closed && ex->facts.client.calling.in_callee_zone;
	bool is_rest =
		usage->gate == GATE_daily_cap || usage->gate == GATE_number_live || is_closed;
	if (!is_rest || (ex->entry && ex->entry->is_number))
		return false;
	*out = (struct explained){.gate = (enum gate)usage->gate,
		.blocks = true,
		.since_us = usage->gate_us,
		.next_us = usage->gate == GATE_daily_cap ? ex->facts.day.ends_us : 0};
	if (is_closed)
		say(out, "all that waits are numbers whose calling hours are over where they are");
	else if (usage->gate == GATE_daily_cap)
		say(out, "all that waits goes into regions whose calls of the day are used up");
	else
		say(out, "all that waits are numbers to which a call is in progress");
	return true;
}

void explain_retry_wait(int64_t due_us, struct explained *out)
{
	char when[64];
	*out = (struct explained){.gate = GATE_retry_wait, .blocks = true, .next_us = due_us};
	say(out, "all that waits is called again, the first of it%s", moment("at", due_us, when));
}

bool explain_verdict(const struct explain *ex, struct explained *out)
{
	struct explained gates[GATE__N];
	uint32_t n = explain_gates(ex, gates);
	for (uint32_t i = 0; i < n; i++)
		if (gates[i].blocks) {
			*out = gates[i];
			return true;
		}
	if (servers_block(ex, out) || rest_blocks(ex, out))
		return true;
	*out = (struct explained){.gate = GATE_NONE};
	return false;
}
