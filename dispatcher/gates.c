/* Views for the gates, from private memory: see gates.h. */
#include "dispatcher/gates.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/days.h"
#include "dispatcher/hours.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"

#include "common/base.h"

/* As many channels are free as there are, or one more: another call has ended. Above a lowered limit that is none yet. */
enum channels { CHANNELS_NOW, CHANNELS_SOON };

static struct gate_quota with(enum channels channels, struct gate_quota quota)
{
	if (channels == CHANNELS_SOON && quota.channels_used > 0)
		quota.channels_used--;
	return quota;
}

static bool client_shut(struct dispatcher *d, struct client *client, enum channels channels,
	struct gate_verdict *verdict)
{
	struct usage usage = usage_read(client->usage);
	struct gate_day day = day_of_client(client);
	struct gate_client g = gate_client_of(&client->facts, &usage, &day, client->edges);
	struct gate_view view = {.now_us = d->now_us, .client = &g};
	g.quota = with(channels, g.quota);
	return gate_first_block(&view, verdict);
}

static struct gate_server view_of(const struct server *server, enum channels channels)
{
	struct usage usage = usage_read(server->usage);
	struct ami_facts ami = server_facts_now(server);
	struct health_facts health = health_read(&server->row->health);
	struct gate_server view = gate_server_of(&server->facts, &usage, &ami, &health);
	view.quota = with(channels, view.quota);
	return view;
}

static bool edge_shut(struct dispatcher *d, struct edge *edge, enum channels channels,
	struct gate_verdict *verdict)
{
	struct usage usage = usage_read(edge->usage);
	struct gate_allocation ga = gate_allocation_of(&edge->facts, &usage);
	struct gate_server gs = view_of(edge->server, channels);
	struct gate_view view = {.now_us = d->now_us, .allocation = &ga, .server = &gs};
	if (edge->counting) {
		*verdict = (struct gate_verdict){GATE_allocation_rate, INT64_MAX};
		return true;
	}
	ga.quota = with(channels, ga.quota);
	return gate_first_block(&view, verdict);
}

static bool server_shut(struct dispatcher *d, const struct server *server, enum channels channels,
	struct gate_verdict *verdict)
{
	struct gate_server gs = view_of(server, channels);
	struct gate_view view = {.now_us = d->now_us, .server = &gs};
	return gate_first_block(&view, verdict);
}

bool client_blocked(struct dispatcher *d, struct client *client, struct gate_verdict *verdict)
{
	return client_shut(d, client, CHANNELS_NOW, verdict);
}

bool edge_blocked(struct dispatcher *d, struct edge *edge, struct gate_verdict *verdict)
{
	return edge_shut(d, edge, CHANNELS_NOW, verdict);
}

bool server_blocked(struct dispatcher *d, const struct server *server, struct gate_verdict *verdict)
{
	return server_shut(d, server, CHANNELS_NOW, verdict);
}

bool client_blocked_otherwise(
	struct dispatcher *d, struct client *client, struct gate_verdict *verdict)
{
	return client_shut(d, client, CHANNELS_SOON, verdict);
}

bool edge_blocked_otherwise(struct dispatcher *d, struct edge *edge, struct gate_verdict *verdict)
{
	return edge_shut(d, edge, CHANNELS_SOON, verdict);
}

bool server_blocked_otherwise(
	struct dispatcher *d, const struct server *server, struct gate_verdict *verdict)
{
	return server_shut(d, server, CHANNELS_SOON, verdict);
}

uint64_t server_room(struct dispatcher *d, const struct server *server)
{
	struct gate_server gs = view_of(server, CHANNELS_NOW);
	struct gate_view view = {.now_us = d->now_us, .server = &gs};
	struct gate_verdict verdict;
	if (gate_first_block(&view, &verdict))
		return 0;
	const struct gate_quota *q = &gs.quota;
	uint64_t room =
		MIN(q->channels_limit - q->channels_used - gs.foreign, gs.window - gs.unanswered);
	if (gs.pace)
		room = MIN(room, gs.pace - q->channels_used);
	room = MIN(room, rate_room(&q->hourly, q->rate_us, d->now_us));
	return MIN(room, rate_room(&q->pace, q->pace_us, d->now_us));
}

enum gate entry_gate(struct dispatcher *d, const struct waiting *w)
{
	const struct client *client = w->chunk->client;
	const struct shm_window *row = w->row;
	const struct caller_id *asked = terms_asked(w);
	struct gate_entry e = {
		.dispatched = true,
		.dnc = w->listed != DNC_NONE,
		.number_denied = policy_judge(&client->facts.policy, row->plan) != POLICY_FINE,
		.did_denied = asked && !caller_id_allowed(client, asked),
		.number_live = number_live(d, row) != NULL,
		.day = day_of_region(client, row->plan.region),
	};
	struct calling_time hours = hours_of_waiting(d, w);
	e.hours_begin_us = hours.is_open ? 0 : hours.until_us;
	struct gate_verdict verdict;
	(void)gate_first_block(&(struct gate_view){.now_us = d->now_us, .entry = &e}, &verdict);
	return verdict.gate;
}
