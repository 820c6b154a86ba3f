/* The parameters of one statement, in PostgreSQL's binary form. Text and bytes are copied; arrays
 * become one parameter.
 *
 *   struct sql_args args = SQL_ARGS_INIT;
 *   arg_i64(&args, client_id);
 *   arg_text(&args, str_of(accountcode));
 *   ... db_query(db, SQL_CLIENT_BY_ACCOUNTCODE, &args, &rows, err) ...
 *   args_free(&args);        (or args_reset, to use it again)
 */
#ifndef CCS_SQL_ARGS_H
#define CCS_SQL_ARGS_H

#include "common/strbuf.h"

enum { SQL_ARGS_MAX = 32 };

struct sql_args {
	int n;
	struct strbuf bytes;	     /* all values behind each other */
	size_t offset[SQL_ARGS_MAX]; /* SIZE_MAX: null */
	int length[SQL_ARGS_MAX];
	uint32_t type[SQL_ARGS_MAX]; /* oid, sent with PREPARE */
};

#define SQL_ARGS_INIT ((struct sql_args){.n = 0})

void args_reset(struct sql_args *args);
void args_free(struct sql_args *args);

void arg_null(struct sql_args *args, uint32_t type_oid);
void arg_bool(struct sql_args *args, bool value);
void arg_i64(struct sql_args *args,
	int64_t value); /* bigint; cast in the statement where it must be smaller */
void arg_i64_or_null(struct sql_args *args, int64_t value, bool is_null);
void arg_text(struct sql_args *args, struct str value);
void arg_text_or_null(struct sql_args *args, struct str value); /* p NULL: null */
void arg_bytes(struct sql_args *args, const void *bytes, size_t n);
void arg_time(struct sql_args *args, int64_t wall_us); /* timestamptz; INT64_MIN: null */

/* Arrays for unnest(): begin, add each element, end. */
struct sql_array {
	struct sql_args *args;
	size_t head;
	int32_t count;
	bool has_null;
	uint32_t element_oid;
};
struct sql_array arg_array(struct sql_args *args,
	uint32_t element_oid); /* INT8OID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, BOOLOID */
void array_i64(struct sql_array *array, int64_t value);
void array_text(struct sql_array *array, struct str value); /* p NULL: null */
void array_bytes(struct sql_array *array, const void *bytes, size_t n);
void array_time(struct sql_array *array, int64_t wall_us); /* INT64_MIN: null */
void array_bool(struct sql_array *array, bool value);
void array_null(struct sql_array *array);
void array_end(struct sql_array *array);

/* The oids that we use (src/include/catalog/pg_type.dat; fixed for ever). */
enum {
	BOOLOID = 16,
	BYTEAOID = 17,
	INT8OID = 20,
	INT2OID = 21,
	INT4OID = 23,
	TEXTOID = 25,
	FLOAT8OID = 701,
	BOOLARRAYOID = 1000,
	BYTEAARRAYOID = 1001,
	TEXTARRAYOID = 1009,
	INT8ARRAYOID = 1016,
	DATEOID = 1082,
	TIMEOID = 1083,
	TIMESTAMPTZOID = 1184,
	TIMESTAMPTZARRAYOID = 1185,
	NUMERICOID = 1700,
	JSONBOID = 3802,
};

/* The parameters as libpq's PQexecPrepared and its like take them; borrows from args, valid until
 * these change. */
struct libpq_args {
	int n;
	const char *value[SQL_ARGS_MAX];
	int length[SQL_ARGS_MAX];
	int format[SQL_ARGS_MAX];
	uint32_t type[SQL_ARGS_MAX]; /* Oid */
};
void args_to_libpq(
	const struct sql_args *args, struct libpq_args *out); /* args may be NULL: none */

#endif
