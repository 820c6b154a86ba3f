/* The gates (shm/gate.h) of what the scheduler holds in memory. */
#ifndef CCS_DISPATCHER_GATES_H
#define CCS_DISPATCHER_GATES_H

#include "dispatcher/dispatcher.h"

/* What stands in the way of all of the client's calls. True when something does. */
bool client_blocked(struct dispatcher *d, struct client *client, struct gate_verdict *verdict);

/* What stands in the way of the client's calls on this server: its share of it, or the server. */
bool edge_blocked(struct dispatcher *d, struct edge *edge, struct gate_verdict *verdict);

/* What stands in the way of everybody's calls on this server. */
bool server_blocked(
	struct dispatcher *d, const struct server *server, struct gate_verdict *verdict);

/* The same, had one call more ended: what else than a channel is in the way. */
bool client_blocked_otherwise(
	struct dispatcher *d, struct client *client, struct gate_verdict *verdict);
bool edge_blocked_otherwise(struct dispatcher *d, struct edge *edge, struct gate_verdict *verdict);
bool server_blocked_otherwise(
	struct dispatcher *d, const struct server *server, struct gate_verdict *verdict);

/* How many calls the server's own gates let begin now. */
uint64_t server_room(struct dispatcher *d, const struct server *server);

/* What stands in the way of this entry alone. */
enum gate entry_gate(struct dispatcher *d, const struct waiting *w);

static inline bool is_server_gate(enum gate gate)
{
	return gate >= GATE_server_down;
}

#endif
