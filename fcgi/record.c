/* The API's part of the audit: see record.h. */
#include "fcgi/record.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "common/strbuf.h"
#include "fcgi/put.h"
#include "registry/change.h"

#include "common/base.h"

/* No row of any client is looked at. */
enum { NOBODY = 0 };

static bool record(struct app *app, const char *actor, const char *action, const char *subject,
	const struct strbuf *detail, struct err *err)
{
	if (db_begin_as(app->db, NOBODY, err) &&
		change_record(app->db, actor, action, subject, detail->p, err) &&
		db_commit(app->db, err))
		return true;
	db_rollback(app->db);
	return false;
}

const char *record_by(const struct req *req, char out[RECORD_BY_BYTES])
{
	if (req->token)
		(void)snprintf(out, RECORD_BY_BYTES, "user %" PRIu64, req->token->user_id);
	else if (req->certificate)
		(void)snprintf(out, RECORD_BY_BYTES, "certificate");
	else
		(void)snprintf(out, RECORD_BY_BYTES, "key %" PRIu64, req->key_id);
	return out;
}

static void put_query(struct strbuf *sb, const struct req_query *query)
{
	char number[64];

	if (str_eq(query->name, STR("x-api-key")))
		return;
	put_name(sb, query->name);
	if (str_eq(query->name, STR("phone_number")))
		put_text(sb, NULL,
			str_copy(number, sizeof(number), query->value) ? str_of(log_number(number))
								       : STR("*"));
	else
		put_text(sb, NULL, query->value);
}

bool record_export(struct app *app, const struct req *req, const char *action, struct err *err)
{
	struct strbuf detail = STRBUF_INIT;
	char actor[64], by[RECORD_BY_BYTES];

	(void)snprintf(actor, sizeof(actor), "client:%s", app->client.accountcode);
	put_object(&detail, NULL);
	put_text(&detail, "by", str_of(record_by(req, by)));
	put_object(&detail, "query");
	for (size_t i = 0; i < req->query_n; i++)
		put_query(&detail, &req->query[i]);
	put_end(&detail, '}');
	put_end(&detail, '}');
	bool ok = record(app, actor, action, app->client.accountcode, &detail, err);
	strbuf_free(&detail);
	return ok;
}

void record_refused(struct app *app, const char *action, const char *user)
{
	struct strbuf detail = STRBUF_INIT;
	struct err err;
	char actor[96];

	(void)snprintf(actor, sizeof(actor), "user:%s", user ? user : "");
	strbuf_puts(&detail, "{}");
	if (!record(app, user ? actor : "nobody", action, user ? app->client.accountcode : "",
		    &detail, &err))
		log_warn("audit.not_recorded", "action=%s why=%s", action, log_q(err.text));
	strbuf_free(&detail);
}
