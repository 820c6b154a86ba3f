/* Weighted fair dialling: see sched.h. Numbers of the design: 10,000 clients on 1,000 servers, 76 ns a pick. */
#include <stdlib.h>

#include <utlist.h>

#include "common/log.h"
#include "dispatcher/call.h"
#include "dispatcher/days.h"
#include "dispatcher/journal.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/work.h"

#include "common/base.h"

/* A call of weight 1 costs this much virtual time; 2^40 / 10^5 channels still tells neighbours apart. */
static const uint64_t STRIDE = UINT64_C(1) << 40;

enum { SLOTS_FULL_PAUSE_US = 50000 };

/* ---- the heap ---- */

static void put_at(struct dispatcher *d, uint32_t i, struct client *client)
{
	d->heap[i] = client;
	client->heap_at = i;
}

static void sift_up(struct dispatcher *d, uint32_t i)
{
	struct client *client = d->heap[i];
	while (i > 0) {
		uint32_t parent = (i - 1) / 4;
		if (d->heap[parent]->vtime <= client->vtime)
			break;
		put_at(d, i, d->heap[parent]);
		i = parent;
	}
	put_at(d, i, client);
}

static void sift_down(struct dispatcher *d, uint32_t i)
{
	struct client *client = d->heap[i];
	for (;;) {
		uint32_t first = 4 * i + 1, least = first;
		if (first >= d->heap_n)
			break;
		for (uint32_t k = first + 1; k < MIN(first + 4, d->heap_n); k++)
			if (d->heap[k]->vtime < d->heap[least]->vtime)
				least = k;
		if (d->heap[least]->vtime >= client->vtime)
			break;
		put_at(d, i, d->heap[least]);
		i = least;
	}
	put_at(d, i, client);
}

static void heap_remove(struct dispatcher *d, struct client *client)
{
	uint32_t i = client->heap_at;
	if (i == NOT_IN_HEAP)
		return;
	client->heap_at = NOT_IN_HEAP;
	struct client *last = d->heap[--d->heap_n];
	if (last == client)
		return;
	put_at(d, i, last);
	sift_up(d, i);
	sift_down(d, last->heap_at);
}

static void heap_add(struct dispatcher *d, struct client *client)
{
	if (d->heap_n == d->heap_cap) {
		uint32_t cap = MAX(d->heap_cap * 2, 64u);
		struct client **heap = reallocarray(d->heap, cap, sizeof(struct client *));
		if (!heap)
			die("memory.exhausted", "clients=%u", cap);
		d->heap = heap;
		d->heap_cap = cap;
	}
	/* Whoever slept does not save up turns. */
	client->vtime = MAX(client->vtime, d->vtime);
	put_at(d, d->heap_n++, client);
	sift_up(d, d->heap_n - 1);
}

/* ---- ready and parked ---- */

void sched_client_ready(struct dispatcher *d, struct client *client)
{
	if (client->heap_at != NOT_IN_HEAP || client->waiting_n == 0)
		return;
	client->wake_us = 0;
	heap_add(d, client);
}

static void park(struct dispatcher *d, struct client *client, int64_t until_us)
{
	heap_remove(d, client);
	client->wake_us = until_us;
	d->next_wake_us = MIN(d->next_wake_us, until_us);
}

static void wake_parked(struct dispatcher *d)
{
	if (d->now_us < d->next_wake_us)
		return;
	d->next_wake_us = INT64_MAX;
	for (struct client *c = d->clients; c; c = c->hh.next) {
		if (c->wake_us == 0 || c->heap_at != NOT_IN_HEAP)
			continue;
		if (c->wake_us <= d->now_us)
			sched_client_ready(d, c);
		else
			d->next_wake_us = MIN(d->next_wake_us, c->wake_us);
	}
}

void sched_server_freed(struct dispatcher *d, struct server *server)
{
	(void)d;
	server->capacity_freed = true;
}

/* As many waiters as the server has room for; those who then cannot use it wait for something else, and the next pass
 * wakes more. */
static bool wake_waiters(struct dispatcher *d)
{
	bool woke = false;
	for (struct server *s = d->servers; s; s = s->hh.next) {
		if (!s->capacity_freed)
			continue;
		uint32_t used = atomic_load_explicit(&s->usage->channels, memory_order_relaxed);
		uint32_t room = used < s->facts.allowed_active_calls
					? s->facts.allowed_active_calls - used
					: 0;
		for (; room > 0 && s->waiters; room--) {
			struct edge *e = s->waiters;
			sched_forget_edge(e);
			sched_client_ready(d, e->client);
			woke = true;
		}
		s->capacity_freed = false;
	}
	return woke;
}

