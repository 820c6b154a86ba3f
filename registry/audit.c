/* Reading and verifying the audit: see audit.h. */
#include "registry/audit.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/strbuf.h"
#include "registry/field_args.h"

#include "common/base.h"

const struct field audit_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct audit_filter, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct audit_filter, member, need, __VA_ARGS__)
#include "registry/audit.def"
#undef NUMBER
#undef TEXT
};
const size_t audit_fields_n = ARRAY_LEN(audit_fields);

static void filter_args(struct sql_args *args, const struct audit_filter *filter)
{
	arg_text_or_null(args, filter->actor);
	arg_text_or_null(args, filter->action);
	arg_text_or_null(args, filter->subject);
}

bool audit_list(struct db *db, const struct audit_filter *filter, int64_t most, int64_t skipped,
	struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	filter_args(&args, filter);
	arg_number(&args, filter->before);
	arg_i64(&args, most);
	arg_i64(&args, skipped);
	bool ok = db_query(db, SQL_AUDIT_LIST, &args, rows, err);
	args_free(&args);
	return ok;
}

bool audit_count(struct db *db, const struct audit_filter *filter, uint64_t *n, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	filter_args(&args, filter);
	bool ok = db_query(db, SQL_AUDIT_COUNT, &args, &rows, err);
	args_free(&args);
	if (ok)
		*n = (uint64_t)row_i64(&rows, 0, 0);
	rows_free(&rows);
	return ok;
}

/* ---- verifying ---- */

/* The columns of audit_page. */
enum { POSITION, HASH, LINK_OF, ROW_ID, ROW_AT, ACTOR, ACTION, SUBJECT, DETAIL, ADDRESS };

static void add_part(struct strbuf *out, struct str part)
{
	if (part.p)
		strbuf_printf(out, " %zu:", part.n);
	else
		strbuf_puts(out, " -");
	if (part.p)
		strbuf_str(out, part);
}

/* The link of a row behind before: audit_text of migration 0017, in our own words. */
static struct digest link_of(
	const struct rows *rows, int row, const struct anchor *before, struct strbuf *text)
{
	strbuf_reset(text);
	strbuf_add(text, before->hash.b, DIGEST_BYTES);
	strbuf_printf(text, "%" PRIu64 " %" PRId64 " %" PRId64, before->position + 1,
		row_i64(rows, row, ROW_ID), row_time(rows, row, ROW_AT));
	for (int column = ACTOR; column <= ADDRESS; column++)
		add_part(text, row_text(rows, row, column));
	return digest_of(strbuf_view(text));
}

static bool check_link(const struct rows *rows, int row, const struct anchor *known,
	struct anchor *head, struct strbuf *text, struct err *err)
{
	uint64_t position = (uint64_t)row_i64(rows, row, POSITION);
	struct str hash = row_bytes(rows, row, HASH);

	if (position != head->position + 1)
		return fail(err, ERR_CONFLICT,
			"position %" PRIu64 " is missing: the chain goes on with %" PRIu64,
			head->position + 1, position);
	if (row_is_null(rows, row, ROW_ID))
		return fail(err, ERR_CONFLICT,
			"position %" PRIu64 ": row %" PRId64 " of the audit is gone", position,
			row_i64(rows, row, LINK_OF));
	struct anchor next = {position, link_of(rows, row, head, text)};
	if (hash.n != DIGEST_BYTES || memcmp(hash.p, next.hash.b, DIGEST_BYTES) != 0)
		return fail(err, ERR_CONFLICT,
			"position %" PRIu64 ": row %" PRId64
			" of the audit, or its link, is not what it was",
			position, row_i64(rows, row, ROW_ID));
	if (!anchor_fits(known, &next))
		return fail(err, ERR_CONFLICT,
			"position %" PRIu64
			" is not the anchor's: the chain was made anew up to here",
			position);
	*head = next;
	return true;
}

static bool check_page(struct db *db, const struct anchor *known, struct anchor *head,
	struct strbuf *text, bool *more, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)head->position);
	bool ok = db_query(db, SQL_AUDIT_PAGE, &args, &rows, err);
	args_free(&args);
	for (int row = 0; ok && row < rows.n; row++)
		ok = check_link(&rows, row, known, head, text, err);
	*more = ok && rows.n > 0;
	rows_free(&rows);
	return ok;
}

static bool check_all_linked(struct db *db, struct err *err)
{
	struct rows rows = ROWS_INIT;

	bool ok = db_query(db, SQL_AUDIT_UNLINKED, NULL, &rows, err);
	if (ok && rows.n)
		ok = fail(err, ERR_CONFLICT, "row %" PRId64 " of the audit has no link",
			row_i64(&rows, 0, 0));
	rows_free(&rows);
	return ok;
}

bool audit_verify(struct db *db, const struct anchor *known, struct anchor *head, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	bool ok = true, more = true;

	*head = (struct anchor){0};
	while (ok && more)
		ok = check_page(db, known, head, &text, &more, err);
	strbuf_free(&text);
	if (!ok || !check_all_linked(db, err))
		return false;
	return anchor_is_reached(known, head, err);
}
