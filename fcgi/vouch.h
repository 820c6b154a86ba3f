/* nginx's question, for what it serves without us: may whoever sent this request come in, and who is it?
 * (auth_request: nginx/snippets/ccs-guard.conf.)
 *
 *   200   X-Ccs-Client: 7, X-Ccs-Accountcode: ACME, X-Ccs-Scopes: read,dial,admin;
 *         X-Ccs-Certificate: its SHA-256, where that is how the client is known
 *   400, 401, 403, 503   X-Ccs-Code and X-Ccs-Detail say why, for the envelope that nginx writes
 *
 * Scopes: those of the key, all for a token; account as well when a user has signed in. An administrator is refused: what
 * stands behind the guard belongs to clients.
 * It is a question and no request: nothing is counted.
 */
#ifndef CCS_FCGI_VOUCH_H
#define CCS_FCGI_VOUCH_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"

/* Only nginx itself can ask for the path. */
bool vouch_is_asked(const struct req *req);

/* Answers it, or gives it to the sql pool; on false err says why not. */
MUST_USE bool vouch(struct app *app, struct req *req, struct reply *reply, struct err *err);

/* Adds X-Ccs-Code and X-Ccs-Detail. */
void vouch_explain(struct reply *reply, const struct err *err);

#endif
