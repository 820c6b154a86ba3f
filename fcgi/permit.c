/* Who may: see permit.h. */
#include "fcgi/permit.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/jwt.h"
#include "fcgi/auth.h"
#include "fcgi/router.h"

#include "common/base.h"

static bool is_servers(const struct req *req, struct err *err)
{
	if (req->server_id == 0)
		return false;
	(void)fail_code(err, ERR_FORBIDDEN, "scope_missing",
		"this API key is an Asterisk server's, good for GET /dialplan and nothing else");
	return true;
}

bool permit_client(const struct req *req, struct err *err)
{
	if (is_servers(req, err))
		return false;
	if (!req->client)
		return fail_code(err, ERR_FORBIDDEN, "account_needed",
			"this belongs to a client's account, and an administrator has none; use a "
			"key of "
			"the client's");
	return auth_admits(req->client, err);
}

static bool permit_user(const struct req *req, struct err *err)
{
	if (!req->token)
		return fail_code(err, ERR_FORBIDDEN, "token_needed",
			"this needs a token, not an API key; POST /auth/login makes one");
	return auth_admits(req->client, err);
}

static bool permit_administrator(const struct req *req, struct err *err)
{
	if (is_servers(req, err))
		return false;
	return !req->client ||
	       fail_code(err, ERR_FORBIDDEN, "administrator_needed",
		       "this is for administrators; whoever runs the server makes them by ccsctl");
}

static bool permit_server(const struct req *req, struct err *err)
{
	return req->server_id ||
	       fail_code(err, ERR_FORBIDDEN, "server_key_needed",
		       "this needs the key of the Asterisk server where the call is live; an "
		       "administrator makes it");
}

static bool has_scope(const struct req *req, struct err *err)
{
	uint32_t wanted = req->route->scope;
	return (req->scopes & wanted) == wanted ||
	       fail_code(err, ERR_FORBIDDEN, "scope_missing",
		       "this needs the scope %s, which this API key does not have; a key that has "
		       "it is made by %s",
		       scope_word(wanted),
		       req->client ? "whoever has a key with the scope admin, or an administrator"
				   : "another administrator, or by ccsctl");
}

bool permit(const struct req *req, struct err *err)
{
	static bool (*const rules[])(const struct req *req, struct err *err) = {
		[WHO_CLIENT] = permit_client,
		[WHO_USER] = permit_user,
		[WHO_ADMIN] = permit_administrator,
		[WHO_SERVER] = permit_server,
	};
	return rules[req->route->who](req, err) && has_scope(req, err);
}

const char *actor_of(const struct req *req, char out[ACTOR_BYTES])
{
	(void)snprintf(out, ACTOR_BYTES, "%s:%" PRIu64, req->token ? "user" : "key",
		req->token ? req->token->user_id : req->key_id);
	return out;
}
