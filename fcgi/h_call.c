/* GET /calls/{call_id}: one call, where it stands; with ?wait=seconds answered when it is over. POST
 * /calls/{call_id}/hangup: no more of it. */
#include <stdlib.h>

#include "common/clock.h"
#include "fcgi/announce.h"
#include "fcgi/auth.h"
#include "fcgi/entry_row.h"
#include "fcgi/park.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/call_id.h"
#include "sql/db.h"

#include "common/base.h"

struct call {
	uint64_t entry_id, attempt;
	uint64_t wait_s;
};

static bool read_call(const struct req *req, struct call *call, struct err *err)
{
	*call = (struct call){.wait_s = 0};
	return (call_id_read(req_param(req, "call_id"), &call->entry_id, &call->attempt) ||
		       not_yours(err)) &&
	       req_query_u64(req, "wait", 0, PARK_WAIT_MAX_S, &call->wait_s, err);
}

/* Of its wait, by nginx's clock, which began with the request: rounds do not prolong it. */
static int64_t left_us(const struct req *req, const struct call *call)
{
	return (int64_t)call->wait_s * US_PER_S - req->age_us;
}

/* ---- sql pool ---- */

/* The first attempt is there before it is made: its name is what a quick call answers. */
static bool is_attempt(const struct rows *rows, const struct call *call)
{
	return call->attempt == 1 ||
	       (call->attempt > 1 && call->attempt <= entry_row_attempts(rows, 0));
}

static void put_call(struct app *app, const struct call *call, const struct rows *rows,
	const struct live *live, struct strbuf *sb)
{
	enum gate gate;

	live_gates(app, app->client.id, &call->entry_id, &gate, 1);
	put_object(sb, NULL);
	put_entry_row(app, sb, rows, 0, live, gate);
	put_end(sb, '}');
}

static bool answer(struct app *app, const struct req *req, const struct call *call,
	const struct rows *rows, const struct live *live, struct reply *reply, struct err *err)
{
	if (rows->n == 0 || !is_attempt(rows, call))
		return not_yours(err);
	if (!entry_row_is_told(rows, 0) && left_us(req, call) > 0 && req->rounds < PARK_ROUNDS)
		return reply_wait(reply);
	const struct live_call *now = live_find(live, call->entry_id);
	bool is_its = now && now->n == call->attempt;
	struct live its = {now, is_its, live->known};
	put_call(app, call, rows, &its, &reply->body);
	return true;
}

bool handle_call(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;
	struct call call;

	if (!read_call(req, &call, err) || !live_load(app, app->client.id, &live, err) ||
		!entry_rows_load(app, app->client.id, &call.entry_id, 1, call.attempt, &rows, err))
		return false;
	bool ok = answer(app, req, &call, &rows, &live, reply, err);
	rows_free(&rows);
	return ok;
}

/* ---- the end, by its client ---- */

static bool call_off(struct app *app, uint64_t entry_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_i64(&args, (int64_t)entry_id);
	bool ok = db_query_as(app->db, app->client.id, SQL_CALL_OFF, &args, &rows, err);
	args_free(&args);
	if (ok)
		announce_control(app, (uint64_t)row_i64(&rows, 0, 0));
	rows_free(&rows);
	return ok;
}

/* Answered before it is hung up, with the call as it is until then. */
static bool hang_up(struct app *app, const struct call *call, const struct rows *rows,
	const struct live *live, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;

	if (rows->n == 0 || !is_attempt(rows, call))
		return not_yours(err);
	bool is_over = entry_row_state(rows, 0, live) >= STATE_FIRST_FINAL;
	if (!is_over && !call_off(app, call->entry_id, err))
		return false;
	put_object(sb, NULL);
	put_text(sb, "message",
		is_over ? STR("The call is over") : STR("The call is being hung up"));
	put_text(sb, "status", STR("success"));
	put_bool(sb, "changed", !is_over);
	put_name(sb, STR("call"));
	put_call(app, call, rows, live, sb);
	put_end(sb, '}');
	return true;
}

bool handle_hang_up(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct live live;
	struct call call;

	if (!read_call(req, &call, err) || !live_load(app, app->client.id, &live, err) ||
		!entry_rows_load(app, app->client.id, &call.entry_id, 1, 0, &rows, err))
		return false;
	bool ok = hang_up(app, &call, &rows, &live, reply, err);
	rows_free(&rows);
	return ok;
}

/* ---- fast pool ---- */

/* Only the sql pool sends it here, so it has been looked at; whose it is, is asked again, because a
 * client has only so much room. */
bool call_park(struct app *app, struct req *req, struct reply *reply)
{
	struct call call;

	if (req->rounds == 0 || !read_call(req, &call, NULL))
		return reply_pass(reply, POOL_SQL);
	reply->waits = true;
	reply->parked = (struct parked){.entry_id = call.entry_id,
		.attempt = (uint32_t)call.attempt,
		.client_id = auth_check(app, req, NULL) == AUTH_OK ? app->client.id : 0,
		.until_mono_us = clock_mono_us() + park_round_us(req->rounds, left_us(req, &call))};
	return true;
}
