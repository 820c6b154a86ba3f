/* Calls per hour, from the journal: see rates.h. */
#include "dispatcher/rates.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/directory.h"
#include "dispatcher/lookups.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "shm/rate.h"

#include "common/base.h"

void rates_show(struct shm_usage *usage, struct starts *starts, int64_t now_us)
{
	atomic_store_explicit(&usage->started, starts_now(starts, now_us), memory_order_relaxed);
}

void rates_show_all(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next) {
		rates_show(c->usage, &c->starts, d->now_us);
		for (struct edge *e = c->edges; e; e = e->next_of_client)
			rates_show(e->usage, &e->starts, d->now_us);
	}
	for (struct server *s = d->servers; s; s = s->hh.next)
		rates_show(s->usage, &s->starts, d->now_us);
}

static void forget(struct shm_usage *usage, struct starts *starts)
{
	atomic_store_explicit(&usage->rate_us, 0, memory_order_relaxed);
	*starts = (struct starts){.sum = 0};
}

static void forget_all(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next) {
		forget(c->usage, &c->starts);
		for (struct edge *e = c->edges; e; e = e->next_of_client)
			forget(e->usage, &e->starts);
	}
	for (struct server *s = d->servers; s; s = s->hh.next)
		forget(s->usage, &s->starts);
}

static int64_t hourly_word(const struct starts *starts, uint32_t per_hour, int64_t now_us)
{
	const int64_t minute_us = 60 * US_PER_S;
	struct rate hourly = rate_per_hour(per_hour);
	int64_t tat = 0, newest = now_us / minute_us;
	for (int64_t minute = newest - STARTS_MINUTES; minute <= newest; minute++)
		tat = rate_take_many(&hourly, tat, MIN((minute + 1) * minute_us, now_us),
			starts_in(starts, minute));
	return tat;
}

/* A lower limit waits until nothing of the last second counts. A higher one goes on when the old one would have, without a
 * burst at first: what was begun in the second around the change is then no more than the higher one allows. */
static int64_t pace_word(int64_t tat_us, uint32_t before, uint32_t per_second, int64_t now_us)
{
	struct rate old = rate_per_second(before), new = rate_per_second(per_second);
	if (before == 0 || per_second < before)
		return now_us + new.period_us + new.tolerance_us;
	return MAX(rate_next_us(&old, tat_us), now_us) + new.tolerance_us;
}

void rates_changed(struct dispatcher *d, struct shm_usage *usage, const struct starts *starts,
	struct rate_limits before, struct rate_limits now)
{
	if (now.per_hour != before.per_hour)
		atomic_store_explicit(&usage->rate_us, hourly_word(starts, now.per_hour, d->now_us),
			memory_order_relaxed);
	if (now.per_second == before.per_second || now.per_second == 0)
		return;
	int64_t tat = atomic_load_explicit(&usage->pace_us, memory_order_relaxed);
	atomic_store_explicit(&usage->pace_us,
		pace_word(tat, before.per_second, now.per_second, d->now_us), memory_order_relaxed);
}

static void remember(
	struct shm_usage *usage, struct starts *starts, uint32_t per_hour, int64_t at_us, int64_t n)
{
	struct rate hourly = rate_per_hour(per_hour);
	int64_t tat = atomic_load_explicit(&usage->rate_us, memory_order_relaxed);
	starts_add(starts, at_us, (uint32_t)n);
	tat = rate_take_many(&hourly, tat, at_us, (uint32_t)n);
	atomic_store_explicit(&usage->rate_us, tat, memory_order_relaxed);
}

/* Starts of calls that are not over, as they were when PostgreSQL was asked for the others: a call that ends meanwhile may be
 * counted twice, but never missed. */
struct start {
	int64_t at_us;
	uint64_t client_id, server_id;
};

struct rebuild {
	struct dispatcher *d;
	uint64_t client_id, server_id; /* of one share only; 0: of all */
	size_t n, at;		       /* live calls; how many of them are remembered */
	struct start live[];
};

