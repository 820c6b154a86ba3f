/* POST /auth/ws-ticket: what opens one WebSocket, once, in the place of the credential that asks for it. */
#include "common/clock.h"
#include "common/ticket.h"
#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/router.h"

#include "common/base.h"

static bool name_credential(const struct req *req, struct ticket *ticket, struct err *err)
{
	struct str credential;

	if (req->token) {
		ticket->by_token = 1;
		ticket->token = *req->token;
		return true;
	}
	if (req->certificate) {
		ticket->key = *req->certificate;
		return true;
	}
	if (!auth_credential(req, &credential, err))
		return false;
	ticket->key = digest_of(credential);
	return true;
}

bool handle_ws_ticket(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct ticket ticket = {.issued_us = req->now_us, .client_id = req->client->id};
	char text[TICKET_CHARS + 1];

	jwt_ring_check(&app->ring);
	if (!name_credential(req, &ticket, err) ||
		!ticket_issue(&app->ring, app->conf->common_node, &ticket, text, err))
		return false;
	reply->is_secret = true;
	put_object(&reply->body, NULL);
	put_text(&reply->body, "ticket", str_of(text));
	put_i64(&reply->body, "expires_in", TICKET_SECONDS);
	put_time(&reply->body, "expires_at", req->now_us + TICKET_SECONDS * US_PER_S);
	put_end(&reply->body, '}');
	return true;
}
