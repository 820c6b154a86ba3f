/* Halts: see halt.h. */
#include "dispatcher/halt.h"

#include "common/log.h"
#include "dispatcher/directory.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "shm/directory.h"

#include "common/base.h"

bool halt_holds(const struct dispatcher *d, const struct client *client)
{
	return d->is_halted || client->is_halted;
}

/* What was armed is taken back, or may be written, at the end of this turn. */
static void obey(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next) {
		bool holds = halt_holds(d, c);
		if (c->facts.halted == holds)
			continue;
		c->facts.halted = holds;
		(void)dir_put_client(d->seg, &c->facts); /* has its row already */
		log_info(
			"dispatch.halt", "client=%llu halted=%d", (unsigned long long)c->id, holds);
		sched_client_ready(d, c);
	}
	for (struct server *s = d->servers; s; s = s->hh.next)
		if (s->armed)
			server_wants_flush(s);
}

void halt_ordered(struct dispatcher *d, uint64_t client_id, bool is_halted)
{
	struct client *client = client_id ? client_find(d, client_id) : NULL;
	if (client)
		client->is_halted = is_halted;
	else if (!client_id)
		d->is_halted = is_halted;
	else
		d->directory_wanted = true; /* made a moment ago */
	obey(d);
}

static void take_halts(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	d->halt_seen = false;
	for (struct client *c = d->clients; c; c = c->hh.next)
		c->halt_seen = false;
	for (int i = 0; i < rows->n; i++) {
		uint64_t id = (uint64_t)row_i64(rows, i, 0);
		struct client *client = id ? client_find(d, id) : NULL;
		if (client)
			client->halt_seen = true;
		else
			d->halt_seen = d->halt_seen || !id;
	}
}

void halts_load(struct dispatcher *d)
{
	stream_query(d->lookups, SQL_DIRECTORY_HALTS, NULL, take_halts, d);
}

void halts_loaded(struct dispatcher *d)
{
	d->is_halted = d->halt_seen;
	for (struct client *c = d->clients; c; c = c->hh.next)
		c->is_halted = c->halt_seen;
	obey(d);
}
