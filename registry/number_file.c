/* Files of numbers: see number_file.h. */
#include "registry/number_file.h"

#include <inttypes.h>
#include <stdlib.h>

#include <jansson.h>

#include "common/log.h"
#include "common/utf8.h"

#include "common/base.h"

static const struct {
	const char *name, *separators, *number, *country_code, *json, *columns;
} formats[] = {
#define FORMAT(constant, ...) [NUMBER_FILE_##constant] = {__VA_ARGS__},
#include "registry/number_file.def"
#undef FORMAT
	[NUMBER_FILE_NDJSON] = {"ndjson", "", "", "", "", ""},
};

enum { HEAD_BYTES = 64 * 1024 };

struct number_file {
	enum number_format format;
	number_record_fn *fn;
	void *arg;
	struct csv_reader csv;
	bool has_begun;	     /* the separator is known */
	bool has_columns;    /* and their names */
	struct strbuf head;  /* what has come before that; of NDJSON, of the line */
	struct strbuf names; /* of the columns, one behind the other */
	size_t ends[CSV_FIELDS_MAX];
	size_t n;
	struct strbuf number, custom;
	uint64_t lines;
};

bool number_format_find(struct str name, enum number_format *format)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (str_eq(name, str_of(formats[i].name))) {
			*format = (enum number_format)i;
			return true;
		}
	return false;
}

/* ---- columns ---- */

static void add_column(struct number_file *file, struct str name)
{
	strbuf_str(&file->names, str_trim(name));
	file->ends[file->n++] = file->names.n;
}

static struct str column(const struct number_file *file, size_t i)
{
	size_t from = i ? file->ends[i - 1] : 0;
	return (struct str){file->names.p + from, file->ends[i] - from};
}

/* n when there is none. */
static size_t find(const struct number_file *file, const char *name)
{
	size_t i = 0;
	while (i < file->n && !str_eq(column(file, i), str_of(name)))
		i++;
	return i;
}

static bool names_number(const struct number_file *file, const struct csv_record *record)
{
	for (size_t i = 0; i < record->n; i++)
		if (str_eq(str_trim(record->field[i]), str_of(formats[file->format].number)))
			return true;
	return false;
}

/* *is_head: the record is the first line, and names them. */
static bool read_columns(
	struct number_file *file, const struct csv_record *record, bool *is_head, struct err *err)
{
	struct str rest = str_of(formats[file->format].columns), name;

	file->has_columns = true;
	*is_head = names_number(file, record);
	for (size_t i = 0; *is_head && i < record->n; i++)
		add_column(file, record->field[i]);
	while (!*is_head && rest.n && str_split(&rest, ' ', &name))
		add_column(file, name);
	return file->n ||
	       fail_code(err, ERR_INPUT, "invalid_csv", "the first line names no column %s",
		       formats[file->format].number);
}

/* ---- a record ---- */

static struct str field(
	const struct number_file *file, const struct csv_record *record, const char *name)
{
	size_t i = find(file, name);
	return i < file->n && i < record->n ? str_trim(record->field[i]) : (struct str){"", 0};
}

static void make_number(struct number_file *file, const struct csv_record *record)
{
	struct str code = field(file, record, formats[file->format].country_code);
	struct str number = field(file, record, formats[file->format].number);

	strbuf_reset(&file->number);
	if (code.n && number.n && number.p[0] != '+') {
		strbuf_putc(&file->number, '+');
		strbuf_str(&file->number, code);
	}
	strbuf_str(&file->number, number);
}

/* The members of an object that stands in a column. */
static bool add_json(struct number_file *file, struct str text, uint64_t line, struct err *err)
{
	json_error_t why;
	json_t *object = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &why);

	if (!json_is_object(object)) {
		json_decref(object);
		return fail_code(err, ERR_INPUT, "invalid_json",
			"%s of line %" PRIu64 " is no JSON object", formats[file->format].json,
			line);
	}
	char *dumped = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!dumped)
		die("memory.exhausted", "bytes=%zu", text.n);
	size_t n = strlen(dumped);
	if (n > 2) {
		strbuf_putc(&file->custom, file->custom.n > 1 ? ',' : ' ');
		strbuf_add(&file->custom, dumped + 1, n - 2);
	}
	free(dumped);
	return true;
}

static bool make_custom(struct number_file *file, const struct csv_record *record, struct err *err)
{
	strbuf_reset(&file->custom);
	strbuf_putc(&file->custom, '{');
	for (size_t i = 0; i < MIN(file->n, record->n); i++) {
		struct str name = column(file, i), value = str_trim(record->field[i]);
		if (value.n == 0 || str_eq(name, str_of(formats[file->format].number)) ||
			str_eq(name, str_of(formats[file->format].country_code)))
			continue;
		if (str_eq(name, str_of(formats[file->format].json))) {
			if (!add_json(file, value, record->line, err))
				return false;
			continue;
		}
		if (file->custom.n > 1)
			strbuf_putc(&file->custom, ',');
		strbuf_json(&file->custom, name);
		strbuf_putc(&file->custom, ':');
		strbuf_json(&file->custom, value);
	}
	strbuf_putc(&file->custom, '}');
	return true;
}

