/* Gates: see gate.h. One function per row of gate.def; each asks only about the parts that are
 * there. */
#include "shm/gate.h"

#define NEVER INT64_MAX

const struct gate_text gate_texts[GATE__N] = {
	[GATE_NONE] = {"none", "nothing is in the way", "nobody", GATE_OF_CLIENT},
#define GATE(name, asks, sentence, who) [GATE_##name] = {#name, sentence, who, GATE_OF_##asks},
#include "shm/gate.def"
#undef GATE
};

/* When to ask again if the gate blocks; PASS if it does not. A moment that has passed blocks
 * nothing, so no gate answers with one. */
#define PASS INT64_MIN

typedef int64_t gate_fn(const struct gate_view *v);

static int64_t blocked_if(bool blocked, int64_t next_us)
{
	return blocked ? next_us : PASS;
}

static int64_t until(const struct gate_view *v, int64_t at_us)
{
	return blocked_if(v->now_us < at_us, at_us);
}

static int64_t channels_full(const struct gate_quota *q)
{
	return blocked_if(q->channels_used >= q->channels_limit, NEVER);
}

static int64_t rate_used_up(const struct gate_view *v, const struct rate *rate, int64_t tat_us)
{
	return blocked_if(!rate_check(rate, tat_us, v->now_us), rate_next_us(rate, tat_us));
}

/* An hour's and a second's limit at once: both must agree, so the later one counts. */
static int64_t either_rate(const struct gate_view *v, const struct gate_quota *q)
{
	int64_t hourly = rate_used_up(v, &q->hourly, q->rate_us);
	int64_t pace = rate_used_up(v, &q->pace, q->pace_us);
	return MAX(hourly, pace);
}

static int64_t client_inactive(const struct gate_view *v)
{
	return blocked_if(v->client && !v->client->active, NEVER);
}

static int64_t halted(const struct gate_view *v)
{
	return blocked_if(v->client && v->client->halted, NEVER);
}

static int64_t not_dispatched(const struct gate_view *v)
{
	return blocked_if(v->entry && !v->entry->dispatched, NEVER);
}

static int64_t paused(const struct gate_view *v)
{
	bool client = v->client && v->client->paused, entry = v->entry && v->entry->paused;
	return blocked_if(client || entry, NEVER);
}

static int64_t canceled(const struct gate_view *v)
{
	return blocked_if(v->entry && v->entry->canceled, NEVER);
}

static int64_t not_started(const struct gate_view *v)
{
	return v->entry ? until(v, v->entry->starts_us) : PASS;
}

static int64_t expired(const struct gate_view *v)
{
	const struct gate_entry *e = v->entry;
	return blocked_if(e && e->expires_us != 0 && e->expires_us <= v->now_us, NEVER);
}

static int64_t dnc(const struct gate_view *v)
{
	return blocked_if(v->entry && v->entry->dnc, NEVER);
}

static int64_t number_denied(const struct gate_view *v)
{
	return blocked_if(v->entry && v->entry->number_denied, NEVER);
}

static int64_t did_denied(const struct gate_view *v)
{
	return blocked_if(v->entry && v->entry->did_denied, NEVER);
}

static int64_t number_live(const struct gate_view *v)
{
	return blocked_if(v->entry && v->entry->number_live, NEVER);
}

/* A window that is over when we ask, because nobody has computed the next one yet, is asked for
 * again when something changes. */
static int64_t client_closed(const struct gate_view *v)
{
	const struct gate_client *c = v->client;
	if (!c || (c->window_open_us <= v->now_us && v->now_us < c->window_close_us))
		return PASS;
	return c->window_open_us > v->now_us ? c->window_open_us : NEVER;
}

static int64_t window_closed(const struct gate_view *v)
{
	int64_t entry = v->entry ? until(v, v->entry->hours_begin_us) : PASS;
	return MAX(client_closed(v), entry);
}

static int64_t day_used_up(const struct gate_day *day)
{
	return blocked_if(day->is_capped && day->used >= day->cap, day->ends_us);
}

static int64_t daily_cap(const struct gate_view *v)
{
	int64_t client = v->client ? day_used_up(&v->client->day) : PASS;
	int64_t entry = v->entry ? day_used_up(&v->entry->day) : PASS;
	return MAX(client, entry);
}

static int64_t retry_wait(const struct gate_view *v)
{
	return v->entry ? until(v, v->entry->due_us) : PASS;
}

static int64_t client_channels(const struct gate_view *v)
{
	return v->client ? channels_full(&v->client->quota) : PASS;
}

static int64_t client_rate(const struct gate_view *v)
{
	const struct gate_client *c = v->client;
	return c ? rate_used_up(v, &c->quota.hourly, c->quota.rate_us) : PASS;
}

static int64_t client_cps(const struct gate_view *v)
{
	const struct gate_client *c = v->client;
	return c ? rate_used_up(v, &c->quota.pace, c->quota.pace_us) : PASS;
}

static int64_t batch_channels(const struct gate_view *v)
{
	const struct gate_batch *b = v->entry ? &v->entry->batch : NULL;
	return blocked_if(b && b->channels_limit && b->channels_used >= b->channels_limit, NEVER);
}

static int64_t batch_cps(const struct gate_view *v)
{
	const struct gate_batch *b = v->entry ? &v->entry->batch : NULL;
	return b ? rate_used_up(v, &b->pace, b->pace_us) : PASS;
}

