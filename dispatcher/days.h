/* Daily caps: how many calls a client may begin on a local day, in all and into each region.
 *
 * The dispatcher counts what it plans; PostgreSQL keeps the count with the journal (rollup_region), from which it is read when
 * a life or a day begins. An entry whose region's cap is used up goes back to its chunk in PostgreSQL, and the chunk is put
 * off until the client's midnight or a change of its caps: so that it takes no place in the window, and the entries behind it
 * are not held up.
 */
#ifndef CCS_DISPATCHER_DAYS_H
#define CCS_DISPATCHER_DAYS_H

#include "dispatcher/dispatcher.h"

/* Adds the statement to the load of the directory that is under way, behind the clients. */
void days_load(struct dispatcher *d);

/* The next day has begun, maybe: counts start again. Asks for the directory when one has. */
void day_turn(struct dispatcher *d, struct client *client);

/* day_turn for all; once a second. */
void days_turn(struct dispatcher *d);

/* As the gates want them: all calls, and those into one region. */
struct gate_day day_of_client(const struct client *client);
struct gate_day day_of_region(const struct client *client, uint16_t region);

/* A call is planned; or will not be begun after all. */
void day_take(struct slot *slot);
void day_give(struct slot *slot);

void day_free(struct client *client);

#endif
