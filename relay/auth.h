/* Who connects, and may they still? Answered from the segment alone: the relay has no database.
 *
 * A credential is an API key, a certificate or, as Authorization: Bearer, the token of a user who has signed in; or a ticket, which
 * stands for one of these. What the directory
 * does not know for certain at the moment (the dispatcher is away, or has not read a change yet) is BUSY: try again.
 * A connection that is open is asked again: see auth_still.
 */
#ifndef CCS_RELAY_AUTH_H
#define CCS_RELAY_AUTH_H

#include "common/err.h"
#include "common/jwt.h"
#include "common/token.h"
#include "shm/segment.h"

struct identity {
	uint64_t client_id;
	bool by_token;
	struct digest key;	 /* or certificate; unless by_token */
	struct jwt_claims token; /* if by_token: its signature was good */
};

/* The texts in which a request may carry a credential; n 0 = not there. */
struct credentials {
	struct str header; /* X-API-KEY */
	struct str authorization;
	struct str query;	/* ?x-api-key= */
	struct str certificate; /* its SHA-256 in hex, if nginx knows the client by it alone */
	struct str ticket;	/* ?ticket=, or offered as a subprotocol */
	struct str
		address; /* where it comes from; for tickets, as nginx has asked the API about the others */
};

struct used;

/* The one credential of a request, and whose it is. AUTH, FORBIDDEN or BUSY when nobody may enter with it; INPUT when
 * there are two: one would be ignored. */
MUST_USE bool auth_identify(const struct segment *seg, struct jwt_ring *ring,
	const struct credentials *from, int64_t now_us, struct identity *identity, struct err *err);

/* The same for a request with a ticket, which is used from then on. */
MUST_USE bool auth_by_ticket(const struct segment *seg, struct jwt_ring *ring, const char *node,
	struct used *used, const struct credentials *from, int64_t now_us,
	struct identity *identity, struct err *err);

enum auth_standing {
	STANDING_GOOD,
	STANDING_UNKNOWN, /* not to be learned now: ask later */
	STANDING_LOST,	  /* err says why */
};

/* Does an identity that was good still hold? Well below a microsecond. */
enum auth_standing auth_still(const struct segment *seg, struct jwt_ring *ring, int64_t now_us,
	const struct identity *identity, struct err *err);

#endif
