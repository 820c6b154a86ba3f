/* A ticket opens one WebSocket, once, within half a minute: for browsers, which can put no credential into a header, and for
 * whom a key in an address would stand in logs and histories.
 *
 * It names the credential by which it was asked for, so a connection that it opens ends with that one. It is signed
 * (HMAC-SHA-256) with a key of the ring that signs tokens, over text that no token begins with, and bound to a node: there a
 * single relay remembers for half a minute which tickets it has seen, and takes none that is older than itself. So no
 * ticket is taken twice, and nothing has to be stored where it is made.
 *
 *   <kid of 8> <hex of the fields> <hex of the signature>
 */
#ifndef CCS_COMMON_TICKET_H
#define CCS_COMMON_TICKET_H

#include "common/jwt.h"
#include "common/token.h"

enum { TICKET_SECONDS = 30, TICKET_NONCE_BYTES = 16 };

struct ticket {
	int64_t issued_us;
	uint64_t client_id;
	uint8_t nonce[TICKET_NONCE_BYTES];
	uint64_t by_token;	 /* 1: the claims below; 0: the digest of a key or certificate */
	struct jwt_claims token; /* id is empty */
	struct digest key;
};

enum {
	TICKET_FIELDS = 2 * (7 * 8 + TICKET_NONCE_BYTES + JWT_KID_CHARS + DIGEST_BYTES),
	TICKET_CHARS = JWT_KID_CHARS + TICKET_FIELDS + 2 * DIGEST_BYTES,
};

/* Fills nonce and out. INTERNAL when there is no key to sign with. */
MUST_USE bool ticket_issue(const struct jwt_ring *ring, const char *node, struct ticket *ticket,
	char out[TICKET_CHARS + 1], struct err *err);

/* Is it one of ours, for this node, and not over? Whether it was used is for the relay to know. AUTH when it is not. */
MUST_USE bool ticket_read(struct jwt_ring *ring, const char *node, struct str text, int64_t now_us,
	struct ticket *ticket, struct err *err);

#endif
