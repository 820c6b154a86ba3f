/* One request from libfcgi's streams to the answer: read, route, authenticate, limit, handle; and how libfcgi gets at a
 * connection. */
#ifndef CCS_FCGI_SERVE_H
#define CCS_FCGI_SERVE_H

#include <fcgiapp.h>

#include "fcgi/app.h"
#include "fcgi/gather.h"
#include "fcgi/reply.h"

/* Makes fcgx stand for the connection fd, which it takes: FCGX_Free(fcgx, 1) closes it. */
void fcgx_take(FCGX_Request *fcgx, int fd);

/* Waits for the next request on it. False when there is none, or only a part of one: then it is to be freed. */
MUST_USE bool fcgx_accept(FCGX_Request *fcgx);

/* Answers the request that fcgx_accept has read. Leaves nothing of its body unread, so that the
 * connection can carry another one. reply is the worker's: its memory is used again and again. False
 * when the request has to wait: in the call pool it is the last one of app->gather now; in the fast pool reply->parked says
 * for what, and serve_parked ends it. */
MUST_USE bool serve(struct app *app, FCGX_Request *fcgx, struct reply *reply);

/* Sends the answer of a request that was gathered. */
void serve_gathered(const struct app *app, struct gathered *one);

/* Gives a request that has waited back to the sql pool, which knows what became of the call. */
void serve_parked(FCGX_Request *fcgx);

#endif
