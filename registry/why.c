/* Why something is not called: see why.h. */
#include "registry/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "shm/callee_zone.h"
#include "shm/calls.h"

#include "common/base.h"

/* ---- the segment's side ---- */

static const char *const live_states[CALL_STATE__N] = {
	[CALL_SENT] = "dialing",
	[CALL_DIALING] = "dialing",
	[CALL_RINGING] = "ringing",
	[CALL_UP] = "answered",
	[CALL_ENDED] = "answered",
};

static const char *state_of(const struct shm_call_view *call)
{
	bool never_up = call->state == CALL_ENDED && !call->call.answered_us;
	return never_up ? "dialing" : live_states[call->state];
}

/* From when it is written until its detail is stored; NULL: it waits, perhaps as the next one of its server (which has a
 * slot, and may lack a channel). */
static const char *live_state(const struct segment *seg, uint64_t client_id, uint64_t entry_id)
{
	struct view view = view_of(seg, client_id);
	struct shm_call_view call;
	for (uint32_t at = 0; view_next_call(&view, &at, &call);)
		if (call.entry_id == entry_id && call.n > 0 && call.state >= CALL_SENT &&
			call.state < CALL_STATE__N)
			return state_of(&call);
	return NULL;
}

static bool away(struct err *err)
{
	(void)fail(err, ERR_BUSY,
		"what is in the way cannot be told at the moment: the dispatcher is starting or "
		"away");
	err->retry_after_s = 2;
	return false;
}

static bool not_known_yet(struct err *err)
{
	(void)fail(err, ERR_BUSY, "the dispatcher does not know the account yet");
	err->retry_after_s = 1;
	return false;
}

static bool ask_gates(const struct segment *seg, int64_t now_us, const struct explain_entry *entry,
	struct why *why, struct err *err)
{
	struct view view = view_of(seg, why->client_id);
	if (!segment_fresh(seg, clock_mono_us()))
		return away(err);
	if (!explain_begin(&why->explain, &view, now_us, entry))
		return not_known_yet(err);
	(void)explain_verdict(&why->explain, &why->verdict);
	return true;
}

/* Cut at the end of out. */
static void keep(char *out, size_t size, struct str text)
{
	size_t n = MIN(text.n, size - 1);
	if (n)
		memcpy(out, text.p, n);
	out[n] = '\0';
}

static void say_status(struct why *why, struct str status)
{
	keep(why->status, sizeof(why->status), status);
}

bool why_client(const struct segment *seg, uint64_t client_id, int64_t now_us, struct why *why,
	struct err *err)
{
	*why = (struct why){.client_id = client_id};
	if (!ask_gates(seg, now_us, NULL, why, err))
		return false;
	const struct shm_client *c = &why->explain.facts.client;
	static const char *const statuses[CLIENT_STATUS__N] = {"active", "paused", "suspended"};
	say_status(why, str_of(!c->is_active		       ? "inactive"
				: c->status < CLIENT_STATUS__N ? statuses[c->status]
							       : "suspended"));
	return true;
}

/* ---- PostgreSQL's side ---- */

static int64_t time_or_0(const struct rows *rows, int column)
{
	int64_t at_us = row_time(rows, 0, column);
	return at_us == INT64_MIN ? 0 : at_us;
}

static bool load(struct db *db, enum sql_query query, uint64_t client_id, uint64_t id,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_i64(&args, (int64_t)client_id);
	arg_i64(&args, (int64_t)id);
	bool ok = db_query_as(db, client_id, query, &args, rows, err);
	args_free(&args);
	return ok;
}

/* ---- a batch's own limits ---- */

enum { STARTS_MAX = 1024 };

static int by_time(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return (a > b) - (a < b);
}

