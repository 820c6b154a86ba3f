/* How many requests may be made, in windows of a minute that begin with the clock's, counted in words
 * of the segment that all workers share. Up to three limits weigh on a request:
 *
 *   the client's       its requests_per_minute, else [api] requests_per_minute
 *   its endpoint's     [api] inserts_per_minute, exports_per_minute: of each client
 *   this system's      [api] total_requests_per_minute: of all clients together
 *
 * Every authenticated answer tells of the tightest. Passwords have limits of their own:
 * shm/throttle.h.
 */
#ifndef CCS_FCGI_LIMIT_H
#define CCS_FCGI_LIMIT_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"

/* Counts this request and adds X-RateLimit-Limit, -Remaining and -Reset. LIMIT when one of the limits
 * is reached: then it counts for none, and after retry_after_s all are open. Without the segment's
 * words there is no limit: better than no service. */
MUST_USE bool limit_take(
	struct app *app, const struct req *req, struct reply *reply, struct err *err);

/* The same for a request that has been counted before and was brought back: counts nothing and refuses
 * nothing. */
void limit_tell(struct app *app, const struct req *req, struct reply *reply);

#endif
