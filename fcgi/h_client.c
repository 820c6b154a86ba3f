/* GET /clients/me: the caller's own account, with the document's members and no secret. */
#include "fcgi/put.h"
#include "fcgi/router.h"

#include "common/base.h"

static struct str status_name(uint32_t status)
{
	static const char *const names[CLIENT_STATUS__N] = {
		[CLIENT_ACTIVE] = "active",
		[CLIENT_PAUSED] = "paused",
		[CLIENT_SUSPENDED] = "suspended",
	};
	return str_of(names[MIN(status, (uint32_t)CLIENT_SUSPENDED)]);
}

bool handle_client_me(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct shm_client *client = req->client;
	struct strbuf *sb = &reply->body;
	(void)app;
	(void)err;

	put_object(sb, NULL);
	put_u64(sb, "id", client->id);
	put_text(sb, "name", str_of(client->name));
	put_text(sb, "accountcode", str_of(client->accountcode));
	put_text(sb, "did", str_of(client->did));
	put_text(sb, "phone_number", str_of(client->phone_number));
	put_u64(sb, "allocated_channels", client->allocated_channels);
	put_u64(sb, "rate_limit", client->rate_limit);
	put_text(sb, "callbackurl", str_of(client->callbackurl[0] ? client->callbackurl : NULL));
	put_bool(sb, "is_active", client->is_active);
	put_text(sb, "status", status_name(client->status));
	put_time(sb, "created_at", client->created_us);
	put_time(sb, "updated_at", client->updated_us);
	put_end(sb, '}');
	return true;
}
