/* Parameters and rows: see table.h. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "sql/rows.h"
#include "sql/wire.h"
#include "tests/sim/sim.h"
#include "tests/sim/table.h"

#include "common/base.h"

/* ---- parameters ---- */

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

int64_t arg_number(const struct sql_args *args, int i)
{
	if (!args || i >= args->n || args->type[i] != INT8OID)
		violated("a statement without a number as parameter %d", i + 1);
	return be64(args->bytes.p + args->offset[i]);
}

int64_t arg_at(const struct sql_args *args, int i)
{
	if (!args || i >= args->n || args->type[i] != TIMESTAMPTZOID)
		violated("a statement without a time as parameter %d", i + 1);
	return wall_time(be64(args->bytes.p + args->offset[i]));
}

/* See array_head in sql/args.c. */
struct column arg_column(const struct sql_args *args, int i)
{
	enum { DIMENSIONS = 0, ELEMENT_TYPE = 8, LENGTH = 12, ELEMENTS = 20 };
	if (!args || i >= args->n)
		violated("a statement without parameter %d", i + 1);
	const char *p = args->bytes.p + args->offset[i];
	if (be32(p + DIMENSIONS) == 0)
		return (struct column){.left = 0};
	return (struct column){.at = p + ELEMENTS,
		.left = be32(p + LENGTH),
		.type = (uint32_t)be32(p + ELEMENT_TYPE)};
}

bool column_next(struct column *c)
{
	if (c->left == 0)
		return false;
	int32_t n = be32(c->at);
	c->at += sizeof(n);
	c->left--;
	c->is_null = n < 0;
	c->i64 = 0;
	c->text = STR("");
	if (n < 0)
		return true;
	c->text = (struct str){c->at, (size_t)n};
	if (c->type == BOOLOID)
		c->i64 = c->at[0] != 0;
	else if (c->type == INT8OID)
		c->i64 = be64(c->at);
	else if (c->type == TIMESTAMPTZOID)
		c->i64 = wall_time(be64(c->at));
	c->at += n;
	return true;
}

/* ---- answers ---- */

enum { COLUMNS_MAX = 32 };

struct row {
	uint32_t n;
	struct {
		bool is_null;
		int64_t i64;
		struct str text;
	} cells[COLUMNS_MAX];
};

struct table {
	struct row *rows;
	uint32_t n, cap;
};

struct table *table_new(void)
{
	struct table *t = calloc(1, sizeof(*t));
	if (!t)
		die("memory.exhausted", "what=table");
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->rows);
	free(t);
}

void table_row(struct table *t)
{
	if (t->n == t->cap) {
		t->cap = MAX(2 * t->cap, 8u);
		t->rows = reallocarray(t->rows, t->cap, sizeof(*t->rows));
		if (!t->rows)
			die("memory.exhausted", "rows=%u", t->cap);
	}
	t->rows[t->n++].n = 0;
}

static void put(struct table *t, bool is_null, int64_t i64, struct str text)
{
	struct row *row = &t->rows[t->n - 1];
	if (row->n == COLUMNS_MAX)
		violated("more than %d columns", COLUMNS_MAX);
	row->cells[row->n].is_null = is_null;
	row->cells[row->n].i64 = i64;
	row->cells[row->n++].text = text;
}

void put_i64(struct table *t, int64_t value)
{
	put(t, false, value, STR(""));
}

void put_time(struct table *t, int64_t wall_us)
{
	put(t, false, wall_us, STR(""));
}

void put_text(struct table *t, struct str text)
{
	put(t, false, 0, text);
}

void put_words(struct table *t, const char *words)
{
	put_text(t, str_of(words));
}

void put_null(struct table *t)
{
	put(t, true, 0, (struct str){NULL, 0});
}

uint32_t table_rows(const struct table *t)
{
	return t->n;
}

int64_t table_i64(const struct table *t, uint32_t row, uint32_t column)
{
	return column < t->rows[row].n ? t->rows[row].cells[column].i64 : 0;
}

struct str table_text(const struct table *t, uint32_t row, uint32_t column)
{
	return column < t->rows[row].n ? t->rows[row].cells[column].text : (struct str){NULL, 0};
}

/* ---- rows.h ---- */

static const struct table *table_of(const struct rows *rows)
{
	return (const void *)rows->result;
}

bool row_is_null(const struct rows *rows, int row, int column)
{
	const struct row *r = &table_of(rows)->rows[row];
	return (uint32_t)column >= r->n || r->cells[column].is_null;
}

int64_t row_i64(const struct rows *rows, int row, int column)
{
	return table_i64(table_of(rows), (uint32_t)row, (uint32_t)column);
}

bool row_bool(const struct rows *rows, int row, int column)
{
	return row_i64(rows, row, column) != 0;
}

double row_f64(const struct rows *rows, int row, int column)
{
	return (double)row_i64(rows, row, column);
}

struct str row_text(const struct rows *rows, int row, int column)
{
	return table_text(table_of(rows), (uint32_t)row, (uint32_t)column);
}

struct str row_bytes(const struct rows *rows, int row, int column)
{
	return row_text(rows, row, column);
}

int64_t row_time(const struct rows *rows, int row, int column)
{
	return row_is_null(rows, row, column) ? INT64_MIN : row_i64(rows, row, column);
}

bool row_copy(const struct rows *rows, int row, int column, char *out, size_t size)
{
	return str_copy(out, size, row_text(rows, row, column));
}

/* A list is a text of words with a blank behind each: see put_words. */
struct row_list row_list(const struct rows *rows, int row, int column)
{
	struct str words = row_text(rows, row, column);
	struct row_list list = {words.p, 0};
	for (size_t i = 0; i < words.n; i++)
		list.left += words.p[i] == ' ';
	return list;
}

bool row_list_next(struct row_list *list, struct str *element)
{
	if (list->left == 0)
		return false;
	const char *end = strchr(list->at, ' ');
	*element = (struct str){list->at, (size_t)(end - list->at)};
	list->at = end + 1;
	list->left--;
	return true;
}
