/* POST /queues/insertdataincallqueue: a batch of numbers. */
#include "fcgi/batch.h"
#include "fcgi/put.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"

#include "common/base.h"

static void put_receipt(
	struct strbuf *sb, const struct batch *batch, const struct batch_receipt *receipt)
{
	put_object(sb, NULL);
	put_text(sb, "message", STR("Queue data inserted successfully"));
	put_text(sb, "status", STR("success"));
	put_u64(sb, "batch_id", batch->head.batch_id);
	put_u64(sb, "inserted_count", receipt->inserted);
	put_u64(sb, "queue_id", receipt->queue_master_id);
	if (!str_eq(receipt->rejected, STR("[]")))
		put_raw(sb, "rejected", receipt->rejected);
	put_end(sb, '}');
}

/* The queue that it is added to: by its own id, or by the batch_id of any batch in it. */
static bool find_queue(
	struct app *app, const struct req *req, struct batch_head *head, struct err *err)
{
	return head->queue_id == 0 ||
	       own_queue(app, req, head->queue_id, true, &head->queue_id, err);
}

static bool insert(
	struct app *app, struct req *req, struct batch *batch, struct reply *reply, struct err *err)
{
	struct batch_receipt receipt;
	bool strict = false;

	if (!req_query_bool(req, "strict", &strict, err) ||
		!req_query_bool(req, "dedupe", &batch->dedupe, err) ||
		!batch_scan(req->body, (uint64_t)app->conf->api_max_batch_entries, req->arena,
			batch_gather, batch, &batch->head, err) ||
		!find_queue(app, req, &batch->head, err) || !batch_close(batch, strict, err) ||
		!batch_store(app, batch, &receipt, err))
		return false;
	if (receipt.is_replay)
		reply_header(reply, "Idempotent-Replayed", "true");
	put_receipt(&reply->body, batch, &receipt);
	return true;
}

bool handle_insert_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct batch batch;
	struct number_rules rules = rules_of(app, req->client);
	batch_begin(&batch, req->arena, &rules);
	bool ok = insert(app, req, &batch, reply, err);
	batch_end(&batch);
	return ok;
}