void sched_forget_edge(struct edge *edge)
{
	if (!edge->waits)
		return;
	DL_DELETE(edge->server->waiters, edge);
	edge->waits = false;
}

void sched_forget_client(struct dispatcher *d, struct client *client)
{
	heap_remove(d, client);
	client->wake_us = 0;
}

static bool may_dial(const struct dispatcher *d)
{
	return d->recovered && !d->stopping && d->commits_up && !d->rates_wanted &&
	       !d->rates_running;
}

int64_t sched_next_us(const struct dispatcher *d)
{
	return may_dial(d) ? d->next_wake_us : INT64_MAX;
}

/* ---- gates ---- */

static bool client_blocked(
	struct dispatcher *d, struct client *client, struct gate_verdict *verdict)
{
	struct usage usage = usage_read(client->usage);
	struct gate_day day = day_of_client(client);
	struct gate_client g = gate_client_of(&client->facts, &usage, &day, client->edges);
	struct gate_view view = {.now_us = d->now_us, .client = &g};
	return gate_first_block(&view, verdict);
}

static bool edge_blocked(struct dispatcher *d, struct edge *edge, struct gate_verdict *verdict)
{
	struct usage mine = usage_read(edge->usage), all = usage_read(edge->server->usage);
	struct ami_facts ami = server_facts_now(edge->server);
	struct gate_allocation ga = gate_allocation_of(&edge->facts, &mine);
	struct gate_server gs = gate_server_of(&edge->server->facts, &all, &ami);
	struct gate_view view = {.now_us = d->now_us, .allocation = &ga, .server = &gs};
	return gate_first_block(&view, verdict);
}

static uint32_t free_share(const struct edge *edge)
{
	uint32_t used = atomic_load_explicit(&edge->usage->channels, memory_order_relaxed);
	return edge->facts.allowed_active_calls > used ? edge->facts.allowed_active_calls - used
						       : 0;
}

static bool is_server_gate(enum gate gate)
{
	return gate >= GATE_server_down;
}

/* The open edge with the largest free share, or NULL and what shuts the one that opens first. Where only a server's limit is in
 * the way, the client joins that server's waiters. */
static struct edge *best_edge(struct dispatcher *d, struct client *client, struct gate_verdict *why)
{
	struct edge *best = NULL;
	*why = (struct gate_verdict){.next_us = INT64_MAX};
	bool first = true;
	for (struct edge *e = client->edges; e; e = e->next_of_client) {
		struct gate_verdict v;
		if (!edge_blocked(d, e, &v)) {
			if (!best || free_share(e) > free_share(best))
				best = e;
			continue;
		}
		if (is_server_gate(v.gate) && !e->waits) {
			DL_APPEND(e->server->waiters, e);
			e->waits = true;
		}
		if (first || v.next_us < why->next_us)
			*why = v;
		first = false;
	}
	return best;
}

static void show_gate(const struct dispatcher *d, struct client *client, enum gate gate)
{
	struct shm_usage *shown = client->usage;
	if (atomic_load_explicit(&shown->gate, memory_order_relaxed) == (uint32_t)gate)
		return;
	atomic_store_explicit(&shown->gate_us, d->now_us, memory_order_relaxed);
	atomic_store_explicit(&shown->gate, gate, memory_order_relaxed);
}

/* ---- picking ---- */

static const char *next_text(struct texts *texts)
{
	return texts->n ? texts->text[texts->next++ % texts->n] : NULL;
}

static const char *pick_did(struct edge *edge)
{
	const char *did = next_text(&edge->dids);
	if (!did)
		did = next_text(&edge->server->dids);
	return did ? did : edge->client->facts.did;
}

