/* How many connections come from one place: an IPv4 address, or an IPv6 /64, because who has one address of it has them all. */
#ifndef CCS_RELAY_NEIGHBOURS_H
#define CCS_RELAY_NEIGHBOURS_H

#include "shm/network.h"

struct neighbourhood;

/* The place of an address; NULL when there is none, as on a connection that nginx has not made. Counted until
 * neighbours_leave. */
struct neighbourhood *neighbours_enter(struct neighbourhood **all, struct str address);
void neighbours_leave(struct neighbourhood **all, struct neighbourhood *place);

/* Those of a place that are there. */
uint32_t neighbours_count(struct neighbourhood *all, struct str address);

#endif
