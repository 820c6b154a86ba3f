/* GET .../explain: why an entry, a batch or the caller's account is not called. */
#include "fcgi/auth.h"
#include "fcgi/live.h"
#include "fcgi/put.h"
#include "fcgi/put_why.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "registry/call_id.h"
#include "registry/why.h"

#include "common/base.h"

static void put_id(struct strbuf *sb, const char *key, uint64_t id)
{
	if (id)
		put_u64(sb, key, id);
	else
		put_null(sb, key);
}

static void put_entry(struct strbuf *sb, const struct why *why)
{
	char call_id[CALL_ID_BYTES];
	put_u64(sb, "id", why->entry_id);
	put_text(sb, "call_id",
		call_id_text(why->entry_id, MAX(why->attempts, UINT64_C(1)), call_id));
	put_id(sb, "queue_id", why->queue_id);
	put_id(sb, "batch_id", why->batch_id);
	put_text(sb, "phone_number", str_of(why->phone_number));
	put_text(sb, "status", str_of(why->status));
	put_u64(sb, "attempts", why->attempts);
	put_time_ms(sb, "ended_at", why->ended_us);
	put_text(sb, "reason", str_of(*why->reason ? why->reason : NULL));
}

bool handle_explain_entry(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct why why;
	bool found;

	if (!why_entry(app->db, app->segment, req->client->id, req_param_id(req, "entry_id"),
		    req->now_us, &why, &found, err))
		return false;
	if (!found)
		return not_yours(err);
	put_object(sb, NULL);
	put_entry(sb, &why);
	put_why(sb, &why, req->now_us);
	put_end(sb, '}');
	return true;
}

bool handle_explain_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct why why;
	uint64_t id;
	bool found;

	if (!own_queue(app, req, req_param_id(req, "queue_id"), true, &id, err) ||
		!why_batch(
			app->db, app->segment, req->client->id, id, req->now_us, &why, &found, err))
		return false;
	if (!found)
		return not_yours(err);
	put_object(sb, NULL);
	put_u64(sb, "queue_id", why.queue_id);
	put_u64(sb, "batch_id", why.batch_id);
	put_text(sb, "status", str_of(why.status));
	put_u64(sb, "total", why.total);
	put_u64(sb, "open", why.open);
	put_time_ms(sb, "finished_at", why.ended_us);
	put_why(sb, &why, req->now_us);
	put_end(sb, '}');
	return true;
}

bool handle_explain_client(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct why why;

	if (!live_needed(app, err) ||
		!why_client(app->segment, req->client->id, req->now_us, &why, err))
		return false;
	put_object(sb, NULL);
	put_text(sb, "accountcode", str_of(req->client->accountcode));
	put_text(sb, "status", str_of(why.status));
	put_u64(sb, "active", why.explain.facts.usage.channels);
	put_why(sb, &why, req->now_us);
	put_end(sb, '}');
	return true;
}
