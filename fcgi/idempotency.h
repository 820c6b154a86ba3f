/* Requests that carry an Idempotency-Key, so that one whose answer was lost can be sent again.
 *
 * What such a request does and the answer that it gets are one transaction: either both are stored or
 * neither is, whatever dies. The same key with the same request is then answered as before, with
 * `Idempotent-Replayed: true`; with another one it is refused. A request that fails stores nothing:
 * its key is free again. Keys are a client's own, and good for 24 hours.
 *
 * The frame does all of it: handlers ask the database as ever (sql/db.h, db_hold), and what they announce waits for
 * the commit (app_hold).
 */
#ifndef CCS_FCGI_IDEMPOTENCY_H
#define CCS_FCGI_IDEMPOTENCY_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"

/* It has a key, and is of a kind that heeds it: a client's POST, PUT or PATCH. */
bool idempotency_asked(const struct req *req);

/* INPUT when it has a key and would only seem to be protected by it. A file of entries has its batch_id: nobody holds enough of it
 * to compare it before it is stored. What administrators make has a name of its own, and what they change a version. */
MUST_USE bool idempotency_fits(const struct req *req, struct err *err);

/* Answers such a request in the place of its handler. INPUT when the key is none, CONFLICT when it
 * was used for another request or the first one is still under way. */
MUST_USE bool idempotency_answer(
	struct app *app, struct req *req, struct reply *reply, struct err *err);

#endif
