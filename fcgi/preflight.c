/* A dry run: see preflight.h. */
#include "fcgi/preflight.h"

#include "common/clock.h"
#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/put_why.h"
#include "registry/dnc.h"
#include "registry/fine.h"
#include "registry/why.h"
#include "shm/hours.h"
#include "sql/db.h"

#include "common/base.h"

static const int64_t DAY_US = 24 * 3600 * US_PER_S;
static const int64_t CALL_US = 30 * US_PER_S; /* of a client of which no calls are known */

/* What the forecast is made of. */
struct outlook {
	bool is_known;	 /* there is a dispatcher that can tell */
	struct why why;	 /* of the client as a whole */
	uint64_t ahead;	 /* entries that wait already */
	int64_t call_us; /* a call takes, on average of the last week */
	int64_t channels,
		calls_per_second; /* of the batch itself; not above 0: it has no such limit */
	int64_t starts_us;	  /* the batch wants to begin; 0: at once */
};

static bool look_ahead(struct app *app, uint64_t client_id, struct outlook *out, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)client_id);
	bool ok = db_query_as(app->db, client_id, SQL_BATCH_OUTLOOK, &args, &rows, err);
	args_free(&args);
	if (ok) {
		int64_t calls = row_i64(&rows, 0, 1), ms = row_i64(&rows, 0, 2);
		out->ahead = (uint64_t)row_i64(&rows, 0, 0);
		out->call_us = calls > 0 ? MAX(ms * US_PER_MS / calls, US_PER_S) : CALL_US;
	}
	rows_free(&rows);
	return ok;
}

/* ---- when ---- */

/* Time from one start to the next when every channel is used as long and as often as it may be; 0: there are no starts. */
static double pace_us(const struct outlook *out)
{
	const struct shm_client *c = &out->why.explain.facts.client;
	struct view_allocation share;
	uint64_t channels = 0, rate = 0;

	for (uint32_t at = 0; view_next_allocation(&out->why.explain.view, &at, &share);) {
		channels += share.allocation.allowed_active_calls;
		rate += share.allocation.rate_limit;
	}
	channels = MIN(channels, (uint64_t)c->allocated_channels);
	rate = MIN(rate, (uint64_t)c->rate_limit);
	if (channels == 0 || rate == 0)
		return 0;
	double by_channels = (double)out->call_us / (double)channels;
	double by_hour = 3600.0 * (double)US_PER_S / (double)rate;
	double by_second = c->calls_per_second ? (double)US_PER_S / c->calls_per_second : 0;
	return MAX(MAX(by_channels, by_hour), by_second);
}

/* The same of the batch alone, where limits of its own are narrower. */
static double own_pace_us(const struct outlook *out, double pace)
{
	double by_channels = out->channels > 0 ? (double)out->call_us / (double)out->channels : 0;
	double by_second =
		out->calls_per_second > 0 ? (double)US_PER_S / (double)out->calls_per_second : 0;
	return MAX(pace, MAX(by_channels, by_second));
}

/* So much work after from_us, in the hours in which the client may call; where the numbers' own zones count, at any. 0: nobody
 * knows, or in more than a year. */
static int64_t after_work(const struct shm_client *client, int64_t from_us, double work_us)
{
	if (work_us > 366.0 * (double)DAY_US)
		return 0;
	int64_t work = (int64_t)work_us, end_us = from_us + 366 * DAY_US;
	struct shm_client c = *client;
	while (from_us < end_us) {
		hours_look(&c, from_us);
		bool is_open = c.window_open_us <= from_us;
		int64_t until_us = c.window_close_us;
		if (is_open && (until_us == INT64_MAX || work <= until_us - from_us))
			return from_us + work;
		if (is_open)
			work -= until_us - from_us;
		from_us = until_us;
	}
	return 0;
}

/* What only somebody can change lasts until then; what time changes without saying when is a matter of moments. */
static int64_t begins_us(const struct explained *verdict, int64_t now_us)
{
	if (!verdict->blocks)
		return now_us;
	if (verdict->next_us)
		return verdict->next_us;
	return str_eq(str_of(gate_texts[verdict->gate].who), STR("time")) ? now_us : 0;
}

static void put_forecast(
	struct strbuf *sb, const struct outlook *out, uint64_t entries, int64_t now_us)
{
	const struct shm_client *c = &out->why.explain.facts.client;
	double pace = out->is_known ? pace_us(out) : 0;
	int64_t begins = pace > 0 ? begins_us(&out->why.verdict, now_us) : 0;
	int64_t start = begins ? after_work(c, begins, pace * (double)out->ahead) : 0;
	if (start && start < out->starts_us)
		start = after_work(c, out->starts_us, 0);
	int64_t finish =
		start ? after_work(c, start,
				own_pace_us(out, pace) * (double)entries + (double)out->call_us)
		      : 0;

	put_u64(sb, "ahead", out->ahead);
	put_time_ms(sb, "expected_start_at", start);
	put_time_ms(sb, "expected_finish_at", finish);
}

