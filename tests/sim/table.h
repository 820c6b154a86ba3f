/* What a statement is given and what it answers: parameters in PostgreSQL's binary form, taken apart; rows of typed cells,
 * which sql/rows.h reads. Instead of sql/rows.c. */
#ifndef CCS_TESTS_SIM_TABLE_H
#define CCS_TESTS_SIM_TABLE_H

#include "sql/args.h"

/* ---- parameters ---- */

int64_t arg_number(const struct sql_args *args, int i);
int64_t arg_at(const struct sql_args *args, int i); /* a timestamptz, in wall us */

/* An array, element by element. */
struct column {
	const char *at;
	int32_t left;
	uint32_t type;
	bool is_null;
	int64_t i64;	 /* of numbers, booleans and times */
	struct str text; /* of texts */
};
struct column arg_column(const struct sql_args *args, int i);
bool column_next(struct column *column);

/* ---- answers ---- */

struct table;
struct table *table_new(void);
void table_row(struct table *table);
void put_i64(struct table *table, int64_t value);
void put_time(struct table *table, int64_t wall_us);
void put_text(struct table *table, struct str text);	/* borrowed for ever */
void put_words(struct table *table, const char *words); /* a text[]: a blank behind each */
void put_null(struct table *table);

#endif
