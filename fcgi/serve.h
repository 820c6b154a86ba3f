/* One request from libfcgi's streams to the answer: read, route, authenticate, limit, handle. */
#ifndef CCS_FCGI_SERVE_H
#define CCS_FCGI_SERVE_H

#include <fcgiapp.h>

#include "fcgi/app.h"
#include "fcgi/reply.h"

/* Answers the request that FCGX_Accept_r has read. Leaves nothing of its body unread, so that the
 * connection can carry another one. reply is the worker's: its memory is used again and again. */
void serve(struct app *app, FCGX_Request *fcgx, struct reply *reply);

#endif
