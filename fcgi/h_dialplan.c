/* GET /dialplan/{call_id}: what the dialplan of an Asterisk server needs to know of a call that is live there, for CURL() and
 * AGI. It stands in the answered call's way, so it takes one look at the segment and one at PostgreSQL. */
#include <stdio.h>

#include "fcgi/form.h"
#include "fcgi/live.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/call_id.h"
#include "shm/view.h"
#include "sql/db.h"

#include "common/base.h"

struct told {
	char call_id[CALL_ID_BYTES];
	struct shm_call_view call;
	struct rows rows; /* accountcode, custom_data */
};
enum { ACCOUNTCODE, CUSTOM_DATA };

static bool not_live(struct err *err)
{
	return fail(err, ERR_MISSING, "no such call is live on this server");
}

/* In another dispatcher's segment, or in none, nothing is live. */
static bool find(
	struct app *app, const struct req *req, struct shm_call_view *call, struct err *err)
{
	uint64_t entry_id, n;

	if (!live_needed(app, err))
		return false;
	return (call_id_read(req_param(req, "call_id"), &entry_id, &n) &&
		       view_call_on_server(
			       app->segment, req->server_id, entry_id, (uint32_t)n, call)) ||
	       not_live(err);
}

static bool load(struct app *app, struct told *told, struct err *err)
{
	const struct shm_call_view *call = &told->call;
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)call->client_id);
	arg_i64(&args, (int64_t)call->entry_id);
	bool ok = db_query_as(app->db, call->client_id, SQL_DIALPLAN_CALL, &args, &told->rows, err);
	args_free(&args);
	return ok && (told->rows.n == 1 || not_live(err));
}

static void put_json(struct strbuf *sb, const struct told *told)
{
	const struct shm_call *call = &told->call.call;

	put_object(sb, NULL);
	put_text(sb, "call_id", str_of(told->call_id));
	if (call->batch_id)
		put_u64(sb, "batch_id", call->batch_id);
	else
		put_null(sb, "batch_id");
	put_u64(sb, "attempt", told->call.n);
	put_text(sb, "accountcode", row_text(&told->rows, 0, ACCOUNTCODE));
	put_text(sb, "phone_number", str_of(call->phone_number));
	put_text(sb, "did", str_of(call->did));
	put_raw(sb, "custom_data", row_text(&told->rows, 0, CUSTOM_DATA));
	put_end(sb, '}');
}

/* ---- as pairs ---- */

enum { MEMBER_NAME_MAX = 60 };

static bool is_plain_name(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= MEMBER_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == n;
}

/* custom_data.NAME for each member at the top that has a plain name and is text, a number, true or false. */
static void form_members(struct strbuf *sb, struct str custom_data)
{
	const char *name;
	json_t *value, *object = json_loadb(custom_data.p, custom_data.n, 0, NULL);

	json_object_foreach (object, name, value) {
		char key[sizeof("custom_data.") + MEMBER_NAME_MAX];
		if (!is_plain_name(name) ||
			!(json_is_string(value) || json_is_number(value) || json_is_boolean(value)))
			continue;
		(void)snprintf(key, sizeof(key), "custom_data.%s", name);
		char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
		form_text(sb, key, str_of(text ? text : json_string_value(value)));
	}
}

static void put_pairs(struct strbuf *sb, const struct told *told)
{
	const struct shm_call *call = &told->call.call;
	struct str custom_data = row_text(&told->rows, 0, CUSTOM_DATA);

	form_text(sb, "call_id", str_of(told->call_id));
	if (call->batch_id)
		form_u64(sb, "batch_id", call->batch_id);
	else
		form_text(sb, "batch_id", STR(""));
	form_u64(sb, "attempt", told->call.n);
	form_text(sb, "accountcode", row_text(&told->rows, 0, ACCOUNTCODE));
	form_text(sb, "phone_number", str_of(call->phone_number));
	form_text(sb, "did", str_of(call->did));
	form_text(sb, "custom_data", custom_data);
	if (custom_data.n)
		form_members(sb, custom_data);
}

bool handle_dialplan(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct str format = req_query(req, "format");
	struct told told = {.rows = ROWS_INIT};
	bool as_pairs = str_eq(format, STR("query"));

	if (format.p && !as_pairs && !str_eq(format, STR("json")))
		return fail(err, ERR_INPUT, "format must be json or query");
	if (!find(app, req, &told.call, err))
		return false;
	(void)call_id_text(told.call.entry_id, told.call.n, told.call_id);
	bool ok = load(app, &told, err);
	if (ok && as_pairs) {
		reply->content_type = "text/plain; charset=utf-8";
		put_pairs(&reply->body, &told);
	} else if (ok) {
		put_json(&reply->body, &told);
	}
	rows_free(&told.rows);
	return ok;
}
