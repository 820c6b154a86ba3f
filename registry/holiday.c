/* Holidays: see holiday.h. */
#include "registry/holiday.h"

#include <inttypes.h>
#include <stdio.h>

#include "registry/change.h"
#include "registry/csv_reader.h"
#include "registry/field_args.h"
#include "registry/fine.h"

#include "common/base.h"

const struct field holiday_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct holiday_input, member, need, __VA_ARGS__)
#include "registry/holiday.def"
#undef TEXT
};
const size_t holiday_fields_n = ARRAY_LEN(holiday_fields);

static bool has_one_owner(const struct holiday_input *input, struct err *err)
{
	return (input->accountcode.p != NULL) != (input->region.p != NULL) ||
	       fail_code(err, ERR_INPUT, "invalid_field",
		       "send accountcode or region: whose holiday it is");
}

/* One day, inside a transaction. */
static bool insert(struct db *db, const struct holiday_input *input,
	struct holiday_changed *changed, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_text_or_null(&args, input->accountcode);
	arg_text_or_null(&args, input->region);
	arg_text(&args, input->day);
	arg_text(&args, input->name.p ? input->name : STR(""));
	bool ok = db_query(db, SQL_HOLIDAY_ADD, &args, &rows, err);
	args_free(&args);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "no client has accountcode %.*s",
			(int)MIN(input->accountcode.n, (size_t)40), input->accountcode.p);
	if (ok) {
		changed->id = (uint64_t)row_i64(&rows, 0, 0);
		changed->client_id = (uint64_t)row_i64(&rows, 0, 1);
		changed->added += row_bool(&rows, 0, 2);
	}
	rows_free(&rows);
	return ok;
}

/* Who has it: an account code, or a region. */
static struct str owner_of(const struct holiday_input *input)
{
	return input->accountcode.p ? input->accountcode : input->region;
}

static bool record(struct db *db, const char *actor, const char *action,
	const struct holiday_input *input, const struct holiday_changed *changed, struct err *err)
{
	char subject[48];
	struct strbuf detail = STRBUF_INIT;
	strbuf_printf(&detail, "{\"days\":%" PRIu64 ",\"day\":", changed->added);
	strbuf_json(&detail, input->day.p ? input->day : STR(""));
	strbuf_putc(&detail, '}');
	bool ok = (str_copy(subject, sizeof(subject), owner_of(input)) ||
			  fail(err, ERR_INTERNAL, "an owner of a holiday is too long")) &&
		  change_announce(db, changed->client_id, err) &&
		  change_record(db, actor, action, subject, detail.p, err);
	strbuf_free(&detail);
	return ok;
}

bool holiday_add(struct db *db, const char *actor, const struct holiday_input *input,
	struct holiday_changed *changed, struct err *err)
{
	*changed = (struct holiday_changed){0};
	if (!fields_check(holiday_fields, holiday_fields_n, input, err) ||
		!has_one_owner(input, err) || !db_ready(db, err))
		return false;
	if (db_begin(db, err) && insert(db, input, changed, err) &&
		record(db, actor, "holiday.add", input, changed, err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

/* ---- a file ---- */

struct loading {
	struct db *db;
	struct holiday_input input; /* whose they are */
	struct holiday_changed *changed;
};

static bool is_heading(const struct csv_record *record)
{
	return record->line == 1 && str_case_eq(record->field[0], STR("day"));
}

static bool take_record(void *arg, const struct csv_record *record, struct err *err)
{
	struct loading *loading = arg;
	struct holiday_input input = loading->input;
	if (is_heading(record))
		return true;
	if (record->n > 2)
		return fail(err, ERR_INPUT, "line %" PRIu64 " has %zu fields: a day and a name",
			record->line, record->n);
	input.day = record->field[0];
	if (record->n == 2 && record->field[1].n)
		input.name = record->field[1];
	return (fields_check(holiday_fields, holiday_fields_n, &input, err) &&
		       insert(loading->db, &input, loading->changed, err)) ||
	       fail_context(err, "line %" PRIu64, record->line);
}

static bool load_all(struct loading *loading, const char *actor, struct str file, struct err *err)
{
	struct csv_reader csv;
	csv_reader_begin(&csv, ',', take_record, loading);
	bool ok =
		csv_reader_push(&csv, file, err) && csv_reader_finish(&csv, err) &&
		record(loading->db, actor, "holiday.load", &loading->input, loading->changed, err);
	csv_reader_free(&csv);
	return ok;
}

bool holiday_load(struct db *db, const char *actor, struct str accountcode, struct str region,
	struct str file, struct holiday_changed *changed, struct err *err)
{
	struct loading loading = {db, {.accountcode = accountcode, .region = region}, changed};
	*changed = (struct holiday_changed){0};
	if (!fields_check_given(holiday_fields, holiday_fields_n, &loading.input, err) ||
		!has_one_owner(&loading.input, err) || !db_ready(db, err))
		return false;
	if (db_begin(db, err) && load_all(&loading, actor, file, err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

/* ---- ended, listed ---- */

/* Whose it was is known when it is gone. */
static bool delete(struct db *db, const char *actor, uint64_t id, struct holiday_changed *changed,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;

	arg_i64(&args, (int64_t)id);
	bool ok = db_query(db, SQL_HOLIDAY_REMOVE, &args, &rows, err);
	args_free(&args);
	if (ok && rows.n == 0)
		ok = fail(err, ERR_MISSING, "there is no holiday %" PRIu64, id);
	if (ok) {
		const struct holiday_input was = {
			.accountcode = row_text(&rows, 0, 1), .day = row_text(&rows, 0, 2)};
		changed->client_id = (uint64_t)row_i64(&rows, 0, 0);
		ok = record(db, actor, "holiday.remove", &was, changed, err);
	}
	rows_free(&rows);
	return ok;
}

bool holiday_remove(struct db *db, const char *actor, uint64_t id, struct holiday_changed *changed,
	struct err *err)
{
	*changed = (struct holiday_changed){.id = id};
	if (!db_ready(db, err))
		return false;
	if (db_begin(db, err) && delete (db, actor, id, changed, err) && db_commit(db, err))
		return true;
	db_rollback(db);
	return false;
}

bool holiday_list(struct db *db, const struct holiday_part *part, struct rows *rows,
	uint64_t *total, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_text_or_null(&args, part->accountcode);
	arg_text_or_null(&args, part->region);
	if (part->limit)
		arg_i64(&args, part->limit);
	else
		arg_null(&args, INT8OID);
	arg_i64(&args, part->offset);
	bool ok = db_query(db, SQL_HOLIDAY_LIST, &args, rows, err);
	args_free(&args);
	if (!ok)
		return false;
	*total = (uint64_t)row_i64(rows, 0, HOLIDAY_TOTAL);
	if (row_is_null(rows, 0, HOLIDAY_ID))
		rows->n = 0;
	return true;
}
