/* POST /queues/insertdataincallqueue: a batch of numbers. */
#include "fcgi/gather.h"
#include "fcgi/idempotency.h"
#include "fcgi/preflight.h"
#include "fcgi/put.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"

#include "common/base.h"

void batch_answer(
	const struct batch *batch, const struct batch_receipt *receipt, struct reply *reply)
{
	struct strbuf *sb = &reply->body;

	if (receipt->is_replay)
		reply_header(reply, "Idempotent-Replayed", "true");
	put_object(sb, NULL);
	put_text(sb, "message", STR("Queue data inserted successfully"));
	put_text(sb, "status", STR("success"));
	put_u64(sb, "batch_id", batch->head.batch_id);
	put_u64(sb, "inserted_count", receipt->inserted);
	put_u64(sb, "queue_id", receipt->queue_master_id);
	if (!str_eq(receipt->rejected, STR("[]")))
		put_raw(sb, "rejected", receipt->rejected);
	if (receipt->suppressed)
		put_u64(sb, "suppressed_count", receipt->suppressed);
	put_end(sb, '}');
}

/* The queue that it is added to: by its own id, or by the batch_id of any batch in it. */
static bool find_queue(
	struct app *app, const struct req *req, struct batch_head *head, struct err *err)
{
	return head->queue_id == 0 ||
	       (settings_of_part(&head->settings, err) &&
		       own_queue(app, req, head->queue_id, true, &head->queue_id, err));
}

static bool read_batch(
	struct app *app, const struct req *req, struct batch *batch, bool *dry_run, struct err *err)
{
	bool strict = false;

	return req_query_bool(req, "strict", &strict, err) &&
	       req_query_bool(req, "dedupe", &batch->dedupe, err) &&
	       req_query_bool(req, "dry_run", dry_run, err) &&
	       batch_scan(req->body, (uint64_t)app->conf->api_max_batch_entries, req->arena,
		       batch_gather, batch, &batch->head, err) &&
	       find_queue(app, req, &batch->head, err) && batch_close(batch, strict, err);
}

/* One with an Idempotency-Key has a transaction of its own, and so has one that is added to a queue. */
static bool is_gathered(const struct app *app, const struct req *req, const struct batch *batch)
{
	return app->gather && !idempotency_asked(req) && batch->head.queue_id == 0;
}

bool handle_insert_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct batch batch;
	struct batch_receipt receipt;
	struct number_rules rules = rules_of(app, req->client);

	batch_begin(&batch, app->db, req->client, req->arena, &rules);
	bool dry_run = false, ok = read_batch(app, req, &batch, &dry_run, err);
	if (ok && dry_run) {
		ok = preflight(app, req, &batch, reply, err);
		batch_end(&batch);
		return ok;
	}
	if (ok && is_gathered(app, req, &batch))
		return gather_batch(app->gather, req, &batch, reply);
	ok = ok && batch_store(app, &batch, &receipt, err);
	if (ok)
		batch_answer(&batch, &receipt, reply);
	batch_end(&batch);
	return ok;
}
