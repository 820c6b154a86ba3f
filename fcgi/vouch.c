/* The answer to nginx's auth_request: see vouch.h. */
#include <inttypes.h>

#include "common/ticket.h"
#include "fcgi/auth.h"
#include "fcgi/permit.h"
#include "fcgi/vouch.h"
#include "shm/scope.h"

#include "common/base.h"

bool vouch_is_asked(const struct req *req)
{
	return str_eq(req->path, STR("/ccs-auth"));
}

/* nginx puts it between quotes. What has a quote itself is nothing that a client needs to read. */
static bool is_plain(const char *text)
{
	return !strpbrk(text, "\"\\\r\n\t");
}

void vouch_explain(struct reply *reply, const struct err *err)
{
	reply_header(reply, "X-Ccs-Code", "%s", err->code ? err->code : err_kind_name(err->kind));
	if (err->kind != ERR_INTERNAL && err->kind != ERR_BUSY && is_plain(err->text))
		reply_header(reply, "X-Ccs-Detail", "%s", err->text);
}

/* For the relay, which looks it up itself. */
static void add_certificate(struct reply *reply, const struct digest *fingerprint)
{
	char hex[2 * DIGEST_BYTES + 1];
	hex_encode(fingerprint->b, DIGEST_BYTES, hex);
	reply_header(reply, "X-Ccs-Certificate", "%s", hex);
}

/* What opens a WebSocket: the relay looks at the rest of it, and whether it was used. */
static bool vouch_for_ticket(struct app *app, struct str text, int64_t now_us, struct err *err)
{
	struct ticket ticket;
	return ticket_read(&app->ring, app->conf->common_node, text, now_us, &ticket, err);
}

bool vouch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct str ticket = req_query(req, "ticket");
	if (ticket.n)
		return vouch_for_ticket(app, ticket, req->now_us, err);
	enum auth_verdict verdict = auth_check(app, req, err);
	char scopes[SCOPE_WORDS_BYTES];

	if (verdict == AUTH_ASK_SQL)
		return reply_pass(reply, POOL_SQL);
	if (verdict == AUTH_REFUSED || !permit_client(req, err))
		return false;
	if (req->certificate)
		add_certificate(reply, req->certificate);
	reply_header(reply, "X-Ccs-Client", "%" PRIu64, req->client->id);
	reply_header(reply, "X-Ccs-Accountcode", "%s", req->client->accountcode);
	reply_header(reply, "X-Ccs-Scopes", "%s%s", scopes_write(req->scopes, ',', scopes),
		req->token ? ",account" : "");
	return true;
}
