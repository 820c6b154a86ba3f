/* Results in PostgreSQL's binary form: see rows.h. */
#include <endian.h>

#include "common/log.h"
#include "sql/args.h"
#include "sql/rows.h"
#include "sql/wire.h"

#include "common/base.h"

void rows_free(struct rows *rows)
{
	PQclear(rows->result);
	*rows = ROWS_INIT;
}

/* The bytes of one value; ends the process when row or column does not exist. */
static struct str value(const struct rows *rows, int row, int column)
{
	if (row < 0 || row >= rows->n || column < 0 || column >= PQnfields(rows->result))
		die("sql.no_such_value", "row=%d rows=%d column=%d", row, rows->n, column);
	if (PQgetisnull(rows->result, row, column))
		return (struct str){NULL, 0};
	return (struct str){PQgetvalue(rows->result, row, column),
		(size_t)PQgetlength(rows->result, row, column)};
}

__attribute__((noreturn)) static void wrong_type(const struct rows *rows, int column)
{
	die("sql.wrong_type", "column=%s type=%u", log_q(PQfname(rows->result, column)),
		PQftype(rows->result, column));
}

static int64_t be64(const char *p)
{
	uint64_t wire;
	memcpy(&wire, p, sizeof(wire));
	return (int64_t)be64toh(wire);
}

static int32_t be32(const char *p)
{
	uint32_t wire;
	memcpy(&wire, p, sizeof(wire));
	return (int32_t)be32toh(wire);
}

bool row_is_null(const struct rows *rows, int row, int column)
{
	return value(rows, row, column).p == NULL;
}

int64_t row_i64(const struct rows *rows, int row, int column)
{
	struct str v = value(rows, row, column);
	if (!v.p)
		return 0;
	switch (PQftype(rows->result, column)) {
	case BOOLOID:
		return v.p[0] != 0;
	case INT2OID:
		return (int16_t)((uint8_t)v.p[0] << 8 | (uint8_t)v.p[1]);
	case INT4OID:
		return be32(v.p);
	case INT8OID:
		return be64(v.p);
	default:
		wrong_type(rows, column);
	}
}

bool row_bool(const struct rows *rows, int row, int column)
{
	return row_i64(rows, row, column) != 0;
}

double row_f64(const struct rows *rows, int row, int column)
{
	struct str v = value(rows, row, column);
	if (!v.p)
		return 0;
	if (PQftype(rows->result, column) != FLOAT8OID)
		wrong_type(rows, column);
	int64_t bits = be64(v.p);
	double number;
	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Types that our statements may return and whose binary form is not their text. */
static bool is_text(Oid type)
{
	switch (type) {
	case BOOLOID:
	case BYTEAOID:
	case INT2OID:
	case INT4OID:
	case INT8OID:
	case FLOAT8OID:
	case TEXTARRAYOID:
	case TIMESTAMPTZOID:
	case NUMERICOID:
	case DATEOID:
	case TIMEOID:
	case JSONBOID:
		return false;
	default:
		return true;
	}
}

struct str row_text(const struct rows *rows, int row, int column)
{
	struct str v = value(rows, row, column);
	if (!is_text(PQftype(rows->result, column)))
		wrong_type(rows, column);
	return v;
}

struct str row_bytes(const struct rows *rows, int row, int column)
{
	struct str v = value(rows, row, column);
	if (PQftype(rows->result, column) != BYTEAOID)
		wrong_type(rows, column);
	return v;
}

int64_t row_time(const struct rows *rows, int row, int column)
{
	struct str v = value(rows, row, column);
	if (!v.p)
		return INT64_MIN;
	if (PQftype(rows->result, column) != TIMESTAMPTZOID)
		wrong_type(rows, column);
	return wall_time(be64(v.p));
}

bool row_copy(const struct rows *rows, int row, int column, char *out, size_t size)
{
	return str_copy(out, size, row_text(rows, row, column));
}

struct row_list row_list(const struct rows *rows, int row, int column)
{
	enum {
		DIMENSIONS = 0,
		LENGTH = 12,
		ELEMENTS = 20
	}; /* byte offsets: see array_head in args.c */
	struct str v = value(rows, row, column);

	if (v.p && PQftype(rows->result, column) != TEXTARRAYOID)
		wrong_type(rows, column);
	if (!v.p || be32(v.p + DIMENSIONS) == 0)
		return (struct row_list){NULL, 0};
	if (be32(v.p + DIMENSIONS) != 1)
		die("sql.not_a_list", "column=%s dimensions=%d",
			log_q(PQfname(rows->result, column)), be32(v.p + DIMENSIONS));
	return (struct row_list){v.p + ELEMENTS, be32(v.p + LENGTH)};
}

bool row_list_next(struct row_list *list, struct str *element)
{
	if (list->left == 0)
		return false;
	int32_t n = be32(list->at);
	list->at += sizeof(n);
	*element = n < 0 ? (struct str){NULL, 0} : (struct str){list->at, (size_t)n};
	list->at += n < 0 ? 0 : n;
	list->left--;
	return true;
}
