/* Weighted fair dialling: see sched.h. */
#include <stdio.h>
#include <string.h>

#include "dispatcher/ahead.h"
#include "dispatcher/call.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/days.h"
#include "dispatcher/dnc.h"
#include "dispatcher/failover.h"
#include "dispatcher/gates.h"
#include "dispatcher/hours.h"
#include "dispatcher/journal.h"
#include "dispatcher/queue.h"
#include "dispatcher/route.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/waiters.h"
#include "dispatcher/work.h"

#include "common/base.h"

enum { SLOTS_FULL_PAUSE_US = 50000 };

/* ---- ready and parked ---- */

void sched_client_ready(struct dispatcher *d, struct client *client)
{
	if (heap_has(&client->ready) || client->waiting_n + client->ahead_n == 0)
		return;
	heap_remove(&d->timers, &client->timer);
	/* Whoever slept does not save up turns. */
	client->vtime = MAX(client->vtime, d->vtime);
	heap_put(&d->ready, &client->ready, client->vtime);
}

/* Until then, or (INT64_MAX) until something happens. */
static void park(struct dispatcher *d, struct client *client, int64_t until_us)
{
	heap_remove(&d->ready, &client->ready);
	if (until_us != INT64_MAX)
		heap_put(&d->timers, &client->timer, until_us);
}

static void wake_parked(struct dispatcher *d)
{
	struct heap_node *due;
	terms_wake(d);
	while ((due = heap_take_until(&d->timers, d->now_us)))
		sched_client_ready(d, CONTAINER(due, struct client, timer));
}

void sched_forget_client(struct dispatcher *d, struct client *client)
{
	heap_remove(&d->ready, &client->ready);
	heap_remove(&d->timers, &client->timer);
}

bool sched_may_dial(const struct dispatcher *d)
{
	return d->recovered && !d->stopping && d->commits_up && !d->rates_wanted &&
	       !d->rates_running;
}

int64_t sched_next_us(const struct dispatcher *d)
{
	int64_t next_us = MIN(heap_first_key(&d->timers), heap_first_key(&d->queue_timers));
	return sched_may_dial(d) ? MIN(next_us, waiters_next_us(d)) : INT64_MAX;
}

/* ---- picking ---- */

static uint32_t free_share(const struct edge *edge)
{
	uint32_t used = atomic_load_explicit(&edge->usage->channels, memory_order_relaxed);
	return edge->facts.allowed_active_calls > used ? edge->facts.allowed_active_calls - used
						       : 0;
}

/* Why the client cannot dial on the edge now. Where the server is the reason, or has room and others come first, the client
 * joins those who wait for it; else *wake_us is no later than when the edge opens by itself. */
static bool edge_shut(
	struct dispatcher *d, struct edge *edge, struct gate_verdict *why, int64_t *wake_us)
{
	if (edge_blocked(d, edge, why)) {
		if (is_server_gate(why->gate))
			waiters_join(d, edge);
		else
			*wake_us = MIN(*wake_us, why->next_us);
		return true;
	}
	if (!waiters_before(edge))
		return false;
	waiters_join(d, edge);
	sched_server_freed(d, edge->server);
	*why = (struct gate_verdict){GATE_server_channels, INT64_MAX};
	return true;
}

static bool suits(const struct dispatcher *d, const struct waiting *w, const struct server *server)
{
	return !failover_avoids(d, w, server) && route_offers(server, &w->chunk->queue->terms);
}

/* The open edge with the largest free share, of those that suit w, if there is one. NULL: what shuts the one that opens first, and
 * when to try again unless somebody wakes the client before. */
static struct edge *best_edge(struct dispatcher *d, struct client *client, const struct waiting *w,
	enum gate *why, int64_t *wake_us)
{
	struct edge *best = NULL;
	struct gate_verdict v, first = {.gate = GATE_NONE};
	*wake_us = INT64_MAX;
	for (struct edge *e = client->edges; e; e = e->next_of_client) {
		if (w && !suits(d, w, e->server))
			continue;
		if (!edge_shut(d, e, &v, wake_us)) {
			if (!best || free_share(e) > free_share(best))
				best = e;
		} else if (first.gate == GATE_NONE || v.next_us < first.next_us) {
			first = v;
		}
	}
	*why = first.gate;
	return best;
}

