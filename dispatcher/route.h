/* Which of a server's prefixes, endpoints and contexts a call uses: all combinations in turn, fixed when it is planned, so
 * that whoever writes it writes the same. */
#ifndef CCS_DISPATCHER_ROUTE_H
#define CCS_DISPATCHER_ROUTE_H

#include "dispatcher/dispatcher.h"
#include "sql/rows.h"

/* Fills in prefix, endpoint, context and extension of the call: its context and extension as terms have them, where they say. Only
 * for a server that offers that. */
void route_pick(struct server *server, const struct terms *terms, struct shm_call *call);

/* The server has the context that terms ask for, if they do: in turn with others, or only for who asks. */
bool route_offers(const struct server *server, const struct terms *terms);

/* One of a client's servers offers it, and the client may use it. Also true where it has no server at all. */
bool route_known(const struct client *client, const struct terms *terms);

/* Short texts of a text[] column; the old ones are freed. */
void texts_read(const struct rows *rows, int row, int column, struct texts *texts);
void texts_free(struct texts *texts);

#endif
