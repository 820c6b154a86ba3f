/* Quick calls and small batches that reach a worker in the same turn of its loop, answered together after one transaction
 * of either kind: a commit, and the way to PostgreSQL and back, cost more than a call or a hundred entries.
 *
 *   the handler     has read its request and puts it aside: gather_call, gather_batch
 *   the worker      notes the connection, and goes on reading what is there: gather_note
 *   at the turn's end   gather_store, and every one is sent its own answer: serve_gathered
 *
 * Nobody waits for company: whoever is alone in a turn is stored alone. Large batches are not for here, where others would
 * wait for them: nginx brings them to the sql pool.
 */
#ifndef CCS_FCGI_GATHER_H
#define CCS_FCGI_GATHER_H

#include <fcgiapp.h>

#include "fcgi/quick_call.h"

enum {
	GATHER_MAX = 32,	 /* requests */
	GATHER_MAX_ENTRIES = 512 /* that are there before another is taken: some milliseconds */
};

enum gathered_kind { GATHERED_CALL, GATHERED_BATCH };

/* One request that waits for the end of the turn, with what the frame's next request would take from it. */
struct gathered {
	struct req req;
	struct reply reply;
	struct shm_client client;
	enum gathered_kind kind;
	union {
		struct quick_call call;
		struct batch batch;
	};
	FCGX_Request *fcgx;
	void *conn; /* the worker's */
};

struct gather {
	struct gathered all[GATHER_MAX];
	size_t n;
	size_t entries; /* of batches */
};

struct gather *gather_new(void);
void gather_free(struct gather *gather);

static inline bool gather_is_full(const struct gather *gather)
{
	return gather->n == ARRAY_LEN(gather->all) || gather->entries >= GATHER_MAX_ENTRIES;
}

/* Put a request aside; there must be room. Its reply is taken as it is, and what reply is then belongs to the next
 * request. A batch is taken with what it owns: its batch_end is no longer the caller's. Return true. */
bool gather_call(struct gather *gather, const struct req *req, const struct quick_call *call,
	struct reply *reply);
bool gather_batch(struct gather *gather, const struct req *req, const struct batch *batch,
	struct reply *reply);

/* Over which connection the last one came. */
void gather_note(struct gather *gather, FCGX_Request *fcgx, void *conn);

/* Stores all and writes every one's answer into its reply. Where PostgreSQL refuses them together they are tried one by
 * one, so that nobody fails for another's sake. */
void gather_store(struct app *app, struct gather *gather);

/* All have been answered. */
void gather_clear(struct gather *gather);

#endif
