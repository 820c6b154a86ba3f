/* What servers have to do each turn: only those with something to write or a deadline that has passed are touched. */
#include <utlist.h>

#include "dispatcher/health.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"

#include "common/base.h"

void server_wants_flush(struct server *server)
{
	if (server->wants_flush)
		return;
	server->wants_flush = true;
	DL_APPEND2(server->d->to_flush, server, flush_prev, flush_next);
}

static void flushed(struct server *server)
{
	server->wants_flush = false;
	DL_DELETE2(server->d->to_flush, server, flush_prev, flush_next);
}

/* What cannot be written yet stays for the next turn: the server is away, or owes too many answers. */
void servers_flush(struct dispatcher *d)
{
	struct server *server, *next;
	DL_FOREACH_SAFE2(d->to_flush, server, next, flush_next)
	{
		server_write_armed(server);
		if (server->conn)
			ami_conn_flush(server->conn);
		if (server->armed)
			continue;
		flushed(server);
		if (server->waiters.n) /* who found it with something to be written */
			sched_server_freed(d, server);
	}
}

void server_set_deadline(struct server *server)
{
	struct heap *deadlines = &server->d->server_deadlines;
	int64_t at = server->conn ? ami_conn_deadline(server->conn) : INT64_MAX;
	at = MIN(at, health_deadline(server));
	if (at == INT64_MAX)
		heap_remove(deadlines, &server->deadline);
	else if (!heap_has(&server->deadline) || heap_key(deadlines, &server->deadline) != at)
		heap_put(deadlines, &server->deadline, at);
}

void server_forget_turns(struct server *server)
{
	heap_remove(&server->d->server_deadlines, &server->deadline);
	if (server->wants_flush)
		flushed(server);
}

void servers_tick(struct dispatcher *d)
{
	/* As many as there are: one that is due again at once waits for the next turn. */
	uint32_t most = d->server_deadlines.n;
	struct heap_node *due;
	while (most-- && (due = heap_take_until(&d->server_deadlines, d->now_mono_us))) {
		struct server *server = CONTAINER(due, struct server, deadline);
		server_tick(server);
		server_set_deadline(server);
	}
}

int64_t servers_deadline_mono_us(const struct dispatcher *d)
{
	return heap_first_key(&d->server_deadlines);
}
