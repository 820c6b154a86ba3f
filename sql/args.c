/* Parameters in PostgreSQL's binary form: see args.h. */
#include <endian.h>

#include "common/log.h"
#include "sql/args.h"
#include "sql/wire.h"

#include "common/base.h"

void args_reset(struct sql_args *args)
{
	args->n = 0;
	strbuf_reset(&args->bytes);
}

void args_free(struct sql_args *args)
{
	strbuf_free(&args->bytes);
	args->n = 0;
}

/* A new parameter that begins at the end of the bytes. */
static void begin(struct sql_args *args, uint32_t type, size_t offset)
{
	if (args->n == SQL_ARGS_MAX)
		die("sql.too_many_args", "max=%d", SQL_ARGS_MAX);
	args->offset[args->n] = offset;
	args->length[args->n] = 0;
	args->type[args->n] = type;
	args->n++;
}

static void add(struct sql_args *args, uint32_t type, const void *bytes, size_t n)
{
	if (n > INT32_MAX)
		die("sql.too_long_arg", "bytes=%zu", n);
	begin(args, type, args->bytes.n);
	strbuf_add(&args->bytes, bytes, n);
	args->length[args->n - 1] = (int)n;
}

void arg_null(struct sql_args *args, uint32_t type_oid)
{
	begin(args, type_oid, SIZE_MAX);
}

void arg_bool(struct sql_args *args, bool value)
{
	add(args, BOOLOID, &(char){value}, 1);
}

void arg_i64(struct sql_args *args, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);
	add(args, INT8OID, &wire, sizeof(wire));
}

void arg_i64_or_null(struct sql_args *args, int64_t value, bool is_null)
{
	if (is_null)
		arg_null(args, INT8OID);
	else
		arg_i64(args, value);
}

void arg_text(struct sql_args *args, struct str value)
{
	add(args, TEXTOID, value.p, value.n);
}

void arg_text_or_null(struct sql_args *args, struct str value)
{
	if (value.p)
		arg_text(args, value);
	else
		arg_null(args, TEXTOID);
}

void arg_bytes(struct sql_args *args, const void *bytes, size_t n)
{
	add(args, BYTEAOID, bytes, n);
}

void arg_time(struct sql_args *args, int64_t wall_us)
{
	if (wall_us == INT64_MIN) {
		arg_null(args, TIMESTAMPTZOID);
		return;
	}
	uint64_t wire = htobe64((uint64_t)wire_time(wall_us));
	add(args, TIMESTAMPTZOID, &wire, sizeof(wire));
}

/* src/backend/utils/adt/arrayfuncs.c, array_recv: dimensions, "has nulls", element type; then for
 * each dimension its length and lower bound; then each element with its length before it. */
struct array_head {
	uint32_t dimensions, has_null, element_type, length, lower_bound;
};

static uint32_t array_type(uint32_t element_oid)
{
	switch (element_oid) {
	case BOOLOID:
		return BOOLARRAYOID;
	case BYTEAOID:
		return BYTEAARRAYOID;
	case INT8OID:
		return INT8ARRAYOID;
	case TEXTOID:
		return TEXTARRAYOID;
	case TIMESTAMPTZOID:
		return TIMESTAMPTZARRAYOID;
	default:
		die("sql.no_array_type", "element=%u", element_oid);
	}
}

struct sql_array arg_array(struct sql_args *args, uint32_t element_oid)
{
	struct array_head head = {0};
	begin(args, array_type(element_oid), args->bytes.n);
	struct sql_array array = {.args = args, .head = args->bytes.n, .element_oid = element_oid};
	strbuf_add(&args->bytes, &head, sizeof(head));
	return array;
}

static void element(struct sql_array *array, const void *bytes, size_t n)
{
	if (n > INT32_MAX)
		die("sql.too_long_arg", "bytes=%zu", n);
	uint32_t length = htobe32((uint32_t)n);
	strbuf_add(&array->args->bytes, &length, sizeof(length));
	strbuf_add(&array->args->bytes, bytes, n);
	array->count++;
}

void array_null(struct sql_array *array)
{
	uint32_t length = UINT32_MAX; /* -1 */
	strbuf_add(&array->args->bytes, &length, sizeof(length));
	array->has_null = true;
	array->count++;
}

void array_i64(struct sql_array *array, int64_t value)
{
	uint64_t wire = htobe64((uint64_t)value);
	element(array, &wire, sizeof(wire));
}

void array_text(struct sql_array *array, struct str value)
{
	if (value.p)
		element(array, value.p, value.n);
	else
		array_null(array);
}

void array_bytes(struct sql_array *array, const void *bytes, size_t n)
{
	element(array, bytes, n);
}

void array_time(struct sql_array *array, int64_t wall_us)
{
	if (wall_us == INT64_MIN)
		array_null(array);
	else
		array_i64(array, wire_time(wall_us));
}

void array_bool(struct sql_array *array, bool value)
{
	element(array, &(char){value}, 1);
}

void array_end(struct sql_array *array)
{
	struct sql_args *args = array->args;
	size_t n = args->bytes.n - array->head;
	struct array_head head = {
		.dimensions = htobe32(1),
		.has_null = htobe32(array->has_null),
		.element_type = htobe32(array->element_oid),
		.length = htobe32((uint32_t)array->count),
		.lower_bound = htobe32(1),
	};

	if (n > INT32_MAX)
		die("sql.too_long_arg", "bytes=%zu", n);
	memcpy(args->bytes.p + array->head, &head, sizeof(head));
	args->length[args->n - 1] = (int)n;
}

void args_to_libpq(const struct sql_args *args, struct libpq_args *out)
{
	*out = (struct libpq_args){.n = args ? args->n : 0};
	for (int i = 0; i < out->n; i++) {
		/* Empty text is not null: any pointer but NULL says so. */
		const char *bytes = args->bytes.p ? args->bytes.p + args->offset[i] : "";
		out->value[i] = args->offset[i] == SIZE_MAX ? NULL : bytes;
		out->length[i] = args->length[i];
		out->format[i] = 1;
		out->type[i] = args->type[i];
	}
}