void sched_show_gate(const struct dispatcher *d, struct client *client, enum gate gate)
{
	struct shm_usage *shown = client->usage;
	if (atomic_load_explicit(&shown->gate, memory_order_relaxed) == (uint32_t)gate)
		return;
	atomic_store_explicit(&shown->gate_us, d->now_us, memory_order_relaxed);
	atomic_store_explicit(&shown->gate, gate, memory_order_relaxed);
}

/* ---- planning ---- */

enum planning { PLAN_NOW, PLAN_AHEAD };

static struct shm_call facts_of(const struct dispatcher *d, const struct shm_window *row)
{
	struct shm_call facts = {
		.queue_master_id = row->queue_master_id,
		.batch_id = row->batch_id,
		.plan = row->plan,
		.tried_server_id = row->tried_server_id,
		.armed_us = d->now_us,
	};
	memcpy(facts.number, row->number, sizeof(facts.number));
	memcpy(facts.e164, row->e164, sizeof(facts.e164));
	memcpy(facts.phone_number, row->phone_number, sizeof(facts.phone_number));
	return facts;
}

/* The entry has become a call, or something to be reported: it leaves the window. */
static struct slot *open_slot(struct dispatcher *d, struct waiting *w,
	const struct call_identity *id, const struct shm_call *facts)
{
	struct slot *slot = slot_open(d, id, facts);
	if (!slot)
		return NULL;
	slot->client = w->chunk->client;
	slot->chunk = w->chunk;
	slot->chunk->live++;
	slot->committed_us = w->announced_us;
	waiting_drop(d, w);
	return slot;
}

static struct slot *plan(
	struct dispatcher *d, struct edge *edge, struct waiting *w, enum planning planning)
{
	struct call_identity id = {
		w->row->entry_id, w->row->client_id, edge->server->id, w->row->n};
	struct shm_call facts = facts_of(d, w->row);
	struct caller_id *asked = terms_asked(w);
	bool is_wish = w->is_wish && asked == w->asked;
	struct caller_id *caller_id = caller_id_pick(d, edge, asked);
	memcpy(facts.did, caller_id->digits, sizeof(facts.did));
	route_pick(edge->server, &w->chunk->queue->terms, &facts);
	facts.seen = (planning == PLAN_AHEAD ? SEEN_AHEAD : 0u) | (w->line ? SEEN_WAITED : 0u) |
		     (asked && !is_wish ? SEEN_ASKED : 0u) | terms_answering(w);
	struct slot *slot = open_slot(d, w, &id, &facts);
	if (!slot) {
		caller_id_drop(d, caller_id);
		return NULL;
	}
	slot->edge = edge;
	slot->server = edge->server;
	slot->caller_id = caller_id;
	return slot;
}

/* ---- what stands in the way of one entry ---- */

static void number_reason(
	const struct client *client, struct shm_plan number, char *out, size_t size)
{
	const char *type = number_type_name(number.type);
	char region[REGION_TEXT_BYTES];
	bool by_type = policy_judge(&client->facts.policy, number) == POLICY_TYPE_DENIED;

	(void)snprintf(out, size, "not allowed: %s %s",
		by_type ? (type ? type : "unknown") : "region",
		by_type ? "numbers" : region_text(number.region, region));
}

/* Ends an entry whose number the client may not call any more, or may not show the number that it asks for, or nobody calls. False when every
 * slot of the segment is taken. */
static bool suppress(struct dispatcher *d, struct waiting *w, enum gate gate)
{
	struct call_identity id = {w->row->entry_id, w->row->client_id, 0, 0};
	struct shm_call facts = facts_of(d, w->row);
	char reason[sizeof(facts.reason)];

	if (gate == GATE_dnc)
		(void)snprintf(reason, sizeof(reason), "%s", dnc_reason(w->listed));
	else if (gate == GATE_did_denied)
		(void)snprintf(
			reason, sizeof(reason), "not allowed: did %s", terms_asked(w)->digits);
	else
		number_reason(w->chunk->client, facts.plan, reason, sizeof(reason));
	struct slot *slot = open_slot(d, w, &id, &facts);
	if (!slot)
		return false;
	(void)call_step(d, slot, EV_DENIED, &(struct call_cause){d->now_us, str_of(reason)});
	return true;
}

