/* Requests answered together: see gather.h. */
#include <stdlib.h>

#include "common/log.h"
#include "fcgi/gather.h"
#include "sql/db.h"

#include "common/base.h"

_Static_assert((int)GATHER_MAX <= (int)QUICK_CALLS_MAX, "all may be quick calls");
_Static_assert((int)GATHER_MAX <= (int)BATCHES_MAX, "all may be batches");

struct gather *gather_new(void)
{
	struct gather *gather = calloc(1, sizeof(*gather));
	if (!gather)
		die("memory.exhausted", "bytes=%zu", sizeof(*gather));
	for (size_t i = 0; i < ARRAY_LEN(gather->all); i++)
		gather->all[i].reply = REPLY_INIT;
	return gather;
}

void gather_free(struct gather *gather)
{
	if (!gather)
		return;
	gather_clear(gather);
	for (size_t i = 0; i < ARRAY_LEN(gather->all); i++)
		reply_free(&gather->all[i].reply);
	free(gather);
}

/* ---- what comes in ---- */

static struct gathered *add(
	struct gather *gather, enum gathered_kind kind, const struct req *req, struct reply *reply)
{
	struct gathered *one = &gather->all[gather->n++];
	struct reply spare = one->reply;

	one->kind = kind;
	one->req = *req;
	one->client = *req->client;
	one->req.client = &one->client;
	one->reply = *reply;
	*reply = spare;
	reply_reset(reply);
	reply->waits = true;
	return one;
}

bool gather_call(struct gather *gather, const struct req *req, const struct quick_call *call,
	struct reply *reply)
{
	add(gather, GATHERED_CALL, req, reply)->call = *call;
	return true;
}

bool gather_batch(struct gather *gather, const struct req *req, const struct batch *batch,
	struct reply *reply)
{
	struct gathered *one = add(gather, GATHERED_BATCH, req, reply);

	one->batch = *batch;
	one->batch.client = &one->client;
	gather->entries += batch->n;
	return true;
}

void gather_note(struct gather *gather, FCGX_Request *fcgx, void *conn)
{
	struct gathered *last = &gather->all[gather->n - 1];
	last->fcgx = fcgx;
	last->conn = conn;
}

void gather_clear(struct gather *gather)
{
	for (size_t i = 0; i < gather->n; i++)
		if (gather->all[i].kind == GATHERED_BATCH)
			batch_end(&gather->all[i].batch);
	gather->n = 0;
	gather->entries = 0;
}

/* ---- those of one kind ---- */

struct some {
	struct gathered *all[GATHER_MAX];
	size_t n;
};

static struct some some_of(struct gather *gather, enum gathered_kind kind)
{
	struct some some = {.n = 0};
	for (size_t i = 0; i < gather->n; i++)
		if (gather->all[i].kind == kind)
			some.all[some.n++] = &gather->all[i];
	return some;
}

/* Whether it is worth trying them one by one. Who cannot be served now cannot be served alone, either. */
static bool alone(bool ok, const struct some *some, const struct err *err)
{
	return !ok && some->n > 1 && err->kind != ERR_BUSY;
}

static void answer_call(struct gathered *one, bool ok, const struct err *err)
{
	if (ok)
		quick_call_answer(&one->call, &one->reply);
	else
		reply_error(&one->reply, &one->req, err);
}

static void store_calls(struct app *app, const struct some *some)
{
	struct quick_call *calls[GATHER_MAX];
	struct err err;

	for (size_t i = 0; i < some->n; i++)
		calls[i] = &some->all[i]->call;
	bool ok = quick_calls_store(app, calls, some->n, &err);
	bool each = alone(ok, some, &err);
	for (size_t i = 0; i < some->n; i++) {
		if (each)
			ok = quick_calls_store(app, &calls[i], 1, &err);
		answer_call(some->all[i], ok, &err);
	}
}

/* ---- batches ---- */

static int by_client_and_batch_id(const void *left, const void *right)
{
	const struct batch *a = &(*(struct gathered *const *)left)->batch,
			   *b = &(*(struct gathered *const *)right)->batch;
	int client = (a->client->id > b->client->id) - (a->client->id < b->client->id);
	return client ? client
		      : (a->head.batch_id > b->head.batch_id) -
				(a->head.batch_id < b->head.batch_id);
}

static void answer_batch(
	struct gathered *one, const struct batch_receipt *receipt, const struct err *err)
{
	if (receipt)
		batch_answer(&one->batch, receipt, &one->reply);
	else
		reply_error(&one->reply, &one->req, err);
}

static void store_alone(struct app *app, struct gathered *one)
{
	struct batch_receipt receipt;
	struct err err;
	bool ok = batch_store(app, &one->batch, &receipt, &err);
	answer_batch(one, ok ? &receipt : NULL, &err);
}

static void store_together(struct app *app, const struct some *some)
{
	const struct batch *batches[GATHER_MAX];
	struct batch_receipt receipts[GATHER_MAX];
	struct err err;

	for (size_t i = 0; i < some->n; i++)
		batches[i] = &some->all[i]->batch;
	bool ok = batches_store(app, batches, some->n, receipts, &err);
	bool each = alone(ok, some, &err);
	for (size_t i = 0; i < some->n; i++)
		if (each || (ok && !receipts[i].queue_master_id))
			store_alone(app, some->all[i]);
		else
			answer_batch(some->all[i], ok ? &receipts[i] : NULL, &err);
}

/* A batch that has come twice is stored once; its second coming then finds the first. */
static void store_batches(struct app *app, struct some *some)
{
	struct some together = {.n = 0}, again = {.n = 0};

	qsort(some->all, some->n, sizeof(some->all[0]), by_client_and_batch_id);
	for (size_t i = 0; i < some->n; i++) {
		bool came = i > 0 && by_client_and_batch_id(&some->all[i - 1], &some->all[i]) == 0;
		struct some *to = came ? &again : &together;
		to->all[to->n++] = some->all[i];
	}
	store_together(app, &together);
	for (size_t i = 0; i < again.n; i++)
		store_alone(app, again.all[i]);
}

void gather_store(struct app *app, struct gather *gather)
{
	struct some calls = some_of(gather, GATHERED_CALL),
		    batches = some_of(gather, GATHERED_BATCH);

	if (calls.n)
		store_calls(app, &calls);
	if (batches.n)
		store_batches(app, &batches);
}
