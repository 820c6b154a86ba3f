/* Facts that change while calls are made: see facts.h. */
#include <string.h>

#include "dispatcher/facts.h"
#include "dispatcher/hours.h"
#include "dispatcher/rates.h"
#include "dispatcher/sched.h"
#include "dispatcher/slot.h"

#include "common/base.h"

#define LIMITS(facts) ((struct rate_limits){(facts)->rate_limit, (facts)->calls_per_second})

void client_set_facts(struct dispatcher *d, struct client *client, const struct shm_client *facts)
{
	const struct shm_client *old = &client->facts;
	if (memcmp(old, facts, sizeof(*facts)) == 0)
		return;
	if (old->id)
		rates_changed(d, client->usage, &client->starts, LIMITS(old), LIMITS(facts));
	bool other_hours = memcmp(&old->calling, &facts->calling, sizeof(old->calling)) != 0;
	client->facts = *facts;
	if (other_hours)
		hours_changed(d, client);
	sched_client_ready(d, client);
}

void edge_set_facts(struct dispatcher *d, struct edge *edge, const struct shm_allocation *facts)
{
	const struct shm_allocation *old = &edge->facts;
	if (memcmp(old, facts, sizeof(*facts)) == 0)
		return;
	if (old->client_id)
		rates_changed(d, edge->usage, &edge->starts, LIMITS(old), LIMITS(facts));
	else if (d->recovered)
		grant_rebind(d, edge);
	edge->facts = *facts;
	sched_client_ready(d, edge->client);
}

void server_set_facts(struct dispatcher *d, struct server *server, const struct shm_server *facts)
{
	const struct shm_server *old = &server->facts;
	if (memcmp(old, facts, sizeof(*facts)) == 0)
		return;
	if (old->id) {
		rates_changed(d, server->usage, &server->starts, LIMITS(old), LIMITS(facts));
		sched_server_freed(d, server);
	}
	server->facts = *facts;
}
