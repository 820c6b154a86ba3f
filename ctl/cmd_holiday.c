/* ccsctl holiday: add, list, remove, load. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl.h"
#include "registry/holiday.h"

#include "common/base.h"

enum { FILE_MOST = 1024 * 1024 };

const struct field holidays_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct holidays_input, member, need, __VA_ARGS__)
#include "ctl/holiday.def"
#undef TEXT
};
const size_t holidays_fields_n = ARRAY_LEN(holidays_fields);

const struct field holiday_file_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct holiday_file_input, member, need, __VA_ARGS__)
#include "ctl/holiday_file.def"
#undef TEXT
};
const size_t holiday_file_fields_n = ARRAY_LEN(holiday_file_fields);

/* What the segment says of a client is void; of a region's clients the dispatcher hears by the control row. */
static void committed(struct ctl *ctl, const struct holiday_changed *changed)
{
	if (changed->client_id)
		ctl_changed(ctl, changed->client_id);
}

bool holiday_add_day(struct ctl *ctl, struct err *err)
{
	const struct holiday_input *input = &ctl->input.holiday;
	struct holiday_changed changed;

	if (!fields_check(holiday_fields, holiday_fields_n, input, err) || !ctl_db(ctl, err) ||
		!holiday_add(ctl->db, ctl_actor(), input, &changed, err))
		return false;
	committed(ctl, &changed);
	if (ctl->json)
		out_json(json_pack(
			"{s:I, s:b}", "id", (json_int_t)changed.id, "added", (int)changed.added));
	else
		(void)printf("%.*s is holiday %" PRIu64 "%s.\n", (int)input->day.n, input->day.p,
			changed.id, changed.added ? "" : ", as before");
	return true;
}

bool holiday_remove_day(struct ctl *ctl, struct err *err)
{
	struct holiday_changed changed;
	uint64_t id;

	if (!str_to_u64(str_of(ctl->arguments[0]), 1, INT64_C(9007199254740991), &id))
		return fail(err, ERR_INPUT, "HOLIDAY is its id, as `ccsctl holiday list' shows it");
	if (!ctl_db(ctl, err) || !holiday_remove(ctl->db, ctl_actor(), id, &changed, err))
		return false;
	committed(ctl, &changed);
	if (ctl->json)
		out_json(json_pack("{s:I}", "id", (json_int_t)id));
	else
		(void)printf("Holiday %" PRIu64 " is removed.\n", id);
	return true;
}

static json_t *as_json(const struct rows *rows, int row)
{
	json_t *o = json_object();
	json_object_set_new(o, "id", json_integer(row_i64(rows, row, HOLIDAY_ID)));
	json_object_set_new(o, "accountcode", out_text(row_text(rows, row, HOLIDAY_ACCOUNTCODE)));
	json_object_set_new(o, "region", out_text(row_text(rows, row, HOLIDAY_REGION)));
	json_object_set_new(o, "day", out_text(row_text(rows, row, HOLIDAY_DAY)));
	json_object_set_new(o, "name", out_text(row_text(rows, row, HOLIDAY_NAME)));
	return o;
}

static void print_days(const struct rows *rows)
{
	(void)printf("%-8s %-10s  %-24s  %s\n", "ID", "DAY", "WHOSE", "NAME");
	for (int row = 0; row < rows->n; row++) {
		struct str day = row_text(rows, row, HOLIDAY_DAY),
			   name = row_text(rows, row, HOLIDAY_NAME);
		struct str whose = row_is_null(rows, row, HOLIDAY_REGION)
					   ? row_text(rows, row, HOLIDAY_ACCOUNTCODE)
					   : row_text(rows, row, HOLIDAY_REGION);
		(void)printf("%-8lld %-10.*s  %-24.*s  %.*s\n",
			(long long)row_i64(rows, row, HOLIDAY_ID), (int)day.n, day.p, (int)whose.n,
			whose.p, (int)name.n, name.p);
	}
	(void)printf("%d holiday%s.\n", rows->n, rows->n == 1 ? "" : "s");
}

bool holiday_list_all(struct ctl *ctl, struct err *err)
{
	const struct holidays_input *input = &ctl->input.holidays;
	const struct holiday_part part = {input->accountcode, input->region, 0, 0};
	struct rows rows = ROWS_INIT;
	uint64_t total;

	if (!fields_check(holidays_fields, holidays_fields_n, input, err) || !ctl_db(ctl, err) ||
		!holiday_list(ctl->db, &part, &rows, &total, err))
		return false;
	if (ctl->json) {
		json_t *items = json_array();
		for (int row = 0; row < rows.n; row++)
			json_array_append_new(items, as_json(&rows, row));
		out_json(json_pack("{s:o}", "holidays", items));
	} else {
		print_days(&rows);
	}
	rows_free(&rows);
	return true;
}

/* "-": standard input. */
static bool read_file(struct str named, struct strbuf *content, struct err *err)
{
	char piece[8192], path[4097];
	if (!str_copy(path, sizeof(path), named))
		return fail(err, ERR_INPUT, "the name of the file is too long");
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "re");
	size_t n;

	if (!file)
		return fail(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
	while (content->n <= FILE_MOST && (n = fread(piece, 1, sizeof(piece), file)) > 0)
		strbuf_str(content, (struct str){piece, n});
	bool ok = !ferror(file) || fail(err, ERR_INPUT, "cannot read %s", path);
	if (!is_input)
		(void)fclose(file);
	return ok && (content->n <= FILE_MOST ||
			     fail(err, ERR_INPUT, "%s is longer than a megabyte", path));
}

bool holiday_load_file(struct ctl *ctl, struct err *err)
{
	const struct holiday_file_input *input = &ctl->input.holiday_file;
	struct strbuf content = STRBUF_INIT;
	struct holiday_changed changed;

	bool ok = fields_check(holiday_file_fields, holiday_file_fields_n, input, err) &&
		  read_file(input->path, &content, err) && ctl_db(ctl, err) &&
		  holiday_load(ctl->db, ctl_actor(), input->accountcode, input->region,
			  strbuf_view(&content), &changed, err);
	strbuf_free(&content);
	if (!ok)
		return false;
	committed(ctl, &changed);
	if (ctl->json)
		out_json(json_pack("{s:I}", "added", (json_int_t)changed.added));
	else
		(void)printf("%" PRIu64 " holidays are new.\n", changed.added);
	return true;
}
