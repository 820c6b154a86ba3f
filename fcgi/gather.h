/* Quick calls that reach a worker in the same turn of its loop, answered together after one transaction: a commit, and
 * the way to PostgreSQL and back, cost more than a call itself.
 *
 *   handle_quick_call   has read its request and puts it aside: gather_add
 *   the worker          notes the connection, and goes on reading what is there: gather_note
 *   at the turn's end   gather_store, and every one is sent its own answer: serve_gathered
 *
 * Nobody waits for company: whoever is alone in a turn is stored alone.
 */
#ifndef CCS_FCGI_GATHER_H
#define CCS_FCGI_GATHER_H

#include <fcgiapp.h>

#include "fcgi/quick_call.h"

/* One request that waits for the end of the turn, with what the frame's next request would take from it. */
struct gathered {
	struct req req;
	struct reply reply;
	struct shm_client client;
	struct quick_call call;
	FCGX_Request *fcgx;
	void *conn; /* the worker's */
};

struct gather {
	struct gathered all[QUICK_CALLS_MAX];
	size_t n;
};

struct gather *gather_new(void);
void gather_free(struct gather *gather);

static inline bool gather_is_full(const struct gather *gather)
{
	return gather->n == ARRAY_LEN(gather->all);
}

/* Puts a request aside; there must be room. Its reply is taken as it is, and what reply is then belongs to the next
 * request. Returns true. */
bool gather_add(struct gather *gather, const struct req *req, const struct quick_call *call,
	struct reply *reply);

/* Over which connection the last one came. */
void gather_note(struct gather *gather, FCGX_Request *fcgx, void *conn);

/* Stores all and writes every one's answer into its reply. Where PostgreSQL refuses them together they are tried one by
 * one, so that nobody fails for another's sake. */
void gather_store(struct app *app, struct gather *gather);

#endif
