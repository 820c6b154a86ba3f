/* POST /auth/change-password: ends all sessions of the user, this one too, and begins a new one. */
#include <inttypes.h>

#include "common/log.h"
#include "fcgi/record.h"
#include "fcgi/router.h"
#include "fcgi/sign_in.h"

#include "common/base.h"

struct change {
	struct str current_password, new_password;
};

static const struct field fields[] = {
	{.name = "current_password",
		.type = FIELD_TEXT,
		.is_required = true,
		.is_secret = true,
		.min = 1,
		.max = PASSWORD_MAX_BYTES,
		.help = "1 to 256 bytes",
		.offset = offsetof(struct change, current_password)},
	{.name = "new_password",
		.type = FIELD_TEXT,
		.is_required = true,
		.is_secret = true,
		.min = PASSWORD_MIN_BYTES,
		.max = PASSWORD_MAX_BYTES,
		.help = "8 to 256 bytes",
		.offset = offsetof(struct change, new_password)},
};

/* Whoever has found a token must not be able to guess the password with it: the same limits. */
static bool check_current(struct app *app, const struct req *req, const struct change *change,
	struct user *user, struct err *err)
{
	struct throttle throttle;

	if (!user_by_id(app->db, req->token->user_id, user, &app->client, err) ||
		!sign_in_turn(app, req, str_of(user->name), &throttle, err))
		return false;
	if (!password_matches(change->current_password, user->password_hash)) {
		record_refused(app, "password.refused", user->name);
		return fail_code(
			err, ERR_INPUT, "wrong_password", "current_password is not your password");
	}
	throttle_right(&throttle);
	return true;
}

bool handle_change_password(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct change change;
	struct user user;
	struct session session;
	uint64_t control_id;
	char hash[PASSWORD_HASH_BYTES];

	if (!req_fields(req, fields, ARRAY_LEN(fields), &change, err) || !sign_in_ready(app, err) ||
		!check_current(app, req, &change, &user, err))
		return false;
	if (str_eq(change.current_password, change.new_password))
		return fail_code(err, ERR_INPUT, "invalid_field",
			"new_password is the current one; choose another");
	if (!password_hash(change.new_password, hash, err) ||
		!password_change(app->db, &user, app->client.id, hash,
			app->conf->api_session_seconds, &session, &control_id, err))
		return false;
	sign_in_over(app, control_id);
	log_info(
		"auth.password_changed", "user=%" PRIu64 " client=%s", user.id, sign_in_whose(app));
	return sign_in_answer(app, req, user.id, user.version, &session, reply, err);
}
