/* Grants recounted: see audit.h. */
#include "dispatcher/audit.h"

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/directory.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "shm/counters.h"
#include "shm/hash.h"

#include "common/base.h"

enum {
	ROUND_US = 1000000,
	STEP_US = ROUND_US / 64, /* no step is smaller */
	GRANTS_MAX = 2048,	 /* counted at once; a step ends early before it has more */
	CALLER_IDS_MAX = 4096,
	QUEUES_MAX = 4096,
	PLACES = 4 * GRANTS_MAX, /* of the search below; a power of two */
};

/* A word to be recounted: of a client (server_id 0), a server (client_id 0) or an allocation. */
struct grant {
	uint64_t client_id, server_id;
	struct shm_usage *usage;
	uint32_t counted;
};

struct recount {
	uint32_t n;
	bool has_clients, has_servers, has_allocations; /* most steps have one kind only */
	struct grant grants[GRANTS_MAX];
	uint16_t places[PLACES]; /* index + 1; 0: nothing */
};

/* ---- what is counted ---- */

static uint16_t *place_of(struct recount *re, uint64_t client_id, uint64_t server_id)
{
	uint64_t at = hash_id(client_id * 31 + server_id);
	for (;; at++) {
		uint16_t *place = &re->places[at % PLACES];
		const struct grant *grant = *place ? &re->grants[*place - 1] : NULL;
		if (!grant || (grant->client_id == client_id && grant->server_id == server_id))
			return place;
	}
}

static void ask(struct recount *re, uint64_t client_id, uint64_t server_id, struct shm_usage *usage)
{
	uint16_t *place = place_of(re, client_id, server_id);
	if (*place)
		return;
	re->grants[re->n++] = (struct grant){client_id, server_id, usage, 0};
	*place = (uint16_t)re->n;
	*(!server_id	     ? &re->has_clients
		: !client_id ? &re->has_servers
			     : &re->has_allocations) = true;
}

static bool is_used(const struct shm_row *row, const struct shm_usage *usage)
{
	return atomic_load_explicit(&usage->channels, memory_order_relaxed) > 0 &&
	       atomic_load_explicit(&row->used, memory_order_relaxed) == ROW_USED;
}

/* Rows of three tables under one index. A word that is 0 and should not be is found from the slots' side. */
static void ask_row(struct dispatcher *d, struct recount *re, uint32_t i)
{
	uint32_t clients_n, servers_n;
	struct shm_client_row *clients = seg_clients(d->seg, &clients_n);
	struct shm_server_row *servers = seg_servers(d->seg, &servers_n);
	if (i < clients_n) {
		if (is_used(&clients[i].row, &clients[i].usage))
			ask(re, clients[i].data.id, 0, &clients[i].usage);
		return;
	}
	i -= clients_n;
	if (i < servers_n) {
		if (is_used(&servers[i].row, &servers[i].usage))
			ask(re, 0, servers[i].data.id, &servers[i].usage);
		return;
	}
	struct shm_allocation_row *a = &seg_allocations(d->seg, NULL)[i - servers_n];
	if (is_used(&a->row, &a->usage))
		ask(re, a->data.client_id, a->data.server_id, &a->usage);
}

static uint32_t rows_of(const struct dispatcher *d)
{
	uint32_t clients_n, servers_n, allocations_n;
	(void)seg_clients(d->seg, &clients_n);
	(void)seg_servers(d->seg, &servers_n);
	(void)seg_allocations(d->seg, &allocations_n);
	return clients_n + servers_n + allocations_n;
}

static bool is_missing(const struct shm_usage *usage)
{
	return atomic_load_explicit(&usage->channels, memory_order_relaxed) == 0;
}

static void ask_slot(const struct dispatcher *d, struct recount *re, uint32_t i)
{
	const struct slot *slot = &d->slots[i];
	if (!slot->granted)
		return;
	if (slot->client && is_missing(slot->client->usage))
		ask(re, slot->client->id, 0, slot->client->usage);
	if (slot->server && is_missing(slot->server->usage))
		ask(re, 0, slot->server->id, slot->server->usage);
	if (slot->edge && is_missing(slot->edge->usage))
		ask(re, slot->edge->client->id, slot->edge->server->id, slot->edge->usage);
}

/* ---- counting ---- */

static void count_for(struct recount *re, uint64_t client_id, uint64_t server_id)
{
	uint16_t place = *place_of(re, client_id, server_id);
	if (place)
		re->grants[place - 1].counted++;
}

static bool holds_grant(const struct segment *seg, const struct shm_call_head *heads, uint32_t i)
{
	enum shm_call_state state =
		(enum shm_call_state)atomic_load_explicit(&heads[i].state, memory_order_relaxed);
	bool may_be_ahead = state == CALL_PLANNED || state == CALL_ARMED;
	return call_holds_grant(state, may_be_ahead ? seg_calls(seg, NULL)[i].seen : 0);
}

static void count(struct dispatcher *d, struct recount *re)
{
	uint32_t n;
	const struct shm_call_head *heads = seg_call_heads(d->seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		if (!holds_grant(d->seg, heads, i))
			continue;
		if (re->has_clients)
			count_for(re, heads[i].client_id, 0);
		if (re->has_servers)
			count_for(re, 0, heads[i].server_id);
		if (re->has_allocations)
			count_for(re, heads[i].client_id, heads[i].server_id);
	}
}

/* Who waited for what was never in use need wait no longer. */
static void wake(struct dispatcher *d, const struct grant *grant)
{
	struct client *client = grant->client_id ? client_find(d, grant->client_id) : NULL;
	struct server *server = grant->server_id ? server_find(d, grant->server_id) : NULL;
	if (server)
		sched_server_freed(d, server);
	if (client)
		sched_client_ready(d, client);
}

