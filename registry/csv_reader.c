/* CSV, record by record: see csv_reader.h. */
#include "registry/csv_reader.h"

#include <inttypes.h>

#include "common/utf8.h"

#include "common/base.h"

void csv_reader_begin(struct csv_reader *csv, char separator, csv_record_fn *fn, void *arg)
{
	*csv = (struct csv_reader){.separator = separator,
		.fn = fn,
		.arg = arg,
		.line = 1,
		.began = 1,
		.text = STRBUF_INIT};
}

void csv_reader_free(struct csv_reader *csv)
{
	strbuf_free(&csv->text);
}

static bool wrong(const struct csv_reader *csv, const char *what, struct err *err)
{
	return fail_code(err, ERR_INPUT, "invalid_csv", "line %" PRIu64 " %s", csv->line, what);
}

/* ---- a record ---- */

static bool field_ends(struct csv_reader *csv, struct err *err)
{
	if (csv->n == CSV_FIELDS_MAX)
		return wrong(csv, "has more than 128 fields", err);
	csv->ends[csv->n++] = csv->text.n;
	csv->place = CSV_BEGINS_FIELD;
	return true;
}

/* Field by field: two halves of a character in two fields are none. */
static bool is_text(const struct csv_record *record, struct err *err)
{
	for (size_t i = 0; i < record->n; i++)
		if (!utf8_is_text(record->field[i]))
			return fail_code(err, ERR_INPUT, "invalid_encoding",
				"line %" PRIu64 " is not UTF-8; save the file as UTF-8",
				record->line);
	return true;
}

static bool tell(struct csv_reader *csv, struct err *err)
{
	struct csv_record record = {.line = csv->began, .n = csv->n};
	size_t from = 0;

	for (size_t i = 0; i < csv->n; i++) {
		record.field[i] =
			(struct str){csv->text.p ? csv->text.p + from : "", csv->ends[i] - from};
		from = csv->ends[i];
	}
	return is_text(&record, err) && csv->fn(csv->arg, &record, err);
}

static bool record_ends(struct csv_reader *csv, struct err *err)
{
	bool is_empty = csv->n == 0 && csv->text.n == 0 && !csv->was_quoted;

	if (!is_empty && (!field_ends(csv, err) || !tell(csv, err)))
		return false;
	strbuf_reset(&csv->text);
	csv->n = 0;
	csv->was_quoted = false;
	csv->began = ++csv->line;
	csv->place = CSV_BEGINS_FIELD;
	return true;
}

/* ---- one byte, by what stands before it ---- */

static bool add(struct csv_reader *csv, char c, enum csv_place place, struct err *err)
{
	if (csv->text.n == CSV_RECORD_BYTES)
		return fail_code(err, ERR_INPUT, "invalid_csv",
			"the record that begins on line %" PRIu64
			" has more than %d bytes; is a quote missing?",
			csv->began, (int)CSV_RECORD_BYTES);
	strbuf_putc(&csv->text, c);
	csv->place = place;
	return true;
}

static bool outside_quotes(struct csv_reader *csv, char c, struct err *err)
{
	if (c == csv->separator)
		return field_ends(csv, err);
	if (c == '\n')
		return record_ends(csv, err);
	if (c == '\r') {
		csv->place = CSV_BEHIND_CR;
		return true;
	}
	if (csv->place == CSV_BEHIND_QUOTE)
		return wrong(csv, "has text behind a closing quote", err);
	if (c != '"')
		return add(csv, c, CSV_IN_FIELD, err);
	if (csv->place == CSV_IN_FIELD)
		return wrong(csv,
			"has a quote inside a field; put the field in quotes, and each quote in it "
			"twice",
			err);
	csv->place = CSV_IN_QUOTES;
	csv->was_quoted = true;
	return true;
}

static bool in_quotes(struct csv_reader *csv, char c, struct err *err)
{
	if (c == '"') {
		csv->place = CSV_BEHIND_QUOTE;
		return true;
	}
	csv->line += c == '\n';
	return add(csv, c, CSV_IN_QUOTES, err);
}

static bool take(struct csv_reader *csv, char c, struct err *err)
{
	switch (csv->place) {
	case CSV_IN_QUOTES:
		return in_quotes(csv, c, err);
	case CSV_BEHIND_QUOTE:
		return c == '"' ? add(csv, c, CSV_IN_QUOTES, err) : outside_quotes(csv, c, err);
	case CSV_BEHIND_CR:
		return c == '\n' ? record_ends(csv, err)
				 : wrong(csv, "ends with CR alone; end lines with CRLF or LF", err);
	case CSV_BEGINS_FIELD:
	case CSV_IN_FIELD:
		break;
	}
	return outside_quotes(csv, c, err);
}

bool csv_reader_push(struct csv_reader *csv, struct str bytes, struct err *err)
{
	for (size_t i = 0; i < bytes.n; i++)
		if (!take(csv, bytes.p[i], err))
			return false;
	return true;
}

bool csv_reader_finish(struct csv_reader *csv, struct err *err)
{
	if (csv->place == CSV_IN_QUOTES)
		return fail_code(err, ERR_INPUT, "invalid_csv",
			"the file ends inside the quotes of the record that begins on line "
			"%" PRIu64,
			csv->began);
	return record_ends(csv, err);
}