/* What is used of them, by the calls that the segment shows: those that ended within the last second are not among its starts. */
static void read_limits(const struct rows *rows, int channels, const struct segment *seg,
	int64_t now_us, struct why *why)
{
	uint32_t per_second = (uint32_t)row_i64(rows, 0, channels + 1);
	struct gate_batch *batch = &why->entry.gate.batch;
	struct view view = view_of(seg, why->client_id);
	struct shm_call_view call;
	int64_t starts_us[STARTS_MAX];
	size_t n = 0;

	*batch = (struct gate_batch){.channels_limit = (uint32_t)row_i64(rows, 0, channels),
		.pace = rate_per_second(per_second)};
	why->entry.batch_cps = per_second;
	if ((!batch->channels_limit && !per_second) || !segment_fresh(seg, clock_mono_us()))
		return;
	for (uint32_t at = 0; view_next_call(&view, &at, &call);) {
		if (call.call.queue_master_id != why->queue_id || call.n == 0)
			continue;
		batch->channels_used += call_holds_grant(call.state, call.call.seen);
		if (call.call.armed_us > now_us - US_PER_S && n < STARTS_MAX)
			starts_us[n++] = call.call.armed_us;
	}
	qsort(starts_us, n, sizeof(*starts_us), by_time);
	batch->pace_us = rate_rebuild(&batch->pace, starts_us, n);
}

/* ---- an entry ---- */

enum { /* columns of why_entry */
	E_CLIENT,
	E_QUEUE,
	E_BATCH,
	E_PHONE_NUMBER,
	E_NUMBER,
	E_E164,
	E_TYPE,
	E_REGION,
	E_CREATED_AT,
	E_DISPATCHED,
	E_PAUSED_AT,
	E_CANCELED_AT,
	E_ATTEMPTS,
	E_DISPOSITION,
	E_REASON,
	E_ENDED_AT,
	E_CAP,
	E_USED,
	E_DAY_ENDS_AT,
	E_DID_DENIED,
	E_LIST,
	E_HOLIDAYS,
	E_CHANNELS,
	E_CALLS_PER_SECOND,
	E_STARTS_AT,
	E_EXPIRES_AT,
	E_DUE_AT,
	E_CONTEXT_MISSING
};

/* When the number's own hours begin, as gate_entry has it. */
static int64_t hours_begin_us(
	const struct shm_client *client, struct str number, struct str holidays, int64_t now_us)
{
	char e164[24];
	const struct zone *const *zones = NULL;
	struct calling_rule rule = client->calling;
	struct calling_holidays theirs;

	if (!rule.in_callee_zone)
		return 0;
	if (!str_copy(e164, sizeof(e164), number) ||
		!calling_holidays_read(&theirs, holidays, now_us))
		return INT64_MAX;
	calling_holidays_add(&rule.holidays, &theirs);
	uint32_t n = callee_zones(callee_zones_of(e164), &zones);
	struct calling_time time = calling_time_in_all(&rule, zones, n, now_us);
	return time.is_open ? 0 : time.until_us;
}

/* What the dispatcher would ask about this entry, from the same facts. */
static void read_entry_gates(
	const struct rows *rows, const struct segment *seg, int64_t now_us, struct why *why)
{
	struct explain_entry *e = &why->entry;
	struct view view = view_of(seg, why->client_id);
	struct shm_plan plan = {.type = (uint8_t)row_i64(rows, 0, E_TYPE),
		.region = region_code(row_text(rows, 0, E_REGION))};
	struct client_facts client;
	bool known = segment_fresh(seg, clock_mono_us()) && view_client(&view, &client);

	*e = (struct explain_entry){
		.is_number = true,
		.created_us = time_or_0(rows, E_CREATED_AT),
		.paused_us = time_or_0(rows, E_PAUSED_AT),
		.canceled_us = time_or_0(rows, E_CANCELED_AT),
	};
	(void)region_text(plan.region, e->region);
	keep(e->list, sizeof(e->list), row_text(rows, 0, E_LIST));
	e->gate = (struct gate_entry){
		.dispatched = row_bool(rows, 0, E_DISPATCHED),
		.paused = e->paused_us != 0,
		.canceled = e->canceled_us != 0,
		.number_denied = known && policy_judge(&client.client.policy, plan) != POLICY_FINE,
		.dnc = !row_is_null(rows, 0, E_LIST),
		.did_denied = row_bool(rows, 0, E_DID_DENIED),
		.number_live =
			known && view_number_is_live(&view, why->entry_id,
					 row_text(rows, 0, E_NUMBER), row_text(rows, 0, E_E164)),
		.starts_us = time_or_0(rows, E_STARTS_AT),
		.expires_us = time_or_0(rows, E_EXPIRES_AT),
		.hours_begin_us = known ? hours_begin_us(&client.client, row_text(rows, 0, E_E164),
						  row_text(rows, 0, E_HOLIDAYS), now_us)
					: 0,
		.day = {.is_capped = plan.region && !row_is_null(rows, 0, E_CAP),
			.cap = (uint32_t)row_i64(rows, 0, E_CAP),
			.used = (uint32_t)row_i64(rows, 0, E_USED),
			.ends_us = row_time(rows, 0, E_DAY_ENDS_AT)},
		.due_us = time_or_0(rows, E_DUE_AT),
		.context_missing = row_bool(rows, 0, E_CONTEXT_MISSING),
	};
	read_limits(rows, E_CHANNELS, seg, now_us, why);
}

