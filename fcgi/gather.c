/* Quick calls answered together: see gather.h. */
#include <stdlib.h>

#include "common/log.h"
#include "fcgi/gather.h"
#include "sql/db.h"

#include "common/base.h"

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
	for (size_t i = 0; i < ARRAY_LEN(gather->all); i++)
		reply_free(&gather->all[i].reply);
	free(gather);
}

bool gather_add(struct gather *gather, const struct req *req, const struct quick_call *call,
	struct reply *reply)
{
	struct gathered *one = &gather->all[gather->n++];
	struct reply spare = one->reply;

	one->req = *req;
	one->client = *req->client;
	one->req.client = &one->client;
	one->call = *call;
	one->reply = *reply;
	*reply = spare;
	reply_reset(reply);
	reply->waits = true;
	return true;
}

void gather_note(struct gather *gather, FCGX_Request *fcgx, void *conn)
{
	struct gathered *last = &gather->all[gather->n - 1];
	last->fcgx = fcgx;
	last->conn = conn;
}

static void answer(struct gathered *one, bool ok, const struct err *err)
{
	if (ok)
		quick_call_answer(&one->call, &one->reply);
	else
		reply_error(&one->reply, &one->req, err);
}

void gather_store(struct app *app, struct gather *gather)
{
	struct quick_call *calls[QUICK_CALLS_MAX];
	struct err err;

	for (size_t i = 0; i < gather->n; i++)
		calls[i] = &gather->all[i].call;
	bool ok = quick_calls_store(app, calls, gather->n, &err);
	bool alone = !ok && gather->n > 1 && err.kind != ERR_BUSY;
	for (size_t i = 0; i < gather->n; i++) {
		if (alone)
			ok = quick_calls_store(app, &calls[i], 1, &err);
		answer(&gather->all[i], ok, &err);
	}
}