/* ---- the answer ---- */

static void put_outlook(
	struct strbuf *sb, const struct outlook *out, uint64_t entries, int64_t now_us)
{
	char text[WHY_TEXT_BYTES];
	put_text(sb, "explanation", str_of(out->is_known ? why_text(&out->why, text) : NULL));
	put_explained(sb, "blocked_by", &out->why.verdict);
	put_forecast(sb, out, entries, now_us);
}

static void answer(const struct req *req, const struct batch *batch,
	const struct batch_receipt *receipt, const struct outlook *out, struct reply *reply)
{
	struct strbuf *sb = &reply->body;

	if (receipt->is_replay)
		reply_header(reply, "Idempotent-Replayed", "true");
	put_object(sb, NULL);
	put_text(sb, "message",
		receipt->is_replay ? STR("This batch is stored already")
				   : STR("Dry run: nothing was stored"));
	put_text(sb, "status", STR("success"));
	put_bool(sb, "dry_run", true);
	put_u64(sb, "batch_id", batch->head.batch_id);
	put_u64(sb, "inserted_count", receipt->inserted);
	if (receipt->queue_master_id)
		put_u64(sb, "queue_id", receipt->queue_master_id);
	else
		put_null(sb, "queue_id");
	if (!str_eq(receipt->rejected, STR("[]")))
		put_raw(sb, "rejected", receipt->rejected);
	if (receipt->suppressed)
		put_u64(sb, "suppressed_count", receipt->suppressed);
	put_outlook(sb, out, receipt->inserted - receipt->suppressed, req->now_us);
	put_end(sb, '}');
}

/* How many of the batch would not be dialled, because their numbers are on a list. */
static bool count_listed(
	struct app *app, const struct batch *batch, uint64_t *listed, struct err *err)
{
	const struct number **numbers = arena_alloc(app->arena, batch->n * sizeof(*numbers));

	if (!numbers)
		return fail(err, ERR_TOO_LARGE, "the batch needs too much memory");
	for (size_t i = 0; i < batch->n; i++)
		numbers[i] = &batch->rows[i].number;
	return dnc_count(
		app->db, batch->client->id, batch->head.queue_id, numbers, batch->n, listed, err);
}

/* As the insert finds it: not if it was canceled. */
static bool may_be_added_to(
	struct app *app, const struct req *req, const struct batch *batch, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	if (batch->head.queue_id == 0)
		return true;
	arg_i64(&args, (int64_t)req->client->id);
	arg_i64(&args, (int64_t)batch->head.queue_id);
	bool ok = db_query_as(app->db, req->client->id, SQL_WHY_BATCH, &args, &rows, err);
	args_free(&args);
	bool over = ok && (rows.n == 0 || !row_is_null(&rows, 0, 5));
	rows_free(&rows);
	return ok && (!over || batch_is_over(batch, err));
}

bool preflight(struct app *app, const struct req *req, const struct batch *batch,
	struct reply *reply, struct err *err)
{
	struct batch_receipt receipt = {.queue_master_id = batch->head.queue_id,
		.inserted = batch->n,
		.rejected = strbuf_view(&batch->rejected)};
	struct outlook out = {.channels = batch->head.settings.channels,
		.calls_per_second = batch->head.settings.calls_per_second};
	struct err unknown;
	struct str start_at = batch->head.settings.start_at;
	bool found;

	if (start_at.n && !instant_read(start_at, &out.starts_us))
		return fail(err, ERR_INTERNAL, "an unchecked start_at");

	if (!batch_find(app, batch, &receipt, &found, err) ||
		(!found && !may_be_added_to(app, req, batch, err)) ||
		(!found && !count_listed(app, batch, &receipt.suppressed, err)) ||
		!look_ahead(app, req->client->id, &out, err))
		return false;
	out.is_known = why_client(app->segment, req->client->id, req->now_us, &out.why, &unknown);
	answer(req, batch, &receipt, &out, reply);
	return true;
}

bool preflight_call(struct app *app, const struct req *req, const struct quick_call *call,
	struct reply *reply, struct err *err)
{
	const struct number *number = &call->row.number;
	struct outlook out = {.call_us = CALL_US};
	struct strbuf *sb = &reply->body;
	struct err unknown;
	uint64_t listed;

	if (!dnc_count(app->db, call->client_id, 0, &number, 1, &listed, err))
		return false;

	out.is_known = why_client(app->segment, req->client->id, req->now_us, &out.why, &unknown);
	put_object(sb, NULL);
	put_text(sb, "message", STR("Dry run: nothing was stored"));
	put_text(sb, "status", STR("success"));
	put_bool(sb, "dry_run", true);
	put_null(sb, "call_id");
	put_null(sb, "queue_id");
	put_text(sb, "state", str_of(listed ? "suppressed" : NULL));
	put_outlook(sb, &out, 1, req->now_us);
	put_end(sb, '}');
	return true;
}