static bool read_entry(const struct rows *rows, const struct segment *seg, uint64_t entry_id,
	const char *live, int64_t now_us, struct why *why)
{
	*why = (struct why){
		.client_id = (uint64_t)row_i64(rows, 0, E_CLIENT),
		.entry_id = entry_id,
		.queue_id = (uint64_t)row_i64(rows, 0, E_QUEUE),
		.batch_id = (uint64_t)row_i64(rows, 0, E_BATCH),
		.attempts = (uint64_t)row_i64(rows, 0, E_ATTEMPTS),
		.ended_us = time_or_0(rows, E_ENDED_AT),
	};
	keep(why->reason, sizeof(why->reason), row_text(rows, 0, E_REASON));
	read_entry_gates(rows, seg, now_us, why);
	bool is_over = !row_is_null(rows, 0, E_DISPOSITION);
	why->stage = is_over ? WHY_OVER : live ? WHY_LIVES : WHY_WAITS;
	say_status(why, is_over ? row_text(rows, 0, E_DISPOSITION)
			: live	? str_of(live)
				: str_of(!why->entry.gate.dispatched ? "pending"
					  : why->entry.gate.due_us   ? "retry_wait"
								     : "queued"));
	return row_copy(rows, 0, E_PHONE_NUMBER, why->phone_number, sizeof(why->phone_number));
}

bool why_entry(struct db *db, const struct segment *seg, uint64_t client_id, uint64_t entry_id,
	int64_t now_us, struct why *why, bool *found, struct err *err)
{
	struct rows rows = ROWS_INIT;
	/* Before PostgreSQL is asked: what has left its slot by then has its end there. */
	const char *live = client_id ? live_state(seg, client_id, entry_id) : NULL;
	if (!load(db, SQL_WHY_ENTRY, client_id, entry_id, &rows, err))
		return false;
	*found = rows.n == 1;
	if (*found && client_id == 0)
		live = live_state(seg, (uint64_t)row_i64(&rows, 0, E_CLIENT), entry_id);
	bool ok =
		!*found || read_entry(&rows, seg, entry_id, live, now_us, why) ||
		fail(err, ERR_INTERNAL, "phone_number of entry %" PRIu64 " is too long", entry_id);
	rows_free(&rows);
	if (ok && *found && why->stage == WHY_WAITS)
		ok = ask_gates(seg, now_us, &why->entry, why, err);
	return ok;
}

/* ---- a batch ---- */

enum { /* columns of why_batch */
	B_CLIENT,
	B_BATCH,
	B_CREATED_AT,
	B_DISPATCHED,
	B_PAUSED_AT,
	B_CANCELED_AT,
	B_FINISHED_AT,
	B_TOTAL,
	B_OPEN,
	B_CHANNELS,
	B_CALLS_PER_SECOND,
	B_STARTS_AT,
	B_EXPIRES_AT,
	B_RETRY_WAIT,
	B_DUE_AT,
	B_CONTEXT_MISSING
};

