/* What the handlers of /auth share: passwords tried, sessions answered, sessions ended. */
#ifndef CCS_FCGI_SIGN_IN_H
#define CCS_FCGI_SIGN_IN_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"
#include "registry/user.h"
#include "shm/throttle.h"

/* Is there a key to sign with? Before anything is changed. */
MUST_USE bool sign_in_ready(struct app *app, struct err *err);

/* May a password of this user be tried from where the request comes? LIMIT, and when, if not. The
 * turn is taken; a password that was right gives it back (throttle_right). */
MUST_USE bool sign_in_turn(struct app *app, const struct req *req, struct str user,
	struct throttle *throttle, struct err *err);

/* Answers with an access token and a refresh token of this session. */
MUST_USE bool sign_in_answer(struct app *app, const struct req *req, uint64_t user_id,
	uint64_t version, const struct session *session, struct reply *reply, struct err *err);

/* app->client's account code, "-" for an administrator: for the log. */
const char *sign_in_whose(const struct app *app);

/* The committed control row says that sessions of app->client are over: now no worker and no relay
 * believes an older directory. 0: nothing was changed. */
void sign_in_over(struct app *app, uint64_t control_id);

#endif