static int64_t no_server(const struct gate_view *v)
{
	return blocked_if(v->client && !v->client->has_server, NEVER);
}

static int64_t context_missing(const struct gate_view *v)
{
	return blocked_if(v->entry && v->entry->context_missing, NEVER);
}

static int64_t allocation_off(const struct gate_view *v)
{
	return blocked_if(v->allocation && v->allocation->off, NEVER);
}

static int64_t allocation_channels(const struct gate_view *v)
{
	return v->allocation ? channels_full(&v->allocation->quota) : PASS;
}

static int64_t allocation_rate(const struct gate_view *v)
{
	return v->allocation ? either_rate(v, &v->allocation->quota) : PASS;
}

static int64_t server_down(const struct gate_view *v)
{
	return blocked_if(v->server && !v->server->up, NEVER);
}

static int64_t server_breaker(const struct gate_view *v)
{
	return v->server ? until(v, v->server->breaker_until_us) : PASS;
}

static int64_t server_channels(const struct gate_view *v)
{
	const struct gate_server *s = v->server;
	return blocked_if(
		s && s->quota.channels_used + s->foreign >= s->quota.channels_limit, NEVER);
}

static int64_t server_pace(const struct gate_view *v)
{
	const struct gate_server *s = v->server;
	return blocked_if(s && s->pace && s->quota.channels_used >= s->pace, NEVER);
}

static int64_t server_rate(const struct gate_view *v)
{
	return v->server ? either_rate(v, &v->server->quota) : PASS;
}

static int64_t server_backlog(const struct gate_view *v)
{
	return blocked_if(v->server && v->server->unanswered >= v->server->window, NEVER);
}

static gate_fn *const gates[GATE__N] = {
#define GATE(name, asks, sentence, who) [GATE_##name] = name,
#include "shm/gate.def"
#undef GATE
};

bool gate_blocks(enum gate gate, const struct gate_view *view, struct gate_verdict *out)
{
	int64_t next_us = gate == GATE_NONE ? PASS : gates[gate](view);
	bool blocked = next_us != PASS;
	*out = (struct gate_verdict){blocked ? gate : GATE_NONE, blocked ? next_us : 0};
	return blocked;
}

static const uint8_t parts[GATE__N] = {
#define GATE(name, asks, sentence, who) [GATE_##name] = GATE_OF_##asks,
#include "shm/gate.def"
#undef GATE
};

/* A gate whose part is not there would let everything pass. Of those of clients some ask about an entry, too. */
bool gate_first_block(const struct gate_view *view, struct gate_verdict *out)
{
	const bool there[] = {
		[GATE_OF_CLIENT] = view->client || view->entry,
		[GATE_OF_BATCH] = view->entry,
		[GATE_OF_NUMBER] = view->entry,
		[GATE_OF_ALLOCATION] = view->allocation,
		[GATE_OF_SERVER] = view->server,
	};
	*out = (struct gate_verdict){GATE_NONE, 0};
	for (int gate = GATE_NONE + 1; gate < GATE__N; gate++)
		if (there[parts[gate]] && gate_blocks((enum gate)gate, view, out))
			return true;
	return false;
}

/* ---- from rows of the segment ---- */

static struct gate_quota quota_of(
	const struct usage *usage, uint32_t channels, uint32_t per_hour, uint32_t per_second)
{
	return (struct gate_quota){
		.channels_limit = channels,
		.channels_used = usage->channels,
		.hourly = rate_per_hour(per_hour),
		.pace = rate_per_second(per_second),
		.rate_us = usage->rate_us,
		.pace_us = usage->pace_us,
	};
}

struct gate_day gate_day_of(const struct day_usage *day)
{
	return (struct gate_day){
		.is_capped = day->ends_us != 0 && day->cap != SHM_NO_CAP,
		.cap = day->cap,
		.used = day->used,
		.ends_us = day->ends_us,
	};
}

struct gate_client gate_client_of(const struct shm_client *c, const struct usage *usage,
	const struct gate_day *day, bool has_server)
{
	return (struct gate_client){
		.active = c->is_active && c->status != CLIENT_SUSPENDED,
		.halted = c->halted,
		.paused = c->status == CLIENT_PAUSED,
		.has_server = has_server,
		.window_open_us = c->window_open_us,
		.window_close_us = c->window_close_us,
		.day = *day,
		.quota = quota_of(usage, c->allocated_channels, c->rate_limit, c->calls_per_second),
	};
}

struct gate_allocation gate_allocation_of(const struct shm_allocation *a, const struct usage *usage)
{
	return (struct gate_allocation){
		.off = a->status != SERVER_ACTIVE,
		.quota = quota_of(
			usage, a->allowed_active_calls, a->rate_limit, a->calls_per_second),
	};
}

struct gate_server gate_server_of(const struct shm_server *s, const struct usage *usage,
	const struct ami_facts *ami, const struct health_facts *health)
{
	return (struct gate_server){
		.up = s->status == SERVER_ACTIVE && ami->state == AMI_UP,
		.breaker_until_us = health->next_us,
		.foreign = health->foreign,
		.pace = health->pace,
		.unanswered = ami->unanswered + ami->armed,
		.window = ami->window,
		.quota = quota_of(
			usage, s->allowed_active_calls, s->rate_limit, s->calls_per_second),
	};
}