static void read_batch(const struct rows *rows, const struct segment *seg, uint64_t queue_id,
	int64_t now_us, struct why *why)
{
	*why = (struct why){
		.client_id = (uint64_t)row_i64(rows, 0, B_CLIENT),
		.queue_id = queue_id,
		.batch_id = (uint64_t)row_i64(rows, 0, B_BATCH),
		.total = (uint64_t)row_i64(rows, 0, B_TOTAL),
		.open = (uint64_t)row_i64(rows, 0, B_OPEN),
		.ended_us = time_or_0(rows, B_FINISHED_AT),
		.entry = {.created_us = time_or_0(rows, B_CREATED_AT),
			.paused_us = time_or_0(rows, B_PAUSED_AT),
			.canceled_us = time_or_0(rows, B_CANCELED_AT),
			.gate = {.dispatched = row_bool(rows, 0, B_DISPATCHED),
				.paused = !row_is_null(rows, 0, B_PAUSED_AT),
				.canceled = !row_is_null(rows, 0, B_CANCELED_AT),
				.starts_us = time_or_0(rows, B_STARTS_AT),
				.expires_us = time_or_0(rows, B_EXPIRES_AT),
				.context_missing = row_bool(rows, 0, B_CONTEXT_MISSING)}},
	};
	read_limits(rows, B_CHANNELS, seg, now_us, why);
	why->stage = why->ended_us ? WHY_OVER : WHY_WAITS;
	say_status(why, str_of(why->ended_us		     ? "finished"
				: why->entry.gate.dispatched ? "active"
							     : "pending"));
}

/* Nothing else is in the way, and all that is left waits to be called again. */
static void only_retries(const struct rows *rows, int64_t now_us, struct why *why)
{
	int64_t due_us = time_or_0(rows, B_DUE_AT);
	bool all_wait = why->open > 0 && (uint64_t)row_i64(rows, 0, B_RETRY_WAIT) >= why->open;
	if (why->stage == WHY_WAITS && !why->verdict.blocks && all_wait && due_us > now_us)
		explain_retry_wait(due_us, &why->verdict);
}

bool why_batch(struct db *db, const struct segment *seg, uint64_t client_id, uint64_t queue_id,
	int64_t now_us, struct why *why, bool *found, struct err *err)
{
	struct rows rows = ROWS_INIT;
	if (!load(db, SQL_WHY_BATCH, client_id, queue_id, &rows, err))
		return false;
	*found = rows.n == 1;
	if (*found)
		read_batch(&rows, seg, queue_id, now_us, why);
	bool ok =
		!*found || why->stage != WHY_WAITS || ask_gates(seg, now_us, &why->entry, why, err);
	if (ok && *found)
		only_retries(&rows, now_us, why);
	rows_free(&rows);
	return ok;
}

/* ---- in words ---- */

static const char *ended_text(const struct why *why, char out[WHY_TEXT_BYTES])
{
	char when[CLOCK_TEXT_BYTES];
	(void)clock_utc(why->ended_us, when);
	if (!why->entry_id)
		(void)snprintf(out, WHY_TEXT_BYTES, "the batch was finished at %s", when);
	else
		(void)snprintf(out, WHY_TEXT_BYTES, "the call ended at %s: %s%s%s", when,
			why->status, *why->reason ? ", " : "", why->reason);
	return out;
}

const char *why_text(const struct why *why, char out[WHY_TEXT_BYTES])
{
	if (why->stage == WHY_OVER)
		return ended_text(why, out);
	if (why->stage == WHY_LIVES)
		(void)snprintf(out, WHY_TEXT_BYTES, "the call is in progress: %s", why->status);
	else
		(void)snprintf(out, WHY_TEXT_BYTES, "%s",
			why->verdict.blocks
				? why->verdict.detail
				: "nothing is in the way: what waits is dialled in turn");
	return out;
}
