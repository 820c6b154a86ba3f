/* GET /admin/audit: what was done, by whom, the last acts first. */
#include "fcgi/page.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/audit.h"

#include "common/base.h"

static bool read_filter(const struct req *req, struct audit_filter *filter, struct err *err)
{
	fields_clear(audit_fields, audit_fields_n, filter);
	filter->actor = req_query(req, "actor");
	filter->action = req_query(req, "action");
	filter->subject = req_query(req, "subject");
	return fields_check(audit_fields, audit_fields_n, filter, err);
}

static void put_act(struct strbuf *sb, const struct rows *rows, int row)
{
	static const char *const texts[] = {"actor", "action", "subject"};

	put_object(sb, NULL);
	put_i64(sb, "position", row_i64(rows, row, 0));
	put_time(sb, "at", row_time(rows, row, 1));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		put_text(sb, texts[i], row_text(rows, row, 2 + (int)i));
	put_raw(sb, "detail", row_text(rows, row, 5));
	put_text(sb, "address", row_text(rows, row, 6));
	put_end(sb, '}');
}

bool handle_admin_audit(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct audit_filter filter;
	struct page page;
	struct rows rows = ROWS_INIT;
	uint64_t total;

	if (!page_read(req, "-position", &page, err) || !read_filter(req, &filter, err) ||
		!audit_count(app->db, &filter, &total, err) ||
		!audit_list(app->db, &filter, (int64_t)page.size, (int64_t)page_offset(&page),
			&rows, err))
		return false;
	page_begin(&reply->body);
	for (int row = 0; row < rows.n; row++)
		put_act(&reply->body, &rows, row);
	page_end(&reply->body, &page, total);
	rows_free(&rows);
	return true;
}
