/* Quick calls on their way into PostgreSQL: see quick_call.h. */
#include "fcgi/quick_call.h"

#include "fcgi/announce.h"
#include "fcgi/put.h"
#include "registry/call_id.h"
#include "sql/db.h"

#include "common/base.h"

_Static_assert((int)QUICK_CALLS_MAX <= (int)DB_ACTS_MAX, "each call may be another client's");

static bool may_show(struct app *app, uint64_t client_id, struct str did, struct err *err)
{
	struct shown shown = {.db = app->db, .arena = app->arena, .client_id = client_id};
	bool may = true;
	return !did.p || (shown_find(&shown, did, &may, err) && (may || shown_denied(err, "did")));
}

bool quick_call_read(
	struct app *app, const struct req *req, struct quick_call *call, struct err *err)
{
	struct batch_entry entry;
	struct number_rules rules = rules_of(app, req->client);
	struct err why;

	if (!entry_scan(req->body, req->arena, &entry, err))
		return false;
	if (!number_accept(&rules, entry.phone_number, &call->row.number, &why))
		return fail_code(err, why.kind, why.code, "phone_number %s", why.text);
	if (!may_show(app, req->client->id, entry.did, err))
		return false;
	call->client_id = req->client->id;
	call->row.phone_number = entry.phone_number;
	call->row.custom_data = entry.custom_data;
	call->row.did = entry.did;
	return true;
}

/* ---- the calls of one client, as arrays ---- */

struct group {
	struct quick_call *calls[QUICK_CALLS_MAX];
	size_t n;
	struct sql_args args;
	struct rows rows; /* the chunks, in the order of the calls */
};

typedef void column_fn(struct sql_array *array, const struct batch_row *row);

static void put_phone_number(struct sql_array *array, const struct batch_row *row)
{
	array_text(array, row->phone_number);
}

static void put_number(struct sql_array *array, const struct batch_row *row)
{
	array_text(array, str_of(row->number.number));
}

static void put_e164(struct sql_array *array, const struct batch_row *row)
{
	array_text(array, batch_e164(&row->number));
}

static void put_country_digits(struct sql_array *array, const struct batch_row *row)
{
	if (batch_e164(&row->number).p)
		array_i64(array, row->number.plan.country_digits);
	else
		array_null(array);
}

static void put_number_type(struct sql_array *array, const struct batch_row *row)
{
	if (row->number.plan.type != NUMBER_TYPE_UNCHECKED)
		array_i64(array, row->number.plan.type);
	else
		array_null(array);
}

static void put_region(struct sql_array *array, const struct batch_row *row)
{
	char region[REGION_TEXT_BYTES];
	array_text(array, region_or_null(row->number.plan.region, region));
}

static void put_custom_data(struct sql_array *array, const struct batch_row *row)
{
	array_text(array, row->custom_data);
}

static void put_did(struct sql_array *array, const struct batch_row *row)
{
	array_text(array, row->did);
}

/* The parameters of quick_calls behind the client. */
static const struct {
	uint32_t type;
	column_fn *put;
} columns[] = {
	{TEXTOID, put_phone_number},
	{TEXTOID, put_number},
	{TEXTOID, put_e164},
	{INT8OID, put_country_digits},
	{INT8OID, put_number_type},
	{TEXTOID, put_region},
	{TEXTOID, put_custom_data},
	{TEXTOID, put_did},
};

static void group_to_args(struct group *group)
{
	arg_i64(&group->args, (int64_t)group->calls[0]->client_id);
	for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
		struct sql_array array = arg_array(&group->args, columns[c].type);
		for (size_t i = 0; i < group->n; i++)
			columns[c].put(&array, &group->calls[i]->row);
		array_end(&array);
	}
}

/* ---- storing ---- */

static struct group *group_of(struct group *groups, size_t *n, uint64_t client_id)
{
	for (size_t i = 0; i < *n; i++)
		if (groups[i].calls[0]->client_id == client_id)
			return &groups[i];
	struct group *group = &groups[(*n)++];
	group->n = 0;
	group->args = SQL_ARGS_INIT;
	group->rows = ROWS_INIT;
	return group;
}

static void group_stored(struct app *app, const struct group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		struct quick_call *call = group->calls[i];
		call->chunk_id = (uint64_t)row_i64(&group->rows, (int)i, 0);
		call->is_suppressed = row_bool(&group->rows, (int)i, 1);
		if (call->is_suppressed) /* the sweep finds a chunk that is done */
			continue;
		announce_chunk(app, &(struct announced_chunk){.id = call->chunk_id,
					    .client_id = call->client_id,
					    .entries = 1,
					    .first = &call->row});
	}
}

bool quick_calls_store(struct app *app, struct quick_call *const *calls, size_t n, struct err *err)
{
	struct group groups[QUICK_CALLS_MAX];
	struct db_act acts[QUICK_CALLS_MAX] = {0};
	size_t groups_n = 0;

	for (size_t i = 0; i < n; i++) {
		struct group *group = group_of(groups, &groups_n, calls[i]->client_id);
		group->calls[group->n++] = calls[i];
	}
	for (size_t i = 0; i < groups_n; i++) {
		group_to_args(&groups[i]);
		acts[i] = (struct db_act){groups[i].calls[0]->client_id, SQL_QUICK_CALLS,
			&groups[i].args, &groups[i].rows};
	}
	bool ok = db_act_all(app->db, acts, groups_n, err);
	if (!ok)
		store_refused(err);
	for (size_t i = 0; i < groups_n; i++) {
		if (ok)
			group_stored(app, &groups[i]);
		rows_free(&groups[i].rows);
		args_free(&groups[i].args);
	}
	return ok;
}

void quick_call_answer(const struct quick_call *call, struct reply *reply)
{
	struct strbuf *sb = &reply->body;
	char call_id[CALL_ID_BYTES];

	put_object(sb, NULL);
	put_text(sb, "message", STR("Call queued successfully"));
	put_text(sb, "status", STR("success"));
	put_text(sb, "call_id", call_id_text(call->chunk_id * BATCH_CHUNK_ENTRIES, 1, call_id));
	put_null(sb, "queue_id");
	put_text(sb, "state", call->is_suppressed ? STR("suppressed") : STR("queued"));
	put_end(sb, '}');
}
