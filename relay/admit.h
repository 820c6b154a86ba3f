/* The door: a request to open a WebSocket is admitted, or answered as any other request of the API would be. */
#ifndef CCS_RELAY_ADMIT_H
#define CCS_RELAY_ADMIT_H

#include "relay/relay.h"

/* The request on wsi asks for a WebSocket. True: admitted, and the new connection is its opaque user data. False: it
 * is answered with an error; hang up. */
MUST_USE bool admit(struct relay *relay, struct lws *wsi);

/* Answers a request that asks for anything else. Hang up then. */
void admit_nothing_else(struct lws *wsi);

#endif
