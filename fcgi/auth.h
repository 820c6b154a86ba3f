/* Who asks, and may they?
 *
 * A key comes by X-API-KEY, by Authorization: Bearer, or by ?x-api-key=, a token of a user who has
 * signed in by Bearer only; two different ones are refused, because one of them would be ignored.
 * A text that is no key dies on its checksum, a token on its signature or its expiry. A key's
 * digest, a token's user and session are looked up first in the segment's directory, believed while
 * the dispatcher's heartbeat is fresh and the row's generation is the client's; else in SQL, whose
 * word is final.
 */
#ifndef CCS_FCGI_AUTH_H
#define CCS_FCGI_AUTH_H

#include "fcgi/app.h"
#include "fcgi/req.h"

enum auth_verdict {
	AUTH_OK,
	AUTH_ASK_SQL, /* fast pool: only PostgreSQL can tell */
	AUTH_REFUSED, /* err is filled */
};

/* Fills req->client (in app->client; NULL for an administrator or a server, of whom only SQL knows), req->scopes, req->source, and req->token (in app->token), req->key_id or
 * req->certificate (in app->certificate). Whether that client is admitted is another question. */
enum auth_verdict auth_check(struct app *app, struct req *req, struct err *err);

/* FORBIDDEN unless the client is active: whoever it is that asks for it. NULL, an administrator, is. */
MUST_USE bool auth_admits(const struct shm_client *client, struct err *err);

/* The one key or token of the request; n 0: there is none. */
MUST_USE bool auth_credential(const struct req *req, struct str *credential, struct err *err);

/* FORBIDDEN: whatever the request names is not the caller's. One body for all, so that nobody learns
 * whether it exists. Always false. */
bool not_yours(struct err *err);

/* An accountcode or client id that the request names must be the caller's own; p NULL = not named.
 * not_yours else. */
MUST_USE bool own_accountcode(const struct req *req, struct str accountcode, struct err *err);
MUST_USE bool own_client_id(const struct req *req, uint64_t client_id, struct err *err);

/* The id of a server that is allocated to the caller; not_yours else. */
MUST_USE bool own_server(struct app *app, const struct req *req, struct str server_code,
	uint64_t *server_id, struct err *err);

#endif
