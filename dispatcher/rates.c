/* Calls per hour, from the journal: see rates.h. */
#include "dispatcher/rates.h"
#include "common/clock.h"
#include "dispatcher/directory.h"
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

/* The debt stays the same number of calls. That may be too little once calls cost more: then all of the last second's is
 * waited for. */
static int64_t pace_word(int64_t tat_us, uint32_t before, uint32_t per_second, int64_t now_us)
{
	struct rate old = rate_per_second(before), new = rate_per_second(per_second);
	if (before == 0 || per_second < before)
		return now_us + new.period_us + new.tolerance_us;
	return now_us + MAX(tat_us - now_us, INT64_C(0)) * new.interval_us / old.interval_us;
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

/* Starts of each second, ascending, by client and server. */
static void take_starts(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	forget_all(d);
	for (int i = 0; i < rows->n; i++) {
		struct client *client = client_find(d, (uint64_t)row_i64(rows, i, 0));
		struct server *server = server_find(d, (uint64_t)row_i64(rows, i, 1));
		struct edge *edge = client && server ? edge_find(client, server->id) : NULL;
		int64_t at = row_time(rows, i, 2), n = row_i64(rows, i, 3);
		if (client)
			remember(client->usage, &client->starts, client->facts.rate_limit, at, n);
		if (server)
			remember(server->usage, &server->starts, server->facts.rate_limit, at, n);
		if (edge)
			remember(edge->usage, &edge->starts, edge->facts.rate_limit, at, n);
	}
	rates_show_all(d);
}

static void rebuilt(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->rates_running = false;
	if (!ok)
		d->rates_wanted = true;
}

void rates_rebuild(struct dispatcher *d)
{
	d->rates_running = true;
	d->rates_wanted = false;
	stream_query(d->lookups, SQL_ATTEMPTS_RECENT, NULL, take_starts, d);
	stream_end(d->lookups, rebuilt, d);
}
