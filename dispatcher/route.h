/* Which of a server's prefixes, endpoints and contexts a call uses: all combinations in turn, fixed when it is planned, so
 * that whoever writes it writes the same. */
#ifndef CCS_DISPATCHER_ROUTE_H
#define CCS_DISPATCHER_ROUTE_H

#include "dispatcher/dispatcher.h"
#include "sql/rows.h"

/* Fills in prefix, endpoint and context of the call. */
void route_pick(struct server *server, struct shm_call *call);

/* Short texts of a text[] column; the old ones are freed. */
void texts_read(const struct rows *rows, int row, int column, struct texts *texts);
void texts_free(struct texts *texts);

#endif
