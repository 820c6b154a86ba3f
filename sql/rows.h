/* What a statement returned, read by column number. Binary format; integers of any width read as
 * int64. */
#ifndef CCS_SQL_ROWS_H
#define CCS_SQL_ROWS_H

#include <libpq-fe.h>

#include "common/str.h"

struct rows {
	PGresult *result; /* owned: rows_free */
	int n;
};

#define ROWS_INIT ((struct rows){NULL, 0})

void rows_free(struct rows *rows);

/* row < rows->n; a wrong column is our own bug and ends the process. */
bool row_is_null(const struct rows *rows, int row, int column);
int64_t row_i64(
	const struct rows *rows, int row, int column); /* int2, int4, int8, bool; null = 0 */
bool row_bool(const struct rows *rows, int row, int column);
double row_f64(const struct rows *rows, int row, int column); /* float8 */
struct str row_text(const struct rows *rows, int row,
	int column); /* text, enum, json; null: p NULL. Valid until rows_free */
struct str row_bytes(const struct rows *rows, int row, int column);
int64_t row_time(
	const struct rows *rows, int row, int column); /* wall us; null = INT64_MIN, infinity =
							  INT64_MAX, -infinity = INT64_MIN + 1 */

/* Text into a fixed buffer; false when it does not fit (null = empty). */
MUST_USE bool row_copy(const struct rows *rows, int row, int column, char *out, size_t size);

/* Elements of a one-dimensional text[] in turn. */
struct row_list {
	const char *at;
	int left;
};
struct row_list row_list(const struct rows *rows, int row, int column);
bool row_list_next(struct row_list *list, struct str *element);

#endif
