/* Attempts armed ahead of their channel: see ahead.h. */
#include "dispatcher/ahead.h"

#include <utlist.h>

#include "dispatcher/call.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/gates.h"
#include "dispatcher/hours.h"
#include "dispatcher/queue.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/waiters.h"
#include "shm/counters.h"

#include "common/base.h"

/* ---- planning ---- */

static uint32_t room_of(const struct server *server)
{
	uint32_t most = AHEAD_LEAST + server->ahead_more;
	return server->ahead_n < most ? most - server->ahead_n : 0;
}

uint32_t ahead_room(struct dispatcher *d, const struct server *server)
{
	struct gate_verdict v;
	return server_blocked_otherwise(d, server, &v) ? 0 : room_of(server);
}

void ahead_fell_short(struct server *server)
{
	server->ahead_rested = 0;
	if (AHEAD_LEAST + server->ahead_more < AHEAD_MOST)
		server->ahead_more++;
}

static void rest(struct server *server)
{
	if (!server->ahead_more || ++server->ahead_rested < AHEAD_REST_S)
		return;
	server->ahead_rested = 0;
	server->ahead_more--;
}

bool ahead_may(const struct client *client)
{
	const struct waiting *first = queue_first(client);
	return !first || !terms_limit(first->chunk->queue);
}

struct edge *ahead_edge(struct dispatcher *d, struct client *client)
{
	struct edge *best = NULL;
	struct gate_verdict v;
	uint32_t least = AHEAD_MOST;
	if (!ahead_may(client) || client_blocked_otherwise(d, client, &v))
		return NULL;
	for (struct edge *e = client->edges; e; e = e->next_of_client) {
		if (e->server->ahead_n >= least || !room_of(e->server) || waiters_before(e) ||
			edge_blocked_otherwise(d, e, &v))
			continue;
		best = e;
		least = e->server->ahead_n;
	}
	return best;
}

void ahead_join(struct slot *slot)
{
	if (!slot->server || !slot->client || !slot->edge)
		return;
	slot->in_line = true;
	slot->server->ahead_n++;
	slot->client->ahead_n++;
	DL_APPEND(slot->server->ahead, slot);
}

void ahead_leave(struct slot *slot)
{
	if (!slot->in_line)
		return;
	slot->in_line = false;
	slot->server->ahead_n--;
	slot->client->ahead_n--;
	DL_DELETE(slot->server->ahead, slot);
	sched_server_freed(slot->server->d, slot->server); /* there is room for another */
}

/* ---- going ---- */

/* The slot's own gates; those of channels and rates are the client's and the edge's. */
static bool is_fit(struct dispatcher *d, const struct slot *slot)
{
	const struct client *client = slot->client;
	const struct queue *queue = slot->chunk->queue;
	bool unlimited = terms_known(queue) && !terms_limit(queue) && /* still */
			 terms_hold_at(queue, d->now_us);
	bool may_show = !(slot->call->seen & SEEN_ASKED) || !slot->caller_id ||
			caller_id_allowed(client, slot->caller_id);
	bool is_open = hours_of_slot(d, slot).is_open;
	bool same_day = slot->day_ends_us == 0 || d->now_us < slot->day_ends_us;
	return slot->chunk->order == CHUNK_GO && unlimited && same_day && is_open && may_show &&
	       !slot_number_live(d, slot) &&
	       policy_judge(&client->facts.policy, slot->call->plan) == POLICY_FINE;
}

/* The turn is a quick call's, and this is none. */
static bool quick_call_first(const struct slot *slot)
{
	const struct waiting *first = queue_first(slot->client);
	return slot->chunk->queue_master_id && first && !first->chunk->queue_master_id;
}

static bool may_go(struct dispatcher *d, struct slot *slot)
{
	struct gate_verdict v;
	return !client_blocked(d, slot->client, &v) && !edge_blocked(d, slot->edge, &v) &&
	       !quick_call_first(slot) && is_fit(d, slot);
}