static bool take_record(void *arg, const struct csv_record *record, struct err *err)
{
	struct number_file *file = arg;
	bool is_head = false;

	if (!file->has_columns && !read_columns(file, record, &is_head, err))
		return false;
	if (is_head)
		return true;
	if (record->n > file->n)
		return fail_code(err, ERR_INPUT, "invalid_csv",
			"line %" PRIu64 " has %zu fields; there are %zu columns", record->line,
			record->n, file->n);
	make_number(file, record);
	if (!make_custom(file, record, err))
		return false;
	struct str custom = strbuf_view(&file->custom);
	return file->fn(file->arg,
		&(struct number_record){.line = record->line,
			.number = strbuf_view(&file->number),
			.custom_data = custom.n > 2 ? custom : (struct str){NULL, 0}},
		err);
}

static bool take_line(struct number_file *file, struct str line, struct err *err)
{
	json_error_t why;

	file->lines++;
	if (str_trim(line).n == 0)
		return true;
	json_t *object = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &why);
	const json_t *number = json_object_get(object, "phone_number");
	bool ok = json_is_string(number) ||
		  fail_code(err, ERR_INPUT, "invalid_json",
			  "line %" PRIu64 " is no JSON object with a phone_number as text",
			  file->lines);
	if (ok)
		ok = file->fn(file->arg,
			&(struct number_record){.line = file->lines,
				.number = {json_string_value(number), json_string_length(number)}},
			err);
	json_decref(object);
	return ok;
}

/* ---- bytes ---- */

static bool push_lines(struct number_file *file, struct str bytes, struct err *err)
{
	const char *end;

	while ((end = memchr(bytes.p, '\n', bytes.n))) {
		size_t n = (size_t)(end - bytes.p);
		strbuf_add(&file->head, bytes.p, n);
		if (!take_line(file, strbuf_view(&file->head), err))
			return false;
		strbuf_reset(&file->head);
		bytes = (struct str){end + 1, bytes.n - n - 1};
	}
	strbuf_str(&file->head, bytes);
	return file->head.n <= HEAD_BYTES ||
	       fail_code(err, ERR_INPUT, "invalid_json", "line %" PRIu64 " has more than %d bytes",
		       file->lines + 1, (int)HEAD_BYTES);
}

/* The separator that stands in the first line: the first of those that the format may have. */
static char separator_of(const struct number_file *file, struct str line)
{
	for (const char *one = formats[file->format].separators; *one; one++)
		if (memchr(line.p, *one, line.n))
			return *one;
	return formats[file->format].separators[0];
}

/* The first line is there. What some programs write in front of UTF-8 goes. */
static bool begin(struct number_file *file, struct err *err)
{
	struct str head = strbuf_view(&file->head);
	const char *end = memchr(head.p, '\n', head.n);

	if (head.n >= 3 && memcmp(head.p, "\xef\xbb\xbf", 3) == 0)
		head = (struct str){head.p + 3, head.n - 3};
	struct str line = {head.p, end ? (size_t)(end - head.p) : head.n};
	file->has_begun = true;
	csv_reader_begin(&file->csv, separator_of(file, line), take_record, file);
	return csv_reader_push(&file->csv, head, err);
}

bool number_file_push(struct number_file *file, struct str bytes, struct err *err)
{
	if (bytes.n == 0)
		return true;
	if (file->format == NUMBER_FILE_NDJSON)
		return push_lines(file, bytes, err);
	if (file->has_begun)
		return csv_reader_push(&file->csv, bytes, err);
	strbuf_str(&file->head, bytes);
	return (!memchr(bytes.p, '\n', bytes.n) && file->head.n < HEAD_BYTES) || begin(file, err);
}

bool number_file_finish(struct number_file *file, struct err *err)
{
	if (file->format == NUMBER_FILE_NDJSON)
		return file->head.n == 0 || take_line(file, strbuf_view(&file->head), err);
	return (file->has_begun || begin(file, err)) && csv_reader_finish(&file->csv, err);
}

struct number_file *number_file_new(enum number_format format, number_record_fn *fn, void *arg)
{
	struct number_file *file = calloc(1, sizeof(*file));
	if (!file)
		die("memory.exhausted", "bytes=%zu", sizeof(*file));
	file->format = format;
	file->fn = fn;
	file->arg = arg;
	return file;
}

void number_file_free(struct number_file *file)
{
	if (file->has_begun)
		csv_reader_free(&file->csv);
	strbuf_free(&file->head);
	strbuf_free(&file->names);
	strbuf_free(&file->number);
	strbuf_free(&file->custom);
	free(file);
}