/* The client's next entry that nothing stands in the way of. On the way there those that must not be dialled are ended, those
 * whose number is being dialled wait for that call, and those for whose region the day's calls are used up, or whose hours are over where they are, are put off. NULL
 * when there is none, or every slot of the segment is taken. */
static struct waiting *next_entry(struct dispatcher *d, struct client *client)
{
	struct waiting *w;
	while ((w = queue_first(client))) {
		enum gate gate = entry_gate(d, w);
		if (gate == GATE_NONE)
			return w;
		if (gate == GATE_number_live)
			waiting_hold(d, w, number_live(d, w->row));
		else if (gate == GATE_daily_cap)
			waiting_put_off(d, w, gate, INT64_MAX);
		else if (gate == GATE_window_closed)
			waiting_put_off(d, w, gate, hours_of_waiting(d, w).until_us);
		else if (!suppress(d, w, gate))
			return NULL;
	}
	return NULL;
}

static void take_channel(struct dispatcher *d, struct slot *slot)
{
	grant_take(d, slot);
	number_lock(d, slot);
	slot->server->armed_n++;
}

/* edge, or another one for an entry that it does not suit. NULL: why, and when to try again. */
static struct edge *edge_for(struct dispatcher *d, struct waiting *w, struct edge *edge,
	enum planning planning, struct gate_verdict *why)
{
	if (suits(d, w, edge->server))
		return edge;
	return planning == PLAN_AHEAD
		       ? NULL
		       : best_edge(d, w->chunk->client, w, &why->gate, &why->next_us);
}

/* Until the client's next turn: its servers have no room now, and others may have some. */
static void step_aside(struct queue **aside, struct queue *queue)
{
	queue_shut(queue);
	queue->aside_next = *aside;
	*aside = queue;
}

static void come_back(struct queue *aside)
{
	for (struct queue *next; aside; aside = next) {
		next = aside->aside_next;
		aside->aside_next = NULL;
		queue_reopen(aside);
	}
}

/* The client's next entry that goes on *edge, which may become another one. Batches whose servers have no room stand aside for the
 * others. NULL: there is none, or it makes way for the next; where room is what lacks, why and when there may be some. */
static struct waiting *pick(struct dispatcher *d, struct client *client, struct edge **edge,
	enum planning planning, struct gate_verdict *why)
{
	struct edge *open = *edge;
	struct queue *aside = NULL;
	struct gate_verdict v = {GATE_NONE, INT64_MAX};
	struct waiting *w;
	*why = (struct gate_verdict){GATE_NONE, INT64_MAX};
	while ((w = next_entry(d, client))) {
		if (planning == PLAN_AHEAD && terms_limit(w->chunk->queue)) {
			w = NULL;
			break;
		}
		*edge = edge_for(d, w, open, planning, &v);
		if (*edge)
			break;
		if (!*w->chunk->queue->terms.context || failover_looks_elsewhere(d, w)) {
			waiting_stand_back(w);
			why->gate = GATE_NONE;
			w = NULL;
			break;
		}
		why->gate = v.gate == GATE_NONE ? GATE_context_missing : v.gate;
		why->next_us = MIN(why->next_us, v.next_us);
		step_aside(&aside, w->chunk->queue);
	}
	come_back(aside);
	return w;
}

static bool arm_one(struct dispatcher *d, struct client *client, struct edge *edge,
	enum planning planning, struct gate_verdict *why)
{
	struct waiting *w = pick(d, client, &edge, planning, why);
	if (!w)
		return false;
	struct queue *queue = queue_of_waiting(w);
	struct slot *slot = plan(d, edge, w, planning);
	if (!slot) {
		why->gate = GATE_NONE;
		return false;
	}
	queue_served(client, queue);
	waiters_served(edge);
	day_take(slot);
	if (planning == PLAN_AHEAD)
		ahead_join(slot);
	else
		take_channel(d, slot);
	journal_arm(d->journal, slot);
	return true;
}