/* One whose commit is on its way goes when that is there. */
static void go(struct dispatcher *d, struct slot *slot)
{
	struct shm_call facts = *slot->call;
	ahead_leave(slot);
	facts.seen &= ~(uint32_t)SEEN_AHEAD;
	call_update(d->seg, slot->index, &facts);
	grant_take(d, slot);
	number_lock(d, slot);
	slot->server->armed_n++;
	counter_add(d->seg, COUNTER_ahead, 1);
	if (slot->client->waiting_n + slot->client->ahead_n == 0)
		sched_show_gate(d, slot->client, GATE_NONE);
	if (slot_state(slot) == CALL_ARMED)
		call_resume_armed(d, slot);
}

bool ahead_use(struct dispatcher *d, struct client *client)
{
	struct slot *slot, *next;
	struct gate_verdict v;
	for (struct edge *e = client->edges; e; e = e->next_of_client) {
		if (!e->server->ahead || edge_blocked(d, e, &v))
			continue;
		DL_FOREACH_SAFE (e->server->ahead, slot, next)
			if (slot->client == client && may_go(d, slot)) {
				go(d, slot);
				return true;
			}
	}
	return false;
}

void ahead_refill(struct server *server)
{
	struct dispatcher *d = server->d;
	struct slot *slot, *next;
	bool any = false;
	if (!server->ahead || !sched_may_dial(d))
		return;
	DL_FOREACH_SAFE (server->ahead, slot, next)
		if (may_go(d, slot)) {
			go(d, slot);
			any = true;
		}
	if (any)
		server_write_armed(server);
}

/* ---- taken back ---- */

bool ahead_is_unwanted(const struct dispatcher *d, const struct slot *slot)
{
	return slot_is_ahead(slot) &&
	       (d->stopping || !slot->in_line || (slot->call->seen & SEEN_CALLED_OFF) ||
		       !slot->chunk || slot->chunk->order != CHUNK_GO);
}

static void take_back(struct dispatcher *d, struct slot *slot)
{
	(void)call_step(d, slot, EV_TAKEN_BACK, &(struct call_cause){.at_us = d->now_us});
}

void ahead_adopt(struct dispatcher *d, struct slot *slot)
{
	if (!slot->in_line)
		take_back(d, slot);
}

void ahead_orphan(struct dispatcher *d, struct slot *slot)
{
	if (!slot->in_line)
		return;
	ahead_leave(slot);
	take_back(d, slot);
}

void ahead_give_back(struct dispatcher *d, const struct chunk *chunk)
{
	struct slot *slot, *next;
	for (struct server *s = d->servers; s; s = s->hh.next)
		DL_FOREACH_SAFE (s->ahead, slot, next)
			if (!chunk || slot->chunk == chunk)
				take_back(d, slot);
}

void ahead_give_back_all(struct dispatcher *d)
{
	if (d->recovered) /* before that the next life finds them as they are */
		ahead_give_back(d, NULL);
}

/* What is in the journal already is canceled when its row is deleted, anything else once it is there. */
void ahead_call_off(struct dispatcher *d, struct slot *slot)
{
	struct shm_call facts = *slot->call;
	facts.seen |= SEEN_CALLED_OFF;
	call_update(d->seg, slot->index, &facts);
	take_back(d, slot);
}

/* Blocked by more than channels, and not for a moment only. */
static bool is_stale(struct dispatcher *d, struct slot *slot)
{
	struct gate_verdict v = {.next_us = 0};
	if (d->now_us - slot->call->armed_us < PLAN_GOOD_US)
		return false;
	if (!is_fit(d, slot))
		return true;
	bool blocked = client_blocked_otherwise(d, slot->client, &v) ||
		       edge_blocked_otherwise(d, slot->edge, &v);
	return blocked && v.next_us > d->now_us + PLAN_GOOD_US;
}

void ahead_tend(struct dispatcher *d)
{
	struct slot *slot, *next;
	if (!d->recovered) /* what is adopted may be let go again */
		return;
	for (struct server *s = d->servers; s; s = s->hh.next) {
		rest(s);
		ahead_refill(s);
		DL_FOREACH_SAFE (s->ahead, slot, next)
			if (is_stale(d, slot))
				take_back(d, slot);
	}
}
