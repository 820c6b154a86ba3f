/* Pages of other origins that may use the API (Fetch standard, "HTTP extensions"): those of [api]
 * allowed_origins, none by default. A browser asks with OPTIONS before it sends a credential; who is
 * no browser notices nothing. There are no cookies, so credentials mode is never allowed. */
#ifndef CCS_FCGI_CORS_H
#define CCS_FCGI_CORS_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"

/* Adds what a page of an allowed origin may read of this answer. For every answer, errors too. */
void cors_add(const struct app *app, const struct req *req, struct reply *reply);

/* Answers OPTIONS: which methods (as in Allow) the address takes, and to a browser, whether a page may
 * use them. */
void cors_options(
	const struct app *app, const struct req *req, const char *allow, struct reply *reply);

#endif
