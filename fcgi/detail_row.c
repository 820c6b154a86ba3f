/* Finished attempts: see detail_row.h. */
#include "fcgi/detail_row.h"

#include "fcgi/cell.h"
#include "fcgi/put.h"
#include "registry/call_id.h"
#include "registry/number.h"
#include "sql/db.h"

#include "common/base.h"

/* Columns of details_load. */
enum column {
	ENTRY_ID,
	ATTEMPT,
	BATCH_ID,
	PHONE_NUMBER,
	SERVER_CODE,
	DID,
	DISPOSITION,
	IS_FINAL,
	HANGUP_CAUSE,
	REASON,
	ESTIMATED,
	STARTED_AT,
	ANSWERED_AT,
	ENDED_AT,
	DURATION_MS,
	BILLSEC_MS,
	CUSTOM_DATA,
	E164,
	NUMBER_TYPE,
	REGION,
	ANSWERED_BY,
	RESULT,
	OPTED_OUT,
	ATTEMPTS_LEFT,
	DUE_AT,
	RECORDING
};

bool detail_rows_load(
	struct app *app, const struct attempt_id *ids, size_t n, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	struct sql_array entries = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&entries, (int64_t)ids[i].entry_id);
	array_end(&entries);
	struct sql_array attempts = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&attempts, (int64_t)ids[i].n);
	array_end(&attempts);
	bool ok = db_query_as(app->db, app->client.id, SQL_DETAILS_LOAD, &args, rows, err);
	args_free(&args);
	return ok;
}

int64_t detail_row_started_us(const struct rows *rows, int row)
{
	return row_time(rows, row, STARTED_AT);
}

struct attempt_id detail_row_id(const struct rows *rows, int row)
{
	return (struct attempt_id){
		(uint64_t)row_i64(rows, row, ENTRY_ID), (uint64_t)row_i64(rows, row, ATTEMPT)};
}

/* ---- members that are no column as it is; room holds a text that is made ---- */

enum { ROOM_BYTES = CALL_ID_BYTES };
_Static_assert((int)ROOM_BYTES > (int)NUMBER_MAX_DIGITS + 1, "a number with its '+'");

typedef struct cell made_fn(const struct rows *rows, int row, char room[ROOM_BYTES]);

static struct cell call_id(const struct rows *rows, int row, char room[ROOM_BYTES])
{
	struct attempt_id id = detail_row_id(rows, row);
	return cell_text(call_id_text(id.entry_id, id.n, room));
}

static struct cell status(const struct rows *rows, int row, char room[ROOM_BYTES])
{
	(void)room;
	return cell_text(row_bool(rows, row, IS_FINAL) ? row_text(rows, row, DISPOSITION)
						       : STR("retry_wait"));
}

static struct cell e164(const struct rows *rows, int row, char room[ROOM_BYTES])
{
	room[0] = '+';
	bool is_known = row_copy(rows, row, E164, room + 1, ROOM_BYTES - 1) && room[1];
	return cell_text(str_of(is_known ? room : NULL));
}

static struct cell number_type(const struct rows *rows, int row, char room[ROOM_BYTES])
{
	(void)room;
	return cell_text(str_of(number_type_name((uint32_t)row_i64(rows, row, NUMBER_TYPE))));
}

static struct cell nothing(const struct rows *rows, int row, char room[ROOM_BYTES])
{
	(void)rows;
	(void)row;
	(void)room;
	return (struct cell){.kind = CELL_NULL};
}

/* ---- all of them, in the order in which they are told ---- */

static const struct member {
	const char *name;
	made_fn *make; /* NULL: a column */
	enum column column;
	enum cell_kind kind;
} members[] = {
	{.name = "call_id", .make = call_id},
	{"batch_id", NULL, BATCH_ID, CELL_NUMBER},
	{"attempt", NULL, ATTEMPT, CELL_NUMBER},
	{"is_final", NULL, IS_FINAL, CELL_BOOL},
	{"attempts_left", NULL, ATTEMPTS_LEFT, CELL_NUMBER},
	{"next_attempt_at", NULL, DUE_AT, CELL_TIME},
	{"phone_number", NULL, PHONE_NUMBER, CELL_TEXT},
	{.name = "e164", .make = e164},
	{.name = "number_type", .make = number_type},
	{"region", NULL, REGION, CELL_TEXT},
	{"server_code", NULL, SERVER_CODE, CELL_TEXT},
	{"did", NULL, DID, CELL_TEXT},
	{.name = "status", .make = status},
	{"disposition", NULL, DISPOSITION, CELL_TEXT},
	{"hangup_cause", NULL, HANGUP_CAUSE, CELL_NUMBER},
	{"reason", NULL, REASON, CELL_TEXT},
	{"estimated", NULL, ESTIMATED, CELL_BOOL},
	{"started_at", NULL, STARTED_AT, CELL_TIME},
	{"answered_at", NULL, ANSWERED_AT, CELL_TIME},
	{"ended_at", NULL, ENDED_AT, CELL_TIME},
	{"duration", NULL, DURATION_MS, CELL_MS},
	{"billsec", NULL, BILLSEC_MS, CELL_MS},
	{"answered_by", NULL, ANSWERED_BY, CELL_TEXT},
	{"result", NULL, RESULT, CELL_JSON},
	{"recording", NULL, RECORDING, CELL_TEXT},
	{"opted_out", NULL, OPTED_OUT, CELL_BOOL},
	{.name = "recording_url", .make = nothing},
	{"custom_data", NULL, CUSTOM_DATA, CELL_JSON},
};

static struct cell cell_of(
	const struct member *member, const struct rows *rows, int row, char room[ROOM_BYTES])
{
	enum column column = member->column;

	if (member->make)
		return member->make(rows, row, room);
	if (row_is_null(rows, row, column))
		return (struct cell){.kind = CELL_NULL};
	if (member->kind == CELL_TEXT || member->kind == CELL_JSON)
		return (struct cell){.kind = member->kind, .text = row_text(rows, row, column)};
	return cell_number(member->kind, member->kind == CELL_TIME ? row_time(rows, row, column)
								   : row_i64(rows, row, column));
}

void put_detail_row(struct strbuf *sb, const struct rows *rows, int row)
{
	char room[ROOM_BYTES];

	put_object(sb, NULL);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		struct cell cell = cell_of(&members[i], rows, row, room);
		put_cell(sb, members[i].name, &cell);
	}
	put_end(sb, '}');
}

void csv_detail_names(struct strbuf *sb)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		struct cell name = cell_text(str_of(members[i].name));
		csv_cell(sb, &name, CSV_FOR_PROGRAMS);
	}
	csv_end(sb);
}

void csv_detail_row(struct strbuf *sb, const struct rows *rows, int row, enum csv_for whom)
{
	char room[ROOM_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		struct cell cell = cell_of(&members[i], rows, row, room);
		csv_cell(sb, &cell, whom);
	}
	csv_end(sb);
}
