/* POST /queues/quickcall: one number, at once. Answered when it is committed, before it is
 * dialled. */
#include <inttypes.h>

#include "fcgi/announce.h"
#include "fcgi/call_id.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

static bool read_call(
	const struct app *app, const struct req *req, struct batch_row *call, struct err *err)
{
	struct batch_entry entry;
	struct number_rules rules = rules_of(app, req->client);
	struct err why;

	if (!entry_scan(req->body, req->arena, &entry, err))
		return false;
	if (!number_accept(&rules, entry.phone_number, &call->number, &why))
		return fail_code(err, why.kind, why.code, "phone_number %s", why.text);
	call->phone_number = entry.phone_number;
	call->custom_data = entry.custom_data;
	return true;
}

/* In one round trip. */
static bool store_call(
	struct app *app, const struct batch_row *call, uint64_t *chunk_id, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct str e164 = batch_e164(&call->number);
	struct shm_plan plan = call->number.plan;
	char region[REGION_TEXT_BYTES];

	arg_i64(&args, (int64_t)app->client.id);
	arg_text(&args, call->phone_number);
	arg_text(&args, str_of(call->number.number));
	arg_text_or_null(&args, e164);
	arg_i64_or_null(&args, plan.country_digits, !e164.p);
	arg_i64_or_null(&args, plan.type, plan.type == NUMBER_TYPE_UNCHECKED);
	arg_text_or_null(&args, region_or_null(plan.region, region));
	arg_text_or_null(&args, call->custom_data);
	bool ok = db_query_as(app->db, app->client.id, SQL_QUICK_CALL, &args, &rows, err);
	if (ok)
		*chunk_id = (uint64_t)row_i64(&rows, 0, 0);
	else
		store_refused(err);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

bool handle_quick_call(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct batch_row call;
	uint64_t chunk_id;
	char call_id[CALL_ID_BYTES];

	if (!read_call(app, req, &call, err) || !store_call(app, &call, &chunk_id, err))
		return false;
	announce_chunk(
		app, &(struct announced_chunk){.id = chunk_id, .entries = 1, .first = &call});
	put_object(sb, NULL);
	put_text(sb, "message", STR("Call queued successfully"));
	put_text(sb, "status", STR("success"));
	put_text(sb, "call_id", call_id_text(chunk_id * BATCH_CHUNK_ENTRIES, 1, call_id));
	put_null(sb, "queue_id");
	put_text(sb, "state", STR("queued"));
	put_end(sb, '}');
	return true;
}