static struct shm_call facts_of(const struct dispatcher *d, const struct shm_window *row)
{
	struct shm_call facts = {
		.queue_master_id = row->queue_master_id,
		.batch_id = row->batch_id,
		.plan = row->plan,
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

static struct slot *plan(struct dispatcher *d, struct edge *edge, struct waiting *w)
{
	struct call_identity id = {w->row->entry_id, w->row->client_id, edge->server->id, 1};
	struct shm_call facts = facts_of(d, w->row);
	if (!str_copy(facts.did, sizeof(facts.did), str_of(pick_did(edge))))
		return NULL;
	struct slot *slot = open_slot(d, w, &id, &facts);
	if (!slot)
		return NULL;
	slot->edge = edge;
	slot->server = edge->server;
	return slot;
}

/* ---- what stands in the way of one entry ---- */

/* Ends an entry whose number the client may not call any more. False when every slot of the segment is taken. */
static bool suppress(struct dispatcher *d, struct waiting *w)
{
	struct call_identity id = {w->row->entry_id, w->row->client_id, 0, 0};
	struct shm_call facts = facts_of(d, w->row);
	struct shm_plan number = facts.plan;
	const char *type = number_type_name(number.type);
	char region[REGION_TEXT_BYTES], reason[sizeof(facts.reason)];
	bool by_type = policy_judge(&w->chunk->client->facts.policy, number) == POLICY_TYPE_DENIED;

	(void)snprintf(reason, sizeof(reason), "not allowed: %s %s",
		by_type ? (type ? type : "unknown") : "region",
		by_type ? "numbers" : region_text(number.region, region));
	struct slot *slot = open_slot(d, w, &id, &facts);
	if (!slot)
		return false;
	(void)call_step(d, slot, EV_DENIED, &(struct call_cause){d->now_us, str_of(reason)});
	return true;
}

static enum gate entry_gate(
	struct dispatcher *d, struct client *client, const struct shm_window *row)
{
	struct gate_entry e = {
		.dispatched = true,
		.number_denied = policy_judge(&client->facts.policy, row->plan) != POLICY_FINE,
		.number_live = number_live(d, row) != NULL,
		.day = day_of_region(client, row->plan.region),
	};
	struct gate_verdict verdict;
	(void)gate_first_block(&(struct gate_view){.now_us = d->now_us, .entry = &e}, &verdict);
	return verdict.gate;
}

/* The client's next entry that nothing stands in the way of. On the way there those that must not be dialled are ended, those
 * whose number is being dialled wait for that call, and those for whose region the day's calls are used up are put off. NULL
 * when there is none, or every slot of the segment is taken. */
static struct waiting *next_entry(struct dispatcher *d, struct client *client)
{
	struct waiting *w;
	while ((w = waiting_first(client))) {
		enum gate gate = entry_gate(d, client, w->row);
		if (gate == GATE_NONE)
			return w;
		if (gate == GATE_number_live)
			waiting_hold(d, w, number_live(d, w->row));
		else if (gate == GATE_daily_cap)
			waiting_put_off(d, w);
		else if (!suppress(d, w))
			return NULL;
	}
	return NULL;
}

static bool arm_one(struct dispatcher *d, struct client *client, struct edge *edge)
{
	struct waiting *w = next_entry(d, client);
	if (!w)
		return false;
	struct slot *slot = plan(d, edge, w);
	if (!slot)
		return false;
	grant_take(d, slot);
	day_take(slot);
	number_lock(d, slot);
	slot->server->armed_n++;
	if (slot->server->freed_mono_us) {
		slot->freed_mono_us = slot->server->freed_mono_us;
		slot->server->freed_mono_us = 0;
	}
	journal_arm(d->journal, slot);
	return true;
}

/* What the client waits for when no entry is in line. */
static enum gate gate_of_rest(const struct client *client)
{
	if (client->waiting_n)
		return GATE_number_live;
	return client->put_off_n ? GATE_daily_cap : GATE_NONE;
}

/* One turn of the client at the top of the heap: dials one entry, or leaves the heap. */
static bool turn(struct dispatcher *d, struct client *client)
{
	struct gate_verdict why;
	day_turn(d, client);
	if (client_blocked(d, client, &why)) {
		show_gate(d, client, why.gate);
		park(d, client, why.next_us);
		return false;
	}
	struct edge *edge = best_edge(d, client, &why);
	if (!edge) {
		show_gate(d, client, why.gate);
		park(d, client, why.next_us);
		return false;
	}
	if (!arm_one(d, client, edge)) {
		if (waiting_first(client)) { /* every slot of the segment is taken */
			show_gate(d, client, GATE_server_channels);
			park(d, client, d->now_us + SLOTS_FULL_PAUSE_US);
		} else {
			show_gate(d, client, gate_of_rest(client));
			park(d, client, INT64_MAX);
			client_refill(d, client);
		}
		return false;
	}
	show_gate(d, client, GATE_NONE);
	d->vtime = client->vtime;
	client->vtime += STRIDE / MAX(client->facts.weight, 1u);
	client_refill(d, client);
	if (client->waiting_n == 0) {
		show_gate(d, client, gate_of_rest(client));
		park(d, client, INT64_MAX);
	} else {
		sift_down(d, client->heap_at);
	}
	return true;
}

bool sched_wants_turn(const struct dispatcher *d)
{
	return d->heap_n > 0 && may_dial(d);
}

void sched_pass(struct dispatcher *d)
{
	if (!may_dial(d))
		return;
	wake_parked(d);
	unsigned armed = 0;
	do {
		while (d->heap_n && armed < ARMS_PER_TURN)
			armed += turn(d, d->heap[0]);
	} while (armed < ARMS_PER_TURN && wake_waiters(d));
}