static int by_time(const void *a, const void *b)
{
	const struct start *x = a, *y = b;
	return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* What was made from the journal, after the segment was lost, began at some time since. */
static int64_t start_of(const struct dispatcher *d, const struct slot *slot)
{
	const struct shm_call *call = slot->call;
	if (slot_is_ahead(slot) || slot->head->n == 0)
		return 0;
	if (call->seen & SEEN_REBUILT)
		return d->now_us;
	return call->sent_us ? call->sent_us : call->armed_us;
}

static struct rebuild *live_starts(struct dispatcher *d, uint64_t client_id, uint64_t server_id)
{
	struct rebuild *r = calloc(1, sizeof(*r) + d->live_n * sizeof(r->live[0]));
	if (!r)
		die("memory.exhausted", "calls=%u", d->live_n);
	r->d = d;
	r->client_id = client_id;
	r->server_id = server_id;
	for (const struct slot *slot = d->by_entry; slot; slot = slot->hh.next) {
		int64_t at_us = start_of(d, slot);
		bool counts = client_id == 0 || (slot->head->client_id == client_id &&
							slot->head->server_id == server_id);
		if (at_us && counts)
			r->live[r->n++] =
				(struct start){at_us, slot->head->client_id, slot->head->server_id};
	}
	qsort(r->live, r->n, sizeof(r->live[0]), by_time);
	return r;
}

static void remember_all(
	struct dispatcher *d, uint64_t client_id, uint64_t server_id, int64_t at_us, int64_t n)
{
	struct client *client = client_find(d, client_id);
	struct server *server = server_find(d, server_id);
	struct edge *edge = client && server ? edge_find(client, server->id) : NULL;
	if (client)
		remember(client->usage, &client->starts, client->facts.rate_limit, at_us, n);
	if (server)
		remember(server->usage, &server->starts, server->facts.rate_limit, at_us, n);
	if (edge)
		remember(edge->usage, &edge->starts, edge->facts.rate_limit, at_us, n);
}

static void remember_live(struct rebuild *r, int64_t until_us)
{
	for (; r->at < r->n && r->live[r->at].at_us < until_us; r->at++) {
		const struct start *s = &r->live[r->at];
		remember_all(r->d, s->client_id, s->server_id, s->at_us, 1);
	}
}

static void counted(struct dispatcher *d, struct edge *edge)
{
	if (!edge->counting)
		return;
	edge->counting = false;
	sched_client_ready(d, edge->client);
}

/* Starts of each second, ascending, by client and server; those of live calls between them. */
static void take_starts(void *arg, const struct rows *rows)
{
	struct rebuild *r = arg;
	struct dispatcher *d = r->d;
	forget_all(d);
	for (int i = 0; i < rows->n; i++) {
		int64_t at_us = row_time(rows, i, 2);
		remember_live(r, at_us);
		remember_all(d, (uint64_t)row_i64(rows, i, 0), (uint64_t)row_i64(rows, i, 1), at_us,
			row_i64(rows, i, 3));
	}
	remember_live(r, INT64_MAX);
	rates_show_all(d);
	for (struct client *c = d->clients; c; c = c->hh.next)
		for (struct edge *e = c->edges; e; e = e->next_of_client)
			counted(d, e);
}

static void rebuilt(void *arg, bool ok, const struct err *err)
{
	struct rebuild *r = arg;
	struct dispatcher *d = r->d;
	(void)err;
	free(r);
	d->rates_running = false;
	if (ok)
		return;
	lookups_pause(d);
	d->rates_wanted = true;
}

void rates_rebuild(struct dispatcher *d)
{
	struct rebuild *r = live_starts(d, 0, 0);
	d->rates_running = true;
	d->rates_wanted = false;
	stream_query(d->lookups, SQL_STARTS_RECENT, NULL, take_starts, r);
	stream_end(d->lookups, rebuilt, r);
}

/* ---- one share ---- */

static void remember_share(struct rebuild *r, struct edge *edge, int64_t until_us)
{
	for (; r->at < r->n && r->live[r->at].at_us < until_us; r->at++)
		remember(edge->usage, &edge->starts, edge->facts.rate_limit, r->live[r->at].at_us,
			1);
}

static struct edge *share_of(const struct rebuild *r)
{
	struct client *client = client_find(r->d, r->client_id);
	return client ? edge_find(client, r->server_id) : NULL;
}

static void take_share(void *arg, const struct rows *rows)
{
	struct rebuild *r = arg;
	struct edge *edge = share_of(r);
	if (!edge) /* taken away again */
		return;
	forget(edge->usage, &edge->starts);
	for (int i = 0; i < rows->n; i++) {
		int64_t at_us = row_time(rows, i, 0);
		remember_share(r, edge, at_us);
		remember(edge->usage, &edge->starts, edge->facts.rate_limit, at_us,
			row_i64(rows, i, 1));
	}
	remember_share(r, edge, INT64_MAX);
	rates_show(edge->usage, &edge->starts, r->d->now_us);
	counted(r->d, edge);
}

/* Where it failed all are counted again, which ends the counting of this one. */
static void share_taken(void *arg, bool ok, const struct err *err)
{
	struct rebuild *r = arg;
	(void)err;
	if (!ok)
		r->d->rates_wanted = true;
	free(r);
}

void rates_of_share(struct dispatcher *d, struct edge *edge)
{
	struct sql_args args = SQL_ARGS_INIT;
	if (!d->recovered || d->rates_wanted || d->rates_running) /* all are being counted */
		return;
	if (starts_now(&edge->client->starts, d->now_us) == 0)
		return;
	struct rebuild *r = live_starts(d, edge->client->id, edge->server->id);
	edge->counting = true;
	arg_i64(&args, (int64_t)r->client_id);
	arg_i64(&args, (int64_t)r->server_id);
	stream_query(d->lookups, SQL_STARTS_OF_SHARE, &args, take_share, r);
	stream_end(d->lookups, share_taken, r);
	args_free(&args);
}
