/* POST /clients/regenerate-api-key and /clients/revoke-api-key: a client's own keys. By a key they
 * concern that key; by a token, all of the client's. */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "common/secret.h"
#include "fcgi/announce.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/key.h"

#include "common/base.h"

enum { ACCOUNT_ACTOR_BYTES = 64 };

/* Committed: from now on no worker and no relay believes the old key. */
static void changed_keys(struct app *app, const struct req *req, const struct key_changed *changed)
{
	if (changed->control_id == 0)
		return;
	app_client_changed(app, app->client.id);
	announce_control(app, changed->control_id);
	log_info(changed->key[0] ? "key.replaced" : "key.revoked",
		"client=%s key=%" PRIu64 " request_id=%s", app->client.accountcode, req->key_id,
		req->request_id);
}

static struct key_change change_of(
	const struct app *app, const struct req *req, char actor[ACCOUNT_ACTOR_BYTES])
{
	(void)snprintf(actor, ACCOUNT_ACTOR_BYTES, "client:%s", app->client.accountcode);
	return (struct key_change){.client_id = app->client.id,
		.accountcode = app->client.accountcode,
		.actor = actor,
		.is_test = app->client.is_test,
		.by_key = req->key_id,
		.old_key_seconds = app->conf->api_old_key_seconds};
}

/* ---- regenerate ---- */

struct regenerate {
	int64_t revoke_tokens;
};

static const struct field regenerate_fields[] = {
	{.name = "revoke_tokens",
		.type = FIELD_BOOL,
		.help = "true ends the sessions of all your users, too",
		.offset = offsetof(struct regenerate, revoke_tokens)},
};

bool handle_regenerate_api_key(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[ACCOUNT_ACTOR_BYTES];
	struct key_change change = change_of(app, req, actor);
	struct strbuf *sb = &reply->body;
	struct regenerate wanted;
	struct key_changed made;

	if (!req_fields(req, regenerate_fields, ARRAY_LEN(regenerate_fields), &wanted, err))
		return false;
	change.ends_sessions = wanted.revoke_tokens == 1;
	if (!key_replace(app->db, &change, &made, err))
		return false;
	changed_keys(app, req, &made);
	reply->is_secret = true;
	put_object(sb, NULL);
	put_u64(sb, "id", app->client.id);
	put_text(sb, "api_key", str_of(made.key));
	put_time(sb, "expires_at", made.expires_us);
	put_time(sb, "old_key_valid_until", made.old_until_us);
	put_end(sb, '}');
	secret_wipe(&made, sizeof(made));
	return true;
}

/* ---- revoke ---- */

bool handle_revoke_api_key(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[ACCOUNT_ACTOR_BYTES];
	struct key_change change = change_of(app, req, actor);
	struct strbuf *sb = &reply->body;
	struct key_changed changed;

	if (!key_revoke(app->db, &change, &changed, err))
		return false;
	changed_keys(app, req, &changed);
	put_object(sb, NULL);
	put_u64(sb, "id", app->client.id);
	put_text(sb, "message", STR("API key revoked"));
	put_text(sb, "status", STR("success"));
	put_end(sb, '}');
	return true;
}