/* What the client waits for when no entry is in line. */
static enum gate gate_of_rest(const struct client *client)
{
	if (client->shut)
		return client->shut->gate;
	if (client->waiting_n)
		return GATE_number_live;
	return client->put_off_n ? client->put_off_gate : GATE_NONE;
}

/* Nothing was armed: all that is in line waits for other servers than have room, and in their lines (lacks); or no entry is in
 * line, or every slot of the segment is taken, and it waits for no server. */
static void rest(struct dispatcher *d, struct client *client, const struct gate_verdict *lacks)
{
	if (lacks->gate != GATE_NONE) {
		sched_show_gate(d, client, lacks->gate);
		park(d, client, lacks->next_us);
		client_refill(d, client);
		return;
	}
	for (struct edge *e = client->edges; e; e = e->next_of_client)
		sched_forget_edge(e);
	if (queue_first(client)) {
		sched_show_gate(d, client, GATE_server_channels);
		park(d, client, d->now_us + SLOTS_FULL_PAUSE_US);
		return;
	}
	sched_show_gate(d, client, gate_of_rest(client));
	park(d, client, INT64_MAX);
	client_refill(d, client);
}

/* The client has had its turn, and the next is a call of its weight later. gate is in the way of what was armed ahead. */
static void pay(struct dispatcher *d, struct client *client, enum gate gate)
{
	d->vtime = client->vtime;
	client->vtime += STRIDE / MAX(client->facts.weight, 1u);
	client_refill(d, client);
	if (client->waiting_n == 0) {
		sched_show_gate(d, client, gate == GATE_NONE ? gate_of_rest(client) : gate);
		park(d, client, INT64_MAX);
	} else {
		sched_show_gate(d, client, gate);
		heap_put(&d->ready, &client->ready, client->vtime);
	}
}

/* One turn of the client at the top of the heap: dials one entry, or arms one ahead, or leaves the heap. */
static bool turn(struct dispatcher *d, struct client *client)
{
	struct gate_verdict why, lacks;
	struct edge *edge = NULL;
	enum planning planning = PLAN_NOW;
	day_turn(d, client);
	hours_turn_of(d, client);
	if (!client_blocked(d, client, &why)) {
		if (client->ahead_n && ahead_use(d, client))
			return true; /* paid for when it was armed */
		edge = best_edge(d, client, NULL, &why.gate, &why.next_us);
	}
	if (!edge) {
		planning = PLAN_AHEAD;
		edge = ahead_edge(d, client);
	}
	if (!edge) {
		sched_show_gate(d, client, why.gate);
		park(d, client, why.next_us);
		return false;
	}
	if (!arm_one(d, client, edge, planning, &lacks)) {
		rest(d, client, &lacks);
		return false;
	}
	pay(d, client, planning == PLAN_NOW ? GATE_NONE : why.gate);
	return true;
}

void sched_show_gates(struct dispatcher *d)
{
	struct gate_verdict v;
	for (struct client *c = d->clients; c; c = c->hh.next) {
		enum gate shown =
			(enum gate)atomic_load_explicit(&c->usage->gate, memory_order_relaxed);
		if (c->waiting_n && !heap_has(&c->ready) && is_server_gate(shown) && c->edges &&
			edge_blocked(d, c->edges, &v))
			sched_show_gate(d, c, v.gate);
	}
}

bool sched_wants_turn(const struct dispatcher *d)
{
	return (d->ready.n > 0 || waiters_pending(d)) && sched_may_dial(d);
}

void sched_pass(struct dispatcher *d)
{
	struct heap_node *first;
	unsigned armed = 0;
	if (!sched_may_dial(d))
		return;
	wake_parked(d);
	do {
		while (armed < ARMS_PER_TURN && (first = heap_first(&d->ready)))
			armed += turn(d, CONTAINER(first, struct client, ready));
	} while (armed < ARMS_PER_TURN && waiters_wake(d));
}
