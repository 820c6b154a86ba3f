/* A finished attempt, as it is told: in JSON, or as a line of CSV. */
#ifndef CCS_FCGI_DETAIL_ROW_H
#define CCS_FCGI_DETAIL_ROW_H

#include "common/strbuf.h"
#include "fcgi/app.h"
#include "fcgi/cell.h"
#include "sql/rows.h"

/* Which one: also the place in a list behind which the next page begins. */
struct attempt_id {
	uint64_t entry_id, n;
};

/* These attempts, in their order. */
MUST_USE bool detail_rows_load(struct app *app, const struct attempt_id *ids, size_t n,
	struct rows *rows, struct err *err);

int64_t detail_row_started_us(const struct rows *rows, int row);
struct attempt_id detail_row_id(const struct rows *rows, int row);

void put_detail_row(struct strbuf *sb, const struct rows *rows, int row);

/* RFC 4180: the names of all members, and one row with the same members. A null is empty. */
void csv_detail_names(struct strbuf *sb);
void csv_detail_row(struct strbuf *sb, const struct rows *rows, int row, enum csv_for whom);

#endif
