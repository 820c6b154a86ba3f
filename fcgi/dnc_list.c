/* Whose do-not-call list: see dnc_list.h. */
#include "fcgi/dnc_list.h"

#include <stdio.h>

#include "fcgi/batch.h"
#include "fcgi/permit.h"
#include "fcgi/queue_row.h"

#include "common/base.h"

bool dnc_of_client(struct app *app, const struct req *req, struct dnc_whose *whose, struct err *err)
{
	(void)err;
	*whose = (struct dnc_whose){
		.list = {.client_id = req->client->id, .accountcode = req->client->accountcode},
		.rules = rules_of(app, req->client)};
	(void)snprintf(whose->actor, sizeof(whose->actor), "client:%s", req->client->accountcode);
	return true;
}

bool dnc_of_batch(struct app *app, const struct req *req, struct dnc_whose *whose, struct err *err)
{
	return dnc_of_client(app, req, whose, err) &&
	       own_queue(app, req, req_param_id(req, "batch_id"), true, &whose->list.queue_id, err);
}

bool dnc_of_all(struct app *app, const struct req *req, struct dnc_whose *whose, struct err *err)
{
	char actor[ACTOR_BYTES];

	(void)app;
	(void)err;
	*whose = (struct dnc_whose){.list = {.accountcode = "-"}, .rules = dnc_rules_of_all()};
	(void)snprintf(whose->actor, sizeof(whose->actor), "%s", actor_of(req, actor));
	return true;
}
