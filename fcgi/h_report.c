/* GET /monitoring/report: calls of a period in groups, with the figures of telephony. */
#include "fcgi/auth.h"
#include "fcgi/period.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

enum { DAYS_MAX = 31, GROUPS_MAX = 1000 };
static const double MS_PER_S = 1000;

/* Columns of report. */
enum {
	SERVER_CODE,
	DID,
	BATCH_ID,
	DATE,
	HOUR,
	DISPOSITION,
	CAUSE,
	SUMS_OF_GROUP,
	SUMS_OF_ALL = SUMS_OF_GROUP + 5,
	GROUPS = SUMS_OF_ALL + 5
};

typedef void key_fn(struct strbuf *sb, const struct rows *rows, int row);

static void put_number(
	struct strbuf *sb, const char *key, const struct rows *rows, int row, int column)
{
	if (row_is_null(rows, row, column))
		put_null(sb, key);
	else
		put_i64(sb, key, row_i64(rows, row, column));
}

static void put_server(struct strbuf *sb, const struct rows *rows, int row)
{
	put_text(sb, "server_code", row_text(rows, row, SERVER_CODE));
}

static void put_did(struct strbuf *sb, const struct rows *rows, int row)
{
	put_text(sb, "did", row_text(rows, row, DID));
}

static void put_batch(struct strbuf *sb, const struct rows *rows, int row)
{
	put_number(sb, "batch_id", rows, row, BATCH_ID);
}

/* Of the client's zone. */
static void put_hour(struct strbuf *sb, const struct rows *rows, int row)
{
	put_text(sb, "date", row_text(rows, row, DATE));
	put_i64(sb, "hour", row_i64(rows, row, HOUR));
}

static void put_disposition(struct strbuf *sb, const struct rows *rows, int row)
{
	put_text(sb, "disposition", row_text(rows, row, DISPOSITION));
}

static void put_cause(struct strbuf *sb, const struct rows *rows, int row)
{
	put_number(sb, "hangup_cause", rows, row, CAUSE);
}

static const struct grouping {
	const char *name;
	key_fn *put_key;
} groupings[] = {
	{"server", put_server},
	{"did", put_did},
	{"batch", put_batch},
	{"hour", put_hour},
	{"disposition", put_disposition},
	{"cause", put_cause},
};

struct report {
	const struct grouping *by;
	struct str first, last; /* days, in the arena */
};

static bool read_grouping(const struct req *req, const struct grouping **by, struct err *err)
{
	struct str name = req_query(req, "group_by");

	*by = &groupings[0];
	if (!name.p)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(groupings); i++)
		if (str_eq(name, str_of(groupings[i].name))) {
			*by = &groupings[i];
			return true;
		}
	return fail(
		err, ERR_INPUT, "group_by must be server, did, batch, hour, disposition or cause");
}

static bool keep_days(
	struct app *app, const struct rows *rows, struct report *report, struct err *err)
{
	report->first = str_of(arena_copy(app->arena, row_text(rows, 0, 0)));
	report->last = str_of(arena_copy(app->arena, row_text(rows, 0, 1)));
	if (!report->first.p || !report->last.p)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	if (row_i64(rows, 0, 2) < 1)
		return fail_code(err, ERR_INPUT, "invalid_date", "start_date is after today");
	return row_i64(rows, 0, 2) <= DAYS_MAX ||
	       fail_code(err, ERR_INPUT, "invalid_date",
		       "a report covers at most %d days; ask for the others in another one",
		       (int)DAYS_MAX);
}

static bool read_days(
	struct app *app, const struct req *req, struct report *report, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct period period;

	if (!period_read(req, &period, err))
		return false;
	arg_text_or_null(&args, period.start);
	arg_text_or_null(&args, period.end);
	arg_text(&args, str_of(req->client->timezone));
	bool ok = db_query_as(app->db, req->client->id, SQL_REPORT_PERIOD, &args, &rows, err) &&
		  keep_days(app, &rows, report, err);
	rows_free(&rows);
	args_free(&args);
	return ok;
}

static bool load(struct app *app, const struct req *req, const struct report *report,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)req->client->id);
	arg_text(&args, report->first);
	arg_text(&args, report->last);
	arg_text(&args, str_of(req->client->timezone));
	arg_text(&args, str_of(report->by->name));
	arg_i64(&args, GROUPS_MAX);
	bool ok = db_query_as(app->db, req->client->id, SQL_REPORT, &args, rows, err);
	args_free(&args);
	return ok;
}

/* ASR is the share of the calls that were answered, in percent; ACD the seconds that these lasted on average. */
static void put_figures(struct strbuf *sb, const struct rows *rows, int row, int first)
{
	bool none = rows->n == 0;
	int64_t calls = none ? 0 : row_i64(rows, row, first);
	int64_t answered = none ? 0 : row_i64(rows, row, first + 1);
	double duration_ms = none ? 0 : (double)row_i64(rows, row, first + 2);
	double billsec_ms = none ? 0 : (double)row_i64(rows, row, first + 3);

	put_i64(sb, "calls", calls);
	put_i64(sb, "answered", answered);
	put_tenth(sb, "asr", 100 * (double)answered / (double)MAX(calls, INT64_C(1)));
	put_tenth(sb, "acd", billsec_ms / MS_PER_S / (double)MAX(answered, INT64_C(1)));
	put_tenth(sb, "duration", duration_ms / MS_PER_S);
	put_tenth(sb, "billsec", billsec_ms / MS_PER_S);
	put_i64(sb, "peak_concurrency", none ? 0 : row_i64(rows, row, first + 4));
}

static void put_report(struct strbuf *sb, const struct req *req, const struct report *report,
	const struct rows *rows)
{
	put_object(sb, NULL);
	put_text(sb, "group_by", str_of(report->by->name));
	put_text(sb, "start_date", report->first);
	put_text(sb, "end_date", report->last);
	put_text(sb, "timezone", str_of(req->client->timezone));
	put_array(sb, "groups");
	for (int i = 0; i < rows->n; i++) {
		put_object(sb, NULL);
		report->by->put_key(sb, rows, i);
		put_figures(sb, rows, i, SUMS_OF_GROUP);
		put_end(sb, '}');
	}
	put_end(sb, ']');
	put_i64(sb, "groups_total", rows->n ? row_i64(rows, 0, GROUPS) : 0);
	put_object(sb, "total");
	put_figures(sb, rows, 0, SUMS_OF_ALL);
	put_end(sb, '}');
	put_end(sb, '}');
}

bool handle_report(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct report report;

	if (!own_accountcode(req, req_query(req, "accountcode"), err) ||
		!read_grouping(req, &report.by, err) || !read_days(app, req, &report, err) ||
		!load(app, req, &report, &rows, err))
		return false;
	put_report(&reply->body, req, &report, &rows);
	rows_free(&rows);
	return true;
}
