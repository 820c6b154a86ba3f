/* GET /events: the log of what happened, from any position on that is still kept. */
#include <inttypes.h>

#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "registry/batch_scan.h"
#include "shm/events.h"
#include "sql/db.h"

#include "common/base.h"

/* LOOK_MOST: events that one answer looks at, so that a filter that nothing fits ends soon, and says how far it came. */
enum { LIMIT_DEFAULT = 100, LIMIT_MOST = 1000, LOOK_MOST = 10000 };
static const uint64_t SEQ_MAX = UINT64_C(1) << 53;

/* Columns of events_after. */
enum { NEWEST, FIRST, LAST, LOOKED, SEQ, PREV, TYPE, OCCURRED_AT, PAYLOAD, CUSTOM_DATA };

struct wanted {
	uint64_t after, limit, batch_id;
	struct str types, server_code, phone_number; /* p NULL: any */
};

static bool read_types(const struct req *req, struct wanted *wanted, struct err *err)
{
	struct str names = req_query(req, "types"), name;

	wanted->types = names;
	while (str_split(&names, ',', &name))
		if (event_type_find(name) < 0)
			return fail_code(err, ERR_INPUT, "unknown_event",
				"types: there is no event %.*s; separate names by commas",
				(int)MIN(name.n, (size_t)64), name.p);
	return true;
}

static bool read_wanted(
	struct app *app, const struct req *req, struct wanted *wanted, struct err *err)
{
	uint64_t id;

	*wanted = (struct wanted){.limit = LIMIT_DEFAULT,
		.server_code = req_query(req, "server_code"),
		.phone_number = req_query(req, "phone_number")};
	return req_query_u64(req, "after", 0, SEQ_MAX, &wanted->after, err) &&
	       req_query_u64(req, "limit", 1, LIMIT_MOST, &wanted->limit, err) &&
	       read_types(req, wanted, err) &&
	       req_query_u64(req, "batch_id", 1, BATCH_ID_MAX, &wanted->batch_id, err) &&
	       (wanted->batch_id == 0 || own_queue(app, req, wanted->batch_id, false, &id, err)) &&
	       (!wanted->server_code.p || own_server(app, req, wanted->server_code, &id, err));
}

static bool load(struct app *app, const struct req *req, const struct wanted *wanted,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)req->client->id);
	arg_i64(&args, (int64_t)wanted->after);
	arg_text_or_null(&args, wanted->types);
	arg_i64_or_null(&args, (int64_t)wanted->batch_id, wanted->batch_id == 0);
	arg_text_or_null(&args, wanted->server_code);
	arg_text_or_null(&args, wanted->phone_number);
	arg_i64(&args, (int64_t)wanted->limit);
	arg_i64(&args, LOOK_MOST);
	bool ok = db_query_as(app->db, req->client->id, SQL_EVENTS_AFTER, &args, rows, err);
	args_free(&args);
	return ok;
}

/* The payload as WebSocket tells it, and what is too large for there. */
static void put_payload(struct strbuf *sb, struct str payload, struct str custom_data)
{
	struct strbuf object = STRBUF_INIT;

	strbuf_str(&object, (struct str){payload.p, payload.n - 1});
	put_raw(&object, "custom_data", custom_data);
	put_end(&object, '}');
	put_raw(sb, "payload", strbuf_view(&object));
	strbuf_free(&object);
}

static void put_event(
	struct strbuf *sb, const struct rows *rows, int row, const struct shm_client *client)
{
	char id[48];
	int64_t seq = row_i64(rows, row, SEQ);

	(void)snprintf(id, sizeof(id), "%" PRIu64 "-%" PRId64, client->id, seq);
	put_object(sb, NULL);
	put_text(sb, "id", str_of(id));
	put_i64(sb, "seq", seq);
	put_i64(sb, "prev", row_i64(rows, row, PREV));
	put_text(sb, "type", row_text(rows, row, TYPE));
	put_time_ms(sb, "occurred_at", row_time(rows, row, OCCURRED_AT));
	put_payload(sb, row_text(rows, row, PAYLOAD), row_text(rows, row, CUSTOM_DATA));
	put_end(sb, '}');
}

/* How far the answer has come. What is no longer kept counts as passed: missed says how much that is. */
static void put_position(
	struct strbuf *sb, const struct rows *rows, int events, const struct wanted *wanted)
{
	uint64_t newest = (uint64_t)row_i64(rows, 0, NEWEST);
	bool none = row_i64(rows, 0, LOOKED) == 0;
	uint64_t first = none ? newest + 1 : (uint64_t)row_i64(rows, 0, FIRST);
	uint64_t next = none ? MAX(newest, wanted->after) : (uint64_t)row_i64(rows, 0, LAST);

	if ((uint64_t)events == wanted->limit)
		next = (uint64_t)row_i64(rows, events - 1, SEQ);
	put_u64(sb, "missed", first - wanted->after - 1);
	put_u64(sb, "next_after", next);
	put_u64(sb, "last_seq", newest);
	put_bool(sb, "more", next < newest);
}

bool handle_events(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct wanted wanted;

	if (!read_wanted(app, req, &wanted, err) || !load(app, req, &wanted, &rows, err))
		return false;
	uint64_t newest = (uint64_t)row_i64(&rows, 0, NEWEST);
	if (wanted.after > newest) {
		rows_free(&rows);
		return fail(err, ERR_INPUT,
			"after is more than %" PRIu64 ", the seq of your last event", newest);
	}
	int events = row_is_null(&rows, 0, SEQ) ? 0 : rows.n;
	put_object(&reply->body, NULL);
	put_array(&reply->body, "items");
	for (int i = 0; i < events; i++)
		put_event(&reply->body, &rows, i, req->client);
	put_end(&reply->body, ']');
	put_position(&reply->body, &rows, events, &wanted);
	put_end(&reply->body, '}');
	rows_free(&rows);
	return true;
}
