/* Servers' waiting lines: see waiters.h. */
#include "dispatcher/waiters.h"

#include <utlist.h>

#include "dispatcher/ahead.h"
#include "dispatcher/gates.h"
#include "dispatcher/sched.h"

#include "common/base.h"

static int64_t stride_of(const struct edge *edge)
{
	return STRIDE / MAX(edge->client->facts.weight, 1u);
}

/* Who has not called for a while saves up one call. */
static int64_t vtime_of(const struct edge *edge)
{
	return MAX(edge->vtime, edge->server->vtime - stride_of(edge));
}

bool waiters_before(const struct edge *edge)
{
	return heap_first_key(&edge->server->waiters) < vtime_of(edge);
}

void waiters_served(struct edge *edge)
{
	struct server *server = edge->server;
	edge->vtime = vtime_of(edge);
	server->vtime = MAX(server->vtime, edge->vtime);
	edge->vtime += stride_of(edge);
	if (heap_has(&edge->wait))
		heap_put(&server->waiters, &edge->wait, edge->vtime);
}

void sched_server_freed(struct dispatcher *d, struct server *server)
{
	if (server->is_freed)
		return;
	server->is_freed = true;
	DL_APPEND2(d->freed, server, freed_prev, freed_next);
}

static void settled(struct dispatcher *d, struct server *server)
{
	server->is_freed = false;
	DL_DELETE2(d->freed, server, freed_prev, freed_next);
}

void sched_forget_server(struct dispatcher *d, struct server *server)
{
	heap_remove(&d->server_timers, &server->timer);
	if (server->is_freed)
		settled(d, server);
	heap_free(&server->waiters);
}

void sched_forget_edge(struct edge *edge)
{
	heap_remove(&edge->server->waiters, &edge->wait);
}

static void timers_expire(struct dispatcher *d)
{
	struct heap_node *due;
	while ((due = heap_take_until(&d->server_timers, d->now_us)))
		sched_server_freed(d, CONTAINER(due, struct server, timer));
}

/* When it loosens by itself, whoever waits then is woken. */
static void set_timer(struct dispatcher *d, struct server *server)
{
	struct gate_verdict verdict;
	if (server_blocked(d, server, &verdict) && verdict.next_us != INT64_MAX)
		heap_put(&d->server_timers, &server->timer, verdict.next_us);
}

void waiters_join(struct dispatcher *d, struct edge *edge)
{
	if (heap_has(&edge->wait))
		return;
	edge->vtime = vtime_of(edge);
	heap_put(&edge->server->waiters, &edge->wait, edge->vtime);
	set_timer(d, edge->server);
}

static struct client *client_of(struct heap_node *node)
{
	return CONTAINER(node, struct edge, wait)->client;
}

/* What may be armed ahead is room only for who may arm ahead: another would come back into line, and be woken again. */
static uint64_t room_of(struct dispatcher *d, struct server *server)
{
	struct heap_node *first = heap_first(&server->waiters);
	uint64_t room = server_room(d, server);
	return first && ahead_may(client_of(first)) ? room + ahead_room(d, server) : room;
}

/* Wakes as many as it has room for. When those cannot use it, being held up elsewhere, it stays on the list, and the next
 * ones are woken. */
static bool wake(struct dispatcher *d, struct server *server)
{
	uint64_t room = room_of(d, server);
	struct heap_node *first;
	bool woke = false;
	for (; room > 0 && (first = heap_take_until(&server->waiters, INT64_MAX)); room--) {
		sched_client_ready(d, client_of(first));
		woke = true;
	}
	if (woke)
		return true;
	settled(d, server);
	if (server->waiters.n)
		set_timer(d, server);
	else
		server->freed_mono_us = 0; /* nobody's refill */
	return false;
}

bool waiters_wake(struct dispatcher *d)
{
	struct server *server, *next;
	bool woke = false;
	timers_expire(d);
	DL_FOREACH_SAFE2(d->freed, server, next, freed_next)
	woke |= wake(d, server);
	return woke;
}

bool waiters_pending(const struct dispatcher *d)
{
	return d->freed != NULL;
}

int64_t waiters_next_us(const struct dispatcher *d)
{
	return heap_first_key(&d->server_timers);
}
