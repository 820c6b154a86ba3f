/* Quick calls on their way into PostgreSQL: several that came at the same time are stored in one transaction, whosoever
 * they are. */
#ifndef CCS_FCGI_QUICK_CALL_H
#define CCS_FCGI_QUICK_CALL_H

#include "fcgi/batch.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"

struct quick_call {
	uint64_t client_id;
	struct batch_row row;
	uint64_t chunk_id;  /* once it is stored: a chunk of its own */
	bool is_suppressed; /* likewise: the number is on a do-not-call list */
};

enum { QUICK_CALLS_MAX = 32 };

/* Reads the body. Texts of the call lie in it or in the request's arena. */
MUST_USE bool quick_call_read(
	struct app *app, const struct req *req, struct quick_call *call, struct err *err);

/* Stores at most QUICK_CALLS_MAX calls, all or none, and announces them to the dispatcher. */
MUST_USE bool quick_calls_store(
	struct app *app, struct quick_call *const *calls, size_t n, struct err *err);

/* The answer about one that is stored. */
void quick_call_answer(const struct quick_call *call, struct reply *reply);

#endif
