/* ccs-relay: one process, one thread, libwebsockets' own loop. Each part has its own file; this is what they share.
 *
 * The relay faces the internet (through nginx), so nothing in the segment is writable for it: it maps all of it
 * read-only, and the dispatcher believes no word from it.
 */
#ifndef CCS_RELAY_RELAY_H
#define CCS_RELAY_RELAY_H

#include <libwebsockets.h>

#include "common/conf.h"
#include "common/jwt_ring.h"
#include "relay/feed.h"
#include "relay/used.h"

struct conn;
struct neighbourhood;

struct relay {
	const struct conf *conf;
	struct segment seg;
	struct jwt_ring ring; /* verifies tokens */
	struct used used;
	struct feed feed;
	struct lws_context *lws;
	struct conn *conns;
	uint32_t conns_n;
	uint32_t opened;	      /* ever */
	struct neighbourhood *places; /* where they come from */
	int inputs_fd;		      /* an epoll of all connections: see conn.h */
	struct strbuf out;	      /* what is being written, LWS_PRE bytes first */
	bool stopping;		      /* nobody new; done when the last connection is closed */
};

#endif
