/* GET /client-call-details/details: every finished attempt. */
#include "fcgi/auth.h"
#include "fcgi/batch_scan.h"
#include "fcgi/details.h"
#include "fcgi/put.h"
#include "fcgi/put_plan.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "fcgi/state.h"
#include "registry/call_id.h"
#include "sql/db.h"

#include "common/base.h"

/* format=json (which need not be said) or csv. */
static bool read_format(const struct req *req, struct details *details, struct err *err)
{
	struct str format = req_query(req, "format");
	details->as_csv = str_eq(format, STR("csv"));
	return !format.p || details->as_csv || str_eq(format, STR("json")) ||
	       fail(err, ERR_INPUT, "format must be json or csv");
}

static bool read_batch(
	struct app *app, const struct req *req, struct details *details, struct err *err)
{
	uint64_t batch_id = 0;
	return req_query_u64(req, "batch_id", 1, BATCH_ID_MAX, &batch_id, err) &&
	       (batch_id == 0 || own_queue(app, req, batch_id, false, &details->queue_id, err));
}

static bool read_details(
	struct app *app, const struct req *req, struct details *details, struct err *err)
{
	*details = (struct details){.status = STATE__N};
	return own_accountcode(req, req_query(req, "accountcode"), err) &&
	       period_read(req, &details->period, err) &&
	       state_read(req, STATE_FIRST_FINAL, &details->status, err) &&
	       page_read(req, NULL, &details->page, err) && read_format(req, details, err) &&
	       read_batch(app, req, details, err);
}

void details_args(struct sql_args *args, const struct app *app, const struct details *details)
{
	arg_i64(args, (int64_t)app->client.id);
	arg_text_or_null(args, details->period.start);
	arg_text_or_null(args, details->period.end);
	arg_text(args, str_of(app->client.timezone));
	arg_text_or_null(args,
		details->status < STATE__N ? state_name(details->status) : (struct str){NULL, 0});
}

static bool query(
	struct app *app, const struct details *details, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	details_args(&args, app, details);
	arg_i64(&args, (int64_t)details->page.size);
	arg_i64(&args, (int64_t)page_offset(&details->page));
	if (details->queue_id)
		arg_i64(&args, (int64_t)details->queue_id);
	bool ok = db_query_as(app->db, app->client.id,
		details->queue_id ? SQL_DETAILS_OF_BATCH : SQL_DETAILS_PAGE, &args, rows, err);
	args_free(&args);
	return ok;
}

static void put_number(struct strbuf *sb, const char *key, const struct rows *rows, int row,
	enum details_column column)
{
	if (row_is_null(rows, row, column))
		put_null(sb, key);
	else
		put_i64(sb, key, row_i64(rows, row, column));
}

static void put_attempt(struct strbuf *sb, const struct rows *rows, int row)
{
	char call_id[CALL_ID_BYTES];
	uint64_t entry_id = (uint64_t)row_i64(rows, row, DETAILS_ENTRY_ID),
		 n = (uint64_t)row_i64(rows, row, DETAILS_ATTEMPT);

	put_object(sb, NULL);
	put_text(sb, "call_id", call_id_text(entry_id, n, call_id));
	put_number(sb, "batch_id", rows, row, DETAILS_BATCH_ID);
	put_u64(sb, "attempt", n);
	put_bool(sb, "is_final", row_bool(rows, row, DETAILS_IS_FINAL));
	put_text(sb, "phone_number", row_text(rows, row, DETAILS_PHONE_NUMBER));
	put_plan(sb, rows, row, DETAILS_E164);
	put_text(sb, "server_code", row_text(rows, row, DETAILS_SERVER_CODE));
	put_text(sb, "did", row_text(rows, row, DETAILS_DID));
	put_text(sb, "status", details_status(rows, row));
	put_text(sb, "disposition", row_text(rows, row, DETAILS_DISPOSITION));
	put_number(sb, "hangup_cause", rows, row, DETAILS_HANGUP_CAUSE);
	put_text(sb, "reason", row_text(rows, row, DETAILS_REASON));
	put_bool(sb, "estimated", row_bool(rows, row, DETAILS_ESTIMATED));
	put_time_ms(sb, "started_at", row_time(rows, row, DETAILS_STARTED_AT));
	put_time_ms(sb, "answered_at", row_time(rows, row, DETAILS_ANSWERED_AT));
	put_time_ms(sb, "ended_at", row_time(rows, row, DETAILS_ENDED_AT));
	put_ms(sb, "duration", row_i64(rows, row, DETAILS_DURATION_MS));
	put_ms(sb, "billsec", row_i64(rows, row, DETAILS_BILLSEC_MS));
	put_null(sb, "recording_url");
	put_raw(sb, "custom_data", row_text(rows, row, DETAILS_CUSTOM_DATA));
	put_end(sb, '}');
}

static void put_page(struct strbuf *sb, const struct rows *rows, const struct details *details)
{
	page_begin(sb);
	for (int i = 0; i < rows->n; i++)
		if (!row_is_null(rows, i, DETAILS_ENTRY_ID))
			put_attempt(sb, rows, i);
	page_end(sb, &details->page, (uint64_t)row_i64(rows, 0, DETAILS_TOTAL));
}

bool handle_call_details(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct details details;

	if (!read_details(app, req, &details, err))
		return false;
	if (details.as_csv)
		return details_csv(app, &details, reply, err);
	if (!query(app, &details, &rows, err))
		return false;
	put_page(&reply->body, &rows, &details);
	rows_free(&rows);
	return true;
}
