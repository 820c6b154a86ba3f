/* Who is dialled next: a weighted stride heap over the clients that have work and may dial.
 *
 * Each call moves its client's virtual time by 1 / weight; the client with the least goes next. A client that is blocked
 * leaves the heap and comes back when what blocks it changes: a timer for rates and windows, the waiting line of a server
 * (waiters.h) for that server's limits, the end of one of its own calls for its own. Nobody is ever searched for.
 */
#ifndef CCS_DISPATCHER_SCHED_H
#define CCS_DISPATCHER_SCHED_H

#include "dispatcher/dispatcher.h"

/* One pass: free channels meet waiting entries, at most ARMS_PER_TURN. */
void sched_pass(struct dispatcher *d);

/* Something about the client changed: work came, a call ended, a limit was raised. Cheap when it is ready already. */
void sched_client_ready(struct dispatcher *d, struct client *client);

/* A limit of the server loosened: its waiters may try again in the next pass. */
void sched_server_freed(struct dispatcher *d, struct server *server);

/* Before they are freed; a server's edges first. */
void sched_forget_server(struct dispatcher *d, struct server *server);
void sched_forget_client(struct dispatcher *d, struct client *client);
void sched_forget_edge(struct edge *edge);

/* What is in the way of the client's next call, for those who look at the segment. */
void sched_show_gate(const struct dispatcher *d, struct client *client, enum gate gate);

/* What a client that waits for a server shows as its gate follows what the server's is by now. Once a second. */
void sched_show_gates(struct dispatcher *d);

/* The last pass ended at ARMS_PER_TURN: go on without waiting. */
bool sched_wants_turn(const struct dispatcher *d);

/* Calls may begin: all of an earlier life is sorted out, PostgreSQL takes commits, and nobody wants us to stop. */
bool sched_may_dial(const struct dispatcher *d);

/* The next moment (wall us) at which sched_pass has something to do by itself. */
int64_t sched_next_us(const struct dispatcher *d);

#endif
