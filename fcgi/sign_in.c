/* What the handlers of /auth share: see sign_in.h. */
#include <inttypes.h>

#include "common/clock.h"
#include "fcgi/announce.h"
#include "fcgi/network.h"
#include "fcgi/put.h"
#include "fcgi/sign_in.h"

#include "common/base.h"

bool sign_in_ready(struct app *app, struct err *err)
{
	jwt_ring_check(&app->ring);
	return jwt_ring_signer(&app->ring) ||
	       fail(err, ERR_INTERNAL,
		       "there is no key to sign tokens with: `ccsctl jwt-key init` makes one");
}

/* nginx says where a request comes from; nobody else can connect to our socket. */
bool sign_in_turn(struct app *app, const struct req *req, struct str user,
	struct throttle *throttle, struct err *err)
{
	const struct throttle_limits limits = {
		.user = (uint32_t)app->conf->api_login_user_per_minute,
		.network = (uint32_t)app->conf->api_login_network_per_minute,
		.total = (uint32_t)app->conf->api_login_total_per_minute,
	};
	char network[NETWORK_BYTES];
	uint32_t wait_s = 1;

	throttle_open(throttle, app->segment, &limits, user,
		network_of(req_header(req, "REMOTE_ADDR"), network));
	if (throttle_take(throttle, clock_mono_us(), &wait_s))
		return true;
	fail_code(err, ERR_LIMIT, "too_many_passwords",
		"too many passwords were tried; try again in %" PRIu32 " s", wait_s);
	err->retry_after_s = wait_s;
	return false;
}

bool sign_in_answer(struct app *app, const struct req *req, uint64_t user_id, uint64_t version,
	const struct session *session, struct reply *reply, struct err *err)
{
	char access_token[JWT_TEXT_BYTES], refresh_token[JWT_TEXT_BYTES];
	struct strbuf *sb = &reply->body;
	struct jwt_claims claims = {
		.user_id = user_id,
		.session_id = session->id,
		.version = version,
		.issued_s = req->now_us / US_PER_S,
		.expires_s = session->expires_us / US_PER_S,
	};
	/* Rounded down: what is promised holds. */
	int64_t session_s = (session->expires_us - req->now_us) / US_PER_S;
	int64_t access_s = MIN(app->conf->api_access_token_seconds, session_s);

	if (session_s < 1) /* a token must expire later than it was issued */
		return session_over(err);
	memcpy(claims.id, session->refresh_id, sizeof(claims.id));
	if (!jwt_issue(&app->ring, JWT_REFRESH, &claims, refresh_token, err))
		return false;
	token_random(claims.id, JWT_ID_CHARS);
	claims.expires_s = claims.issued_s + access_s;
	if (!jwt_issue(&app->ring, JWT_ACCESS, &claims, access_token, err))
		return false;
	put_object(sb, NULL);
	put_text(sb, "access_token", str_of(access_token));
	put_text(sb, "token_type", STR("bearer"));
	put_i64(sb, "expires_in", access_s);
	put_text(sb, "refresh_token", str_of(refresh_token));
	put_i64(sb, "refresh_expires_in", session_s);
	put_end(sb, '}');
	return true;
}

const char *sign_in_whose(const struct app *app)
{
	return app->client.id ? app->client.accountcode : "-";
}

void sign_in_over(struct app *app, uint64_t control_id)
{
	if (control_id == 0)
		return;
	app_client_changed(app, app->client.id);
	announce_control(app, control_id);
}
