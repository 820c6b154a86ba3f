/* Second attempts: see failover.h. */
#include "dispatcher/failover.h"

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/disposition.h"
#include "dispatcher/hold.h"
#include "dispatcher/journal.h"
#include "dispatcher/redial_rules.h"
#include "dispatcher/redials.h"
#include "dispatcher/route.h"
#include "dispatcher/server.h"
#include "dispatcher/work.h"
#include "shm/counters.h"

#include "common/base.h"

static bool takes_calls(const struct dispatcher *d, const struct edge *edge)
{
	const struct server *server = edge->server;
	return edge->facts.status == SERVER_ACTIVE && edge->facts.allowed_active_calls > 0 &&
	       server->facts.allowed_active_calls > 0 && server_takes_calls(server) &&
	       breaker_lets(&server->breaker, d->now_us);
}

bool failover_possible(const struct dispatcher *d, const struct slot *slot)
{
	if (!d->conf->dispatcher_failover || slot->call->tried_server_id || !slot->client ||
		!slot->chunk || slot->chunk->order != CHUNK_GO ||
		slot->head->n >= MAX(redial_rules_budget(slot), 2u))
		return false;
	return failover_has_other(d, slot);
}

bool failover_has_other(const struct dispatcher *d, const struct slot *slot)
{
	if (!slot->client)
		return false;
	for (const struct edge *e = slot->client->edges; e; e = e->next_of_client)
		if (e->server->id != slot->head->server_id && takes_calls(d, e) &&
			(!slot->chunk || route_offers(e->server, &slot->chunk->queue->terms)))
			return true;
	return false;
}

/* What its entry asks to show. */
static struct str asked(const struct slot *slot)
{
	return str_of(slot->call->seen & SEEN_ASKED ? slot->call->did : NULL);
}

static struct shm_window row_of(const struct slot *slot, uint32_t n, uint64_t tried_server_id)
{
	const struct shm_call *call = slot->call;
	struct shm_window facts = {
		.entry_id = slot->entry_id,
		.client_id = slot->head->client_id,
		.queue_master_id = call->queue_master_id,
		.batch_id = call->batch_id,
		.plan = call->plan,
		.n = n,
		.tried_server_id = tried_server_id,
	};
	memcpy(facts.number, call->number, sizeof(facts.number));
	memcpy(facts.e164, call->e164, sizeof(facts.e164));
	memcpy(facts.phone_number, call->phone_number, sizeof(facts.phone_number));
	return facts;
}

void failover_requeue(struct dispatcher *d, struct slot *slot)
{
	struct chunk *chunk = slot->chunk;
	if (!(slot->call->seen & SEEN_NOT_FINAL))
		return;
	counter_add(d->seg, slot->call->redial_us ? COUNTER_redialled : COUNTER_failed_over, 1);
	if (!chunk) /* its client is gone */
		return;
	if (chunk_is_over(chunk)) {
		chunk_end_entries(d, chunk, slot->entry_id, slot->entry_id);
		return;
	}
	if (slot->call->redial_us) {
		redials_note(d, slot->head->client_id, slot->call->queue_master_id,
			slot->call->redial_us);
		return;
	}
	struct shm_window facts = row_of(slot, slot->head->n + 1, slot->head->server_id);
	waiting_again(d, chunk, &facts, asked(slot), false);
}

void failover_undo(struct dispatcher *d, struct slot *slot)
{
	bool called_off = slot->call->seen & SEEN_CALLED_OFF;
	if (!called_off && slot->chunk && chunk_is_over(slot->chunk)) {
		chunk_end_entries(d, slot->chunk, slot->entry_id, slot->entry_id);
	} else if (called_off) {
		journal_cancel(d->journal, slot->head->client_id, slot->entry_id, slot->entry_id);
	} else if (slot->chunk) {
		struct shm_window facts = row_of(slot, slot->head->n, slot->call->tried_server_id);
		bool again = slot->head->n > 1;
		waiting_again(d, slot->chunk, &facts, again ? str_of(slot->call->did) : asked(slot),
			again && !(slot->call->seen & SEEN_ASKED));
	}
}

bool failover_looks_elsewhere(const struct dispatcher *d, const struct waiting *w)
{
	return w->row->tried_server_id && d->now_us < w->avoids_until_us;
}

bool failover_avoids(
	const struct dispatcher *d, const struct waiting *w, const struct server *server)
{
	return w->row->tried_server_id == server->id && failover_looks_elsewhere(d, w);
}
