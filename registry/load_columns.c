/* Columns of a CSV file: see load_columns.h. */
#include "registry/load_columns.h"

#include <inttypes.h>

#include "common/base.h"

void load_columns_free(struct load_columns *columns)
{
	strbuf_free(&columns->names);
	strbuf_free(&columns->custom_text);
}

/* ---- the first line ---- */

static bool wrong(const char *what, struct err *err)
{
	return fail_code(err, ERR_INPUT, "invalid_csv", "the first line %s", what);
}

static void keep(struct load_columns *columns, const struct csv_record *record)
{
	const char *at;

	for (size_t i = 0; i < record->n; i++)
		strbuf_str(&columns->names, record->field[i]);
	at = strbuf_view(&columns->names).p;
	for (size_t i = 0; i < record->n; i++) {
		columns->name[i] = (struct str){at, record->field[i].n};
		at += record->field[i].n;
	}
	columns->n = record->n;
}

/* n when no column has the name. */
static size_t find(const struct load_columns *columns, struct str name)
{
	size_t i = 0;
	while (i < columns->n && !str_eq(columns->name[i], name))
		i++;
	return i;
}

static bool are_unique(const struct load_columns *columns, struct err *err)
{
	for (size_t i = 0; i < columns->n; i++) {
		if (columns->name[i].n == 0)
			return wrong("has a column without a name", err);
		if (find(columns, columns->name[i]) != i)
			return fail_code(err, ERR_INPUT, "invalid_csv",
				"the first line names %.*s twice",
				(int)MIN(columns->name[i].n, (size_t)40), columns->name[i].p);
	}
	return true;
}

static bool is_plain(const struct load_columns *columns, size_t i)
{
	return i != columns->phone_number && i != columns->did && i != columns->custom_data;
}

static bool has_plain(const struct load_columns *columns)
{
	for (size_t i = 0; i < columns->n; i++)
		if (is_plain(columns, i))
			return true;
	return false;
}

/* The separators that there are, so that one that is not the file's can be named. */
static bool not_found(const struct load_columns *columns, char separator, struct err *err)
{
	static const struct {
		char c;
		const char *name;
	} separators[] = {{',', "comma"}, {';', "semicolon"}, {'\t', "tab"}};
	struct str line = strbuf_view(&columns->names);

	for (size_t i = 0; i < ARRAY_LEN(separators); i++)
		if (separators[i].c != separator && memchr(line.p, separators[i].c, line.n))
			return fail_code(err, ERR_INPUT, "invalid_csv",
				"the first line names no column phone_number; is the separator a "
				"%s? Say so by separator=%s",
				separators[i].name, separators[i].name);
	return wrong("names no column phone_number", err);
}

bool load_columns_read(struct load_columns *columns, const struct csv_record *record,
	char separator, struct err *err)
{
	keep(columns, record);
	columns->phone_number = find(columns, STR("phone_number"));
	columns->did = find(columns, STR("did"));
	columns->custom_data = find(columns, STR("custom_data"));
	if (columns->phone_number == columns->n)
		return not_found(columns, separator, err);
	if (!are_unique(columns, err))
		return false;
	return columns->custom_data == columns->n || !has_plain(columns) ||
	       wrong("names custom_data and other columns; put these into it, or leave it out",
		       err);
}

/* ---- the others ---- */

/* The columns that have no meaning of their own, as one object. */
static struct str plain_columns(struct load_columns *columns, const struct csv_record *record)
{
	struct strbuf *sb = &columns->custom_text;

	strbuf_reset(sb);
	for (size_t i = 0; i < columns->n; i++) {
		if (!is_plain(columns, i))
			continue;
		strbuf_putc(sb, sb->n ? ',' : '{');
		strbuf_json(sb, columns->name[i]);
		strbuf_putc(sb, ':');
		strbuf_json(sb, record->field[i]);
	}
	if (sb->n == 0)
		return (struct str){NULL, 0};
	strbuf_putc(sb, '}');
	return strbuf_view(sb);
}

static bool is_object(struct str text, struct err *problem)
{
	struct json_digest ignored;
	struct json_scan scan;

	scan_begin(&scan, text, problem);
	bool is_json = scan_peek(&scan) != JSON_IS_OBJECT ||
		       (scan_value(&scan, &ignored) && scan_finish(&scan));
	enum json_kind kind = (scan.at = scan.begin, scan_peek(&scan));
	scan_end(&scan);
	if (!is_json)
		return fail_context(problem, "custom_data");
	return kind == JSON_IS_OBJECT ||
	       fail_code(problem, ERR_INPUT, "invalid_type",
		       "custom_data is no JSON object; send one or leave it empty");
}

bool load_columns_entry(struct load_columns *columns, const struct csv_record *record,
	struct batch_entry *entry, struct err *problem, struct err *err)
{
	if (record->n != columns->n)
		return fail_code(err, ERR_INPUT, "invalid_csv",
			"line %" PRIu64 " has %zu fields; the first line names %zu", record->line,
			record->n, columns->n);
	*entry = (struct batch_entry){.phone_number = record->field[columns->phone_number]};
	if (columns->did < columns->n && record->field[columns->did].n)
		entry->did = record->field[columns->did];
	if (columns->custom_data == columns->n) {
		entry->custom_data = plain_columns(columns, record);
	} else if (record->field[columns->custom_data].n) {
		entry->custom_data = record->field[columns->custom_data];
		if (!is_object(entry->custom_data, problem))
			entry->problem = problem;
	}
	return true;
}
