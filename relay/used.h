/* Tickets that have opened a connection: none opens a second one.
 *
 * Kept for as long as a ticket is good, so how many there are is bounded by how many are made in that time. Tickets of the
 * time before this relay began are refused as a whole: its predecessor may have seen them.
 */
#ifndef CCS_RELAY_USED_H
#define CCS_RELAY_USED_H

#include "common/ticket.h"

enum { USED_MOST = 65536 };

struct used_ticket;

struct used {
	int64_t since_us;	     /* tickets made before are not taken */
	struct used_ticket *tickets; /* by nonce, the oldest first */
};

/* AUTH when it was used, or may have been; BUSY when there is no room to remember it. From now on it is used. */
MUST_USE bool used_take(
	struct used *used, const struct ticket *ticket, int64_t now_us, struct err *err);

void used_free(struct used *used);

#endif
