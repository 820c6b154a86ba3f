/* How many requests a client may make: a fixed window of one minute, shared by all workers through
 * one word of the segment. Every authenticated answer says where its client stands. */
#ifndef CCS_FCGI_LIMIT_H
#define CCS_FCGI_LIMIT_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"

/* Counts this request and adds X-RateLimit-Limit, -Remaining and -Reset. LIMIT when the window is
 * used up. Without the segment's words there is no limit: better than no service. */
MUST_USE bool limit_take(
	struct app *app, const struct req *req, struct reply *reply, struct err *err);

#endif
