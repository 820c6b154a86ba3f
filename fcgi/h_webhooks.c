/* /webhooks: what a client sees of its callbackurl, and what it may have done. The sending is the courier's. */
#include <stdio.h>

#include "common/log.h"
#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/webhook.h"

#include "common/base.h"

enum { SIZE_DEFAULT = 50, SIZE_MOST = 100 };

static struct webhook_of own(const struct app *app, char actor[64])
{
	(void)snprintf(actor, 64, "client:%s", app->client.accountcode);
	return (struct webhook_of){app->client.id, app->client.accountcode, actor};
}

bool handle_webhook(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[64];
	const struct webhook_of of = own(app, actor);
	(void)req;
	return webhook_show(app->db, &of, &reply->body, err);
}

static bool read_outcome(const struct req *req, struct str *outcome, struct err *err)
{
	*outcome = req_query(req, "outcome");
	return !outcome->p || str_eq(*outcome, STR("delivered")) ||
	       str_eq(*outcome, STR("retry")) || str_eq(*outcome, STR("dead")) ||
	       fail_code(
		       err, ERR_INPUT, "invalid_value", "outcome must be delivered, retry or dead");
}

bool handle_webhook_deliveries(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[64];
	const struct webhook_of of = own(app, actor);
	struct strbuf *sb = &reply->body;
	uint64_t before = 0, size = SIZE_DEFAULT, next;
	struct str outcome;

	if (!req_query_u64(req, "before", 1, UINT64_C(1) << 53, &before, err) ||
		!req_query_u64(req, "size", 1, SIZE_MOST, &size, err) ||
		!read_outcome(req, &outcome, err))
		return false;
	put_object(sb, NULL);
	put_array(sb, "items");
	if (!webhook_deliveries(app->db, &of, before, size, outcome, sb, &next, err))
		return false;
	put_end(sb, ']');
	if (next)
		put_u64(sb, "next_before", next);
	else
		put_null(sb, "next_before");
	put_end(sb, '}');
	return true;
}

bool handle_webhook_secret(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[64], secret[WEBHOOK_SECRET_CHARS + 1];
	const struct webhook_of of = own(app, actor);
	struct webhook_secret_input input;
	struct strbuf *sb = &reply->body;
	struct secret_key key;
	int64_t old_until_us;

	if (!req_fields(req, webhook_secret_fields, webhook_secret_fields_n, &input, err) ||
		!own_accountcode(req, input.accountcode, err) ||
		!secret_load_key(app->conf->common_secret_key_file, &key, err))
		return false;
	bool ok = webhook_secret_make(app->db, &key, &of, &input, secret, &old_until_us, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	log_info("webhook.secret", "client=%s request_id=%s", of.accountcode, req->request_id);
	reply->is_secret = true;
	put_object(sb, NULL);
	put_text(sb, "secret", str_of(secret));
	put_time(sb, "old_secret_valid_until", old_until_us);
	put_end(sb, '}');
	secret_wipe(secret, sizeof(secret));
	return true;
}

bool handle_webhook_test(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[64], id[64];
	const struct webhook_of of = own(app, actor);
	struct strbuf *sb = &reply->body;
	uint64_t number;

	(void)req;
	if (!webhook_test(app->db, &of, &number, err))
		return false;
	(void)snprintf(id, sizeof(id), "%llu-test-%llu", (unsigned long long)of.client_id,
		(unsigned long long)number);
	put_object(sb, NULL);
	put_text(sb, "message", STR("A test is on its way to your callbackurl"));
	put_text(sb, "status", STR("success"));
	put_text(sb, "event_id", str_of(id));
	put_end(sb, '}');
	return true;
}

bool handle_webhook_replay(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[64];
	const struct webhook_of of = own(app, actor);
	struct webhook_replay_input input;
	struct strbuf *sb = &reply->body;
	uint64_t queued;

	if (!req_fields(req, webhook_replay_fields, webhook_replay_fields_n, &input, err) ||
		!own_accountcode(req, input.accountcode, err) ||
		!webhook_replay(app->db, &of, &input, &queued, err))
		return false;
	put_object(sb, NULL);
	put_text(sb, "message", STR("Events are sent again"));
	put_text(sb, "status", STR("success"));
	put_u64(sb, "queued", queued);
	put_end(sb, '}');
	return true;
}
