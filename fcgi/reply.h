/* One answer under construction. A handler writes its JSON into body (fcgi/put.h helps), perhaps
 * adds headers, and returns true; when it returns false the frame writes the error envelope from
 * err and forgets what stood in body. So every answer is JSON, unless another form was asked for, and
 * every error has one form:
 *
 *   {"detail":"...", "status_code":400, "timestamp":"2026-11-22T09:00:00Z", "code":"...",
 *    "request_id":"..."}
 */
#ifndef CCS_FCGI_REPLY_H
#define CCS_FCGI_REPLY_H

#include <jansson.h>

#include "common/err.h"
#include "common/strbuf.h"
#include "fcgi/app.h"
#include "fcgi/park.h"

#define REPLY_JSON "application/json"

struct req;

/* The next piece of an answer that is too long to be held. *more: another follows. On false the answer
 * breaks off, and the connection with it, so that nobody takes a part of it for all. */
typedef bool piece_fn(
	struct app *app, void *arg, struct strbuf *piece, bool *more, struct err *err);

struct reply {
	int status;		  /* 200 until somebody says otherwise */
	const char *content_type; /* of the body; JSON until somebody says otherwise */
	piece_fn *next_piece;	  /* of what follows the body, or NULL: reply_more */
	void *piece_arg;
	void (*after_pieces)(struct app *app); /* called once, however they end */
	struct strbuf body;		       /* JSON; kept between requests for its memory */
	struct strbuf headers;		       /* "Name: value\r\n" each */
	struct strbuf head;		       /* status and headers on their way out */
	const char *pass_to; /* nginx's name of the pool that shall answer instead: reply_pass */
	bool is_secret;	     /* the body is not to be stored as it is */
	bool waits;	     /* fast pool: it is to be parked */
	struct parked parked;
};

#define REPLY_INIT ((struct reply){.status = 200, .content_type = REPLY_JSON})

void reply_reset(struct reply *reply);
void reply_free(struct reply *reply);

/* Adds a header. Values are our own or checked text: no CR, no LF. */
void reply_header(struct reply *reply, const char *name, const char *fmt, ...) PRINTF(3, 4);

/* Gives the request to the sql or login pool, with method, body and headers. Returns true, so that a handler
 * of the fast pool ends with `return reply_pass(reply, POOL_SQL)`. */
bool reply_pass(struct reply *reply, enum pool pool);

/* Lets the body be followed by what fn gives, piece by piece, as it is sent; arg lives in the request's
 * arena. However that ends, after is called once. Not in the fast pool, which has others to serve
 * meanwhile. */
void reply_more(struct reply *reply, piece_fn *fn, void (*after)(struct app *app), void *arg);

/* Lets the fast pool wait for the call that the request is about. Returns true. */
bool reply_wait(struct reply *reply);

/* Writes the envelope of err into reply, in place of what was there, with Retry-After, and
 * WWW-Authenticate where they belong. Text of INTERNAL errors is logged and not shown. */
void reply_error(struct reply *reply, const struct req *req, const struct err *err);

/* The envelope's members, into an object that the caller has opened; for an answer that says more
 * than the envelope, as an unhealthy system does. Sets the status. */
void reply_problem(struct reply *reply, const struct req *req, int status, const char *code,
	const char *detail);

/* The HTTP status of a kind of error. */
int reply_status_of(enum err_kind kind);

/* What HTTP calls a status, "" when we do not know it. Without that nginx sends a first line that lacks
 * the blank behind the number, which RFC 9112 asks for. */
const char *reply_reason(int status);

#endif