static bool repair(struct dispatcher *d, const struct grant *grant)
{
	uint32_t said = atomic_load_explicit(&grant->usage->channels, memory_order_relaxed);
	if (said == grant->counted)
		return false;
	log_error("grant.drift", "client=%llu server=%llu said=%u counted=%u",
		(unsigned long long)grant->client_id, (unsigned long long)grant->server_id, said,
		grant->counted);
	atomic_store_explicit(&grant->usage->channels, grant->counted, memory_order_relaxed);
	counter_add(d->seg, COUNTER_drift, 1);
	wake(d, grant);
	return true;
}

/* From row *at on, as many as are due and fit; their share of the slots beside them. */
static unsigned look(struct dispatcher *d, uint32_t *at, uint32_t due)
{
	static struct recount re;
	uint32_t rows = rows_of(d), end = MIN(*at + due, rows), from = *at;
	unsigned wrong = 0;

	re.n = 0;
	re.has_clients = re.has_servers = re.has_allocations = false;
	memset(re.places, 0, sizeof(re.places));
	for (; *at < end && re.n < GRANTS_MAX; (*at)++)
		ask_row(d, &re, *at);
	uint32_t slot = (uint32_t)((uint64_t)from * d->calls.n / rows);
	uint32_t slots_end = (uint32_t)((uint64_t)*at * d->calls.n / rows);
	for (; slot < slots_end && re.n + 3 <= GRANTS_MAX; slot++)
		ask_slot(d, &re, slot);
	if (re.n)
		count(d, &re);
	for (uint32_t i = 0; i < re.n; i++)
		wrong += repair(d, &re.grants[i]);
	return wrong;
}

/* ---- caller ids ---- */

static void tally_caller_ids(struct dispatcher *d)
{
	for (uint32_t i = 0; i < d->calls.n; i++)
		if (d->slots[i].granted && d->slots[i].caller_id)
			d->slots[i].caller_id->tally++;
}

static void forget_tallies(struct dispatcher *d)
{
	for (uint32_t i = 0; i < d->calls.n; i++)
		if (d->slots[i].caller_id)
			d->slots[i].caller_id->tally = 0;
}

/* They have no limit and no word in the segment: their count decides nothing, but who looks at it may believe it. At most so
 * many of them a round, from where the last one ended. */
static unsigned look_at_caller_ids(struct dispatcher *d, uint32_t most)
{
	unsigned wrong = 0;
	struct caller_id *id = d->audit_caller_id ? d->audit_caller_id : d->caller_ids;

	tally_caller_ids(d);
	for (; id && most--; id = id->hh.next) {
		if (id->channels == id->tally)
			continue;
		log_error("grant.drift", "did=%s said=%u counted=%u", log_number(id->digits),
			id->channels, id->tally);
		id->channels = id->tally;
		counter_add(d->seg, COUNTER_drift, 1);
		wrong++;
	}
	d->audit_caller_id = id;
	forget_tallies(d);
	return wrong;
}

/* ---- batches ---- */

static void tally_queues(struct dispatcher *d)
{
	for (uint32_t i = 0; i < d->calls.n; i++)
		if (d->slots[i].granted && d->slots[i].chunk)
			d->slots[i].chunk->queue->tally++;
}

static void forget_queue_tallies(struct dispatcher *d)
{
	for (uint32_t i = 0; i < d->calls.n; i++)
		if (d->slots[i].chunk)
			d->slots[i].chunk->queue->tally = 0;
}

/* Their calls are counted here alone, but a limit of theirs decides by it. At most so many a round, as caller ids. */
static unsigned look_at_queues(struct dispatcher *d, uint32_t most)
{
	unsigned wrong = 0;
	struct queue *queue = d->audit_queue ? d->audit_queue : d->queues;

	tally_queues(d);
	for (; queue && most--; queue = queue->hh.next) {
		if (queue->channels == queue->tally)
			continue;
		log_error("grant.drift", "queue=%llu said=%u counted=%u",
			(unsigned long long)queue->id, queue->channels, queue->tally);
		terms_count(d, queue, (int)(queue->tally - queue->channels));
		counter_add(d->seg, COUNTER_drift, 1);
		wrong++;
	}
	d->audit_queue = queue;
	forget_queue_tallies(d);
	return wrong;
}

unsigned audit_step(struct dispatcher *d)
{
	int64_t passed_us = d->now_mono_us - d->audited_mono_us;
	uint32_t rows = rows_of(d);

	if (!d->recovered || passed_us < STEP_US)
		return 0;
	d->audited_mono_us = d->now_mono_us;
	uint32_t due = (uint32_t)(MIN(passed_us, (int64_t)ROUND_US) * rows / ROUND_US) + 1;
	unsigned wrong = look(d, &d->audit_at, due);
	if (d->audit_at >= rows) {
		d->audit_at = 0;
		wrong += look_at_caller_ids(d, CALLER_IDS_MAX);
		wrong += look_at_queues(d, QUEUES_MAX);
		counter_add(d->seg, COUNTER_audits, 1);
	}
	return wrong;
}

unsigned audit_all(struct dispatcher *d)
{
	uint32_t at = 0, rows = rows_of(d);
	unsigned wrong = 0;
	while (at < rows)
		wrong += look(d, &at, rows);
	d->audit_caller_id = NULL;
	d->audit_queue = NULL;
	wrong += look_at_queues(d, UINT32_MAX);
	return wrong + look_at_caller_ids(d, UINT32_MAX);
}
