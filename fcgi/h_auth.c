/* POST /auth/login, refresh and logout: a name and a password for tokens, new tokens for old ones, and
 * the end of it. */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "fcgi/auth.h"
#include "fcgi/limit.h"
#include "fcgi/put.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "fcgi/sign_in.h"

#include "common/base.h"

/* OAuth2 names its grant; whoever does not, means the one that the path says. */
static bool check_grant(struct str grant, struct str wanted, struct err *err)
{
	return !grant.p || str_eq(grant, wanted) ||
	       fail_code(err, ERR_INPUT, "unsupported_grant_type",
		       "grant_type must be %s here, or be left out", wanted.p);
}

/* ---- login ---- */

struct login {
	struct str username, password, grant_type;
};

static const struct field login_fields[] = {
	{.name = "username",
		.type = FIELD_TEXT,
		.is_required = true,
		.min = 1,
		.max = USER_NAME_BYTES - 1,
		.help = "who signs in, 1 to 64 bytes",
		.offset = offsetof(struct login, username)},
	{.name = "password",
		.type = FIELD_TEXT,
		.is_required = true,
		.is_secret = true,
		.min = 1,
		.max = PASSWORD_MAX_BYTES,
		.help = "1 to 256 bytes",
		.offset = offsetof(struct login, password)},
	{.name = "grant_type",
		.type = FIELD_TEXT,
		.min = 1,
		.max = 64,
		.help = "password, or left out",
		.offset = offsetof(struct login, grant_type)},
};

/* One answer for all who do not know both, and the same work: a hash. */
static bool check_password(
	struct app *app, const struct login *login, struct user *user, struct err *err)
{
	bool known = user_by_name(app->db, login->username, user, &app->client, err);
	if (!known && err->kind != ERR_MISSING)
		return false;
	bool right = password_matches(
		login->password, known ? user->password_hash : password_of_nobody());
	if (known && right)
		return true;
	record_refused(app, "login.refused", known ? user->name : NULL);
	return fail_code(
		err, ERR_AUTH, "login_refused", "this is not a username with its password");
}

bool handle_login(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct login login;
	struct throttle throttle;
	struct user user;
	struct session session;

	if (!req_fields_or_form(req, login_fields, ARRAY_LEN(login_fields), &login, err) ||
		!check_grant(login.grant_type, STR("password"), err) || !sign_in_ready(app, err) ||
		!sign_in_turn(app, req, login.username, &throttle, err) ||
		!check_password(app, &login, &user, err))
		return false;
	throttle_right(&throttle);
	req->client = app->client.id ? &app->client : NULL;
	if (!auth_admits(req->client, err) ||
		!session_open(app->db, &user, app->conf->api_session_seconds, &session, err))
		return false;
	log_info("auth.signed_in", "user=%" PRIu64 " client=%s session=%" PRIu64, user.id,
		sign_in_whose(app), session.id);
	return sign_in_answer(app, req, user.id, user.version, &session, reply, err);
}

/* ---- refresh ---- */

struct refresh {
	struct str refresh_token, grant_type;
};

static const struct field refresh_fields[] = {
	{.name = "refresh_token",
		.type = FIELD_TEXT,
		.is_required = true,
		.is_secret = true,
		.min = 1,
		.max = JWT_MAX_BYTES,
		.help = "the refresh_token of the last answer",
		.offset = offsetof(struct refresh, refresh_token)},
	{.name = "grant_type",
		.type = FIELD_TEXT,
		.min = 1,
		.max = 64,
		.help = "refresh_token, or left out",
		.offset = offsetof(struct refresh, grant_type)},
};

/* Whose session it is, counted and admitted as if he came with the access token. */
static bool admit(struct app *app, struct req *req, const struct jwt_claims *token,
	struct reply *reply, struct err *err)
{
	if (!client_by_session(app->db, token, &app->client, err))
		return false;
	req->client = app->client.id ? &app->client : NULL;
	return limit_take(app, req, reply, err) && auth_admits(req->client, err);
}

/* A refresh token that is signed, of a session that goes on, and yet not good, has been used before:
 * one of two holds a copy. Nobody knows which one, so neither goes on. Always false. */
static bool refused(struct app *app, const struct jwt_claims *token, struct err *err)
{
	uint64_t control_id;
	char user[24];
	bool was_open;
	if (err->kind != ERR_AUTH || !session_end(app->db, token->session_id, app->client.id,
					     &was_open, &control_id, err))
		return false;
	if (!was_open) /* it ended while we looked */
		return session_over(err);
	sign_in_over(app, control_id);
	(void)snprintf(user, sizeof(user), "#%" PRIu64, token->user_id);
	record_refused(app, "session.token_reused", user);
	log_warn("auth.token_reused", "user=%" PRIu64 " client=%s session=%" PRIu64 " do=%s",
		token->user_id, sign_in_whose(app), token->session_id,
		log_q("the session is over; if its owner did not do this, a token was stolen"));
	return fail_code(
		err, ERR_AUTH, "token_reused", "this refresh token was used before; sign in again");
}

bool handle_refresh(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct refresh refresh;
	struct jwt_claims token;
	struct session session;

	if (!req_fields_or_form(req, refresh_fields, ARRAY_LEN(refresh_fields), &refresh, err) ||
		!check_grant(refresh.grant_type, STR("refresh_token"), err) ||
		!sign_in_ready(app, err) ||
		!jwt_verify(
			&app->ring, JWT_REFRESH, refresh.refresh_token, req->now_us, &token, err) ||
		!admit(app, req, &token, reply, err))
		return false;
	if (!session_refresh(app->db, &token, &session, err))
		return refused(app, &token, err);
	return sign_in_answer(app, req, token.user_id, token.version, &session, reply, err);
}

/* ---- logout ---- */

bool handle_logout(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	uint64_t control_id;
	bool was_open;

	if (!session_end(
		    app->db, req->token->session_id, app->client.id, &was_open, &control_id, err))
		return false;
	sign_in_over(app, control_id);
	put_object(sb, NULL);
	put_text(sb, "message", STR("Signed out"));
	put_text(sb, "status", STR("success"));
	put_end(sb, '}');
	return true;
}
