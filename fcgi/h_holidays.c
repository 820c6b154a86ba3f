/* /admin/holidays: days without calls, of clients and of regions. */
#include "fcgi/auth.h"
#include "fcgi/page.h"
#include "fcgi/permit.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/holiday.h"

#include "common/base.h"

static void put_or_null(struct strbuf *sb, const char *name, struct str text)
{
	if (text.n)
		put_text(sb, name, text);
	else
		put_null(sb, name);
}

static void put_day(struct strbuf *sb, const struct rows *rows, int row)
{
	put_object(sb, NULL);
	put_i64(sb, "id", row_i64(rows, row, HOLIDAY_ID));
	put_or_null(sb, "accountcode", row_text(rows, row, HOLIDAY_ACCOUNTCODE));
	put_or_null(sb, "region", row_text(rows, row, HOLIDAY_REGION));
	put_text(sb, "day", row_text(rows, row, HOLIDAY_DAY));
	put_or_null(sb, "name", row_text(rows, row, HOLIDAY_NAME));
	put_end(sb, '}');
}

bool handle_admin_holidays(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	struct page page;
	uint64_t total;

	if (!page_read(req, "day", &page, err))
		return false;
	const struct holiday_part part = {.accountcode = req_query(req, "accountcode"),
		.region = req_query(req, "region"),
		.limit = (int64_t)page.size,
		.offset = (int64_t)page_offset(&page)};
	if (!holiday_list(app->db, &part, &rows, &total, err))
		return false;
	page_begin(&reply->body);
	for (int row = 0; row < rows.n; row++)
		put_day(&reply->body, &rows, row);
	page_end(&reply->body, &page, total);
	rows_free(&rows);
	return true;
}

static void committed(struct app *app, const struct holiday_changed *changed)
{
	if (changed->client_id)
		app_client_changed(app, changed->client_id);
}

bool handle_admin_holiday_add(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[ACTOR_BYTES];
	struct holiday_input input;
	struct holiday_changed changed;

	if (!req_fields(req, holiday_fields, holiday_fields_n, &input, err) ||
		!holiday_add(app->db, actor_of(req, actor), &input, &changed, err))
		return false;
	committed(app, &changed);
	put_object(&reply->body, NULL);
	put_u64(&reply->body, "id", changed.id);
	put_bool(&reply->body, "added", changed.added > 0);
	put_end(&reply->body, '}');
	return true;
}

bool handle_admin_holiday_remove(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[ACTOR_BYTES];
	struct holiday_changed changed;
	uint64_t id = req_param_id(req, "holiday_id");

	if (!holiday_remove(app->db, actor_of(req, actor), id, &changed, err))
		return false;
	committed(app, &changed);
	put_object(&reply->body, NULL);
	put_u64(&reply->body, "id", id);
	put_text(&reply->body, "message", STR("The holiday is removed"));
	put_end(&reply->body, '}');
	return true;
}
