/* GET /client-call-details/summary and /monitoring/callingsummary: sums over finished attempts,
 * from the rollups. */
#include "fcgi/auth.h"
#include "fcgi/period.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

enum { HOURS = 24 };
static const int64_t MS_PER_S = 1000;

/* The parameters of both, checked, as summary_hours and summary_total take them. */
static bool read_scope(
	struct app *app, const struct req *req, struct sql_args *args, struct err *err)
{
	struct str server_code = req_query(req, "server_code");
	struct period period;
	uint64_t server_id = 0;

	if (!own_accountcode(req, req_query(req, "accountcode"), err) ||
		!period_read(req, &period, err))
		return false;
	if (server_code.p && !own_server(app, req, server_code, &server_id, err))
		return false;
	arg_i64(args, (int64_t)req->client->id);
	arg_text_or_null(args, period.start);
	arg_text_or_null(args, period.end);
	arg_i64_or_null(args, (int64_t)server_id, server_id == 0);
	arg_text(args, str_of(req->client->timezone));
	return true;
}

static bool query(struct app *app, const struct req *req, enum sql_query query, struct rows *rows,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	bool ok = read_scope(app, req, &args, err) &&
		  db_query_as(app->db, req->client->id, query, &args, rows, err);
	args_free(&args);
	return ok;
}

/* ---- by time of day ---- */

struct sum {
	int64_t calls, seconds;
};

/* Half-open, in the order and spelling of the document; the last one ends the day. */
static const struct bucket {
	const char *name;
	int end_hour;
} buckets[] = {
	{"Before 09AM", 9},
	{"09AM-11AM", 11},
	{"11AM-01PM", 13},
	{"01PM-03PM", 15},
	{"03PM-05PM", 17},
	{"05PM-07PM", 19},
	{"After 7PM", HOURS},
};

static void read_hours(const struct rows *rows, int64_t calls[HOURS], int64_t ms[HOURS])
{
	for (int i = 0; i < rows->n; i++) {
		int64_t hour = row_i64(rows, i, 0);
		calls[hour] = row_i64(rows, i, 1);
		ms[hour] = row_i64(rows, i, 2);
	}
}

static void put_sum(struct strbuf *sb, const char *name, const struct sum *sum)
{
	put_object(sb, name);
	put_i64(sb, "calls", sum->calls);
	put_i64(sb, "duration", sum->seconds);
	put_end(sb, '}');
}

/* The total is the sum of what is printed: buckets in whole seconds add up. */
static void put_buckets(struct strbuf *sb, const struct rows *rows)
{
	int64_t calls[HOURS] = {0}, ms[HOURS] = {0};
	struct sum total = {0, 0};
	int hour = 0;

	read_hours(rows, calls, ms);
	put_object(sb, "summary");
	for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
		struct sum sum = {0, 0};
		int64_t bucket_ms = 0;
		for (; hour < buckets[i].end_hour; hour++) {
			sum.calls += calls[hour];
			bucket_ms += ms[hour];
		}
		sum.seconds = (bucket_ms + MS_PER_S / 2) / MS_PER_S;
		put_sum(sb, buckets[i].name, &sum);
		total.calls += sum.calls;
		total.seconds += sum.seconds;
	}
	put_sum(sb, "Grand Total", &total);
	put_end(sb, '}');
}

bool handle_call_summary(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	if (!query(app, req, SQL_SUMMARY_HOURS, &rows, err))
		return false;
	put_object(&reply->body, NULL);
	put_buckets(&reply->body, &rows);
	put_end(&reply->body, '}');
	rows_free(&rows);
	return true;
}

/* ---- as a whole ---- */

bool handle_calling_summary(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct rows rows = ROWS_INIT;

	if (!query(app, req, SQL_SUMMARY_TOTAL, &rows, err))
		return false;
	int64_t calls = row_i64(&rows, 0, 0), completed = row_i64(&rows, 0, 1);
	double seconds = (double)row_i64(&rows, 0, 2) / (double)MS_PER_S;
	double divisor = (double)MAX(calls, INT64_C(1));
	rows_free(&rows);
	put_object(sb, NULL);
	put_i64(sb, "total_calls", calls);
	put_i64(sb, "successful_calls", completed);
	put_i64(sb, "failed_calls", calls - completed);
	put_tenth(sb, "success_rate", 100 * (double)completed / divisor);
	put_tenth(sb, "average_call_duration", seconds / divisor);
	put_tenth(sb, "total_duration", seconds);
	put_end(sb, '}');
	return true;
}
