/* Entries: see entry_row.h. */
#include "fcgi/entry_row.h"
#include "fcgi/put_plan.h"
#include "registry/call_id.h"
#include "registry/number.h"
#include "shm/directory.h"
#include "sql/db.h"

#include "common/base.h"

/* Columns of entries_load. */
enum column {
	ENTRY_ID,
	QUEUE_ID,
	BATCH_ID,
	PHONE_NUMBER,
	CUSTOM_DATA,
	CREATED_AT,
	DISPATCHED,
	ATTEMPTS,
	N, /* from here on of a finished attempt, null without one */
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
	PAUSED, /* of its batch */
	CANCELED,
	E164, /* and two more: put_plan */
	ANSWERED_BY = E164 + 3,
	RESULT,
	OPTED_OUT,
	ATTEMPTS_LEFT,
	DUE_AT,	  /* of the next attempt */
	ENDED_AS, /* the entry */
	RECORDING
};

bool entry_rows_load(struct app *app, uint64_t client_id, const uint64_t *ids, size_t n,
	uint64_t attempt, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)client_id);
	struct sql_array array = arg_array(&args, INT8OID);
	for (size_t i = 0; i < n; i++)
		array_i64(&array, (int64_t)ids[i]);
	array_end(&array);
	arg_i64(&args, (int64_t)attempt);
	bool ok = db_query_as(app->db, client_id, SQL_ENTRIES_LOAD, &args, rows, err);
	args_free(&args);
	return ok;
}

uint64_t entry_row_id(const struct rows *rows, int row)
{
	return (uint64_t)row_i64(rows, row, ENTRY_ID);
}

uint64_t entry_row_attempts(const struct rows *rows, int row)
{
	return (uint64_t)row_i64(rows, row, ATTEMPTS);
}

bool entry_row_is_told(const struct rows *rows, int row)
{
	return !row_is_null(rows, row, N);
}

/* The attempt that is going on, which the segment knows and PostgreSQL has no outcome of. */
static const struct live_call *going_on(const struct rows *rows, int row, const struct live *live)
{
	const struct live_call *call = live_find(live, entry_row_id(rows, row));
	bool over = call && !row_is_null(rows, row, N) && row_i64(rows, row, N) >= (int64_t)call->n;
	return over ? NULL : call;
}

static enum state final_state(struct str disposition)
{
	for (enum state s = STATE_FIRST_FINAL; s < STATE__N; s++)
		if (str_eq(disposition, state_name(s)))
			return s;
	return STATE_unknown;
}

enum state entry_row_state(const struct rows *rows, int row, const struct live *live)
{
	const struct live_call *call = going_on(rows, row, live);

	if (!row_is_null(rows, row, ENDED_AS))
		return final_state(row_text(rows, row, ENDED_AS));
	if (call)
		return call->state;
	if (row_i64(rows, row, ATTEMPTS) > 0 && row_is_null(rows, row, N) && !live->known)
		return STATE_dialing; /* journalled: so much is certain */
	if (!row_is_null(rows, row, DUE_AT))
		return STATE_retry_wait;
	return row_bool(rows, row, DISPATCHED) ? STATE_queued : STATE_pending;
}

static void put_number(
	struct strbuf *sb, const char *key, const struct rows *rows, int row, enum column column)
{
	if (row_is_null(rows, row, column))
		put_null(sb, key);
	else
		put_i64(sb, key, row_i64(rows, row, column));
}

static void put_outcome(struct strbuf *sb, const struct rows *rows, int row)
{
	put_text(sb, "server_code", row_text(rows, row, SERVER_CODE));
	put_text(sb, "did", row_text(rows, row, DID));
	put_text(sb, "disposition", row_text(rows, row, DISPOSITION));
	put_number(sb, "hangup_cause", rows, row, HANGUP_CAUSE);
	put_text(sb, "reason", row_text(rows, row, REASON));
	put_bool(sb, "estimated", row_bool(rows, row, ESTIMATED));
	put_time_ms(sb, "started_at", row_time(rows, row, STARTED_AT));
	put_time_ms(sb, "answered_at", row_time(rows, row, ANSWERED_AT));
	put_time_ms(sb, "ended_at", row_time(rows, row, ENDED_AT));
	put_ms(sb, "duration", row_i64(rows, row, DURATION_MS));
	put_ms(sb, "billsec", row_i64(rows, row, BILLSEC_MS));
	put_text(sb, "answered_by", row_text(rows, row, ANSWERED_BY));
	put_raw(sb, "result", row_text(rows, row, RESULT));
	put_text(sb, "recording", row_text(rows, row, RECORDING));
	put_bool(sb, "opted_out", row_bool(rows, row, OPTED_OUT));
}

/* The same members, of a call that goes on (or, NULL, of none). */
static void put_progress(struct app *app, struct strbuf *sb, const struct live_call *call)
{
	struct shm_server server;
	bool placed = call && call->state != STATE_queued &&
		      dir_server(app->segment, call->server_id, &server);

	put_text(sb, "server_code", str_of(placed ? server.server_code : NULL));
	put_text(sb, "did", str_of(placed ? call->did : NULL));
	put_null(sb, "disposition");
	put_null(sb, "hangup_cause");
	put_null(sb, "reason");
	put_bool(sb, "estimated", false);
	put_time_ms(sb, "started_at", placed ? call->sent_us : 0);
	put_time_ms(sb, "answered_at", placed ? call->answered_us : 0);
	put_null(sb, "ended_at");
	put_null(sb, "duration");
	put_null(sb, "billsec");
	put_null(sb, "answered_by");
	put_null(sb, "result");
	put_null(sb, "recording");
	put_bool(sb, "opted_out", false);
}

/* What stands beside its batch goes before what the dispatcher says. */
static enum gate gate_of(const struct rows *rows, int row, enum state state, enum gate gate)
{
	if (row_bool(rows, row, CANCELED))
		return GATE_canceled;
	if (state == STATE_pending)
		return GATE_not_dispatched;
	if (row_bool(rows, row, PAUSED))
		return GATE_paused;
	return state == STATE_retry_wait ? GATE_retry_wait : gate;
}

void put_entry_row(struct app *app, struct strbuf *sb, const struct rows *rows, int row,
	const struct live *live, enum gate gate)
{
	const struct live_call *call = going_on(rows, row, live);
	uint64_t id = entry_row_id(rows, row), attempts = (uint64_t)row_i64(rows, row, ATTEMPTS);
	enum state state = entry_row_state(rows, row, live);
	bool told = !call && !row_is_null(rows, row, N);
	uint64_t n = told ? (uint64_t)row_i64(rows, row, N) : attempts;
	char call_id[CALL_ID_BYTES];

	put_u64(sb, "id", id);
	put_text(sb, "call_id", call_id_text(id, MAX(n, UINT64_C(1)), call_id));
	put_number(sb, "queue_id", rows, row, QUEUE_ID);
	put_number(sb, "batch_id", rows, row, BATCH_ID);
	put_text(sb, "phone_number", row_text(rows, row, PHONE_NUMBER));
	put_plan(sb, rows, row, E164);
	put_text(sb, "status", state_name(state));
	gate = gate_of(rows, row, state, gate);
	if (state <= STATE_retry_wait && gate != GATE_NONE)
		put_text(sb, "blocked_reason", str_of(gate_texts[gate].name));
	else
		put_null(sb, "blocked_reason");
	put_u64(sb, "attempts", attempts);
	put_u64(sb, "attempt", MAX(n, UINT64_C(1)));
	put_bool(sb, "is_final", told && row_bool(rows, row, IS_FINAL));
	if (told && row_bool(rows, row, IS_FINAL))
		put_u64(sb, "attempts_left", 0);
	else
		put_number(sb, "attempts_left", rows, row, ATTEMPTS_LEFT);
	put_time_ms(sb, "next_attempt_at", row_time(rows, row, DUE_AT));
	if (told)
		put_outcome(sb, rows, row);
	else
		put_progress(app, sb, call);
	put_time_ms(sb, "created_at", row_time(rows, row, CREATED_AT));
	put_null(sb, "recording_url");
	put_raw(sb, "custom_data", row_text(rows, row, CUSTOM_DATA));
}

/* ---- CSV: what is stored of an entry; of a call that goes on only that it does ---- */

static const struct csv_column {
	const char *name;
	enum column column;
	enum cell_kind kind;
} csv_columns[] = {
	{"server_code", SERVER_CODE, CELL_TEXT},
	{"did", DID, CELL_TEXT},
	{"disposition", DISPOSITION, CELL_TEXT},
	{"hangup_cause", HANGUP_CAUSE, CELL_NUMBER},
	{"reason", REASON, CELL_TEXT},
	{"started_at", STARTED_AT, CELL_TIME},
	{"answered_at", ANSWERED_AT, CELL_TIME},
	{"ended_at", ENDED_AT, CELL_TIME},
	{"duration", DURATION_MS, CELL_MS},
	{"billsec", BILLSEC_MS, CELL_MS},
	{"answered_by", ANSWERED_BY, CELL_TEXT},
	{"result", RESULT, CELL_JSON},
	{"custom_data", CUSTOM_DATA, CELL_JSON},
};

static const char *const csv_made[] = {
	"id", "call_id", "phone_number", "e164", "status", "blocked_reason", "attempts"};

void csv_entry_names(struct strbuf *sb)
{
	struct cell name;

	for (size_t i = 0; i < ARRAY_LEN(csv_made); i++) {
		name = cell_text(str_of(csv_made[i]));
		csv_cell(sb, &name, CSV_FOR_PROGRAMS);
	}
	for (size_t i = 0; i < ARRAY_LEN(csv_columns); i++) {
		name = cell_text(str_of(csv_columns[i].name));
		csv_cell(sb, &name, CSV_FOR_PROGRAMS);
	}
	csv_end(sb);
}

static struct cell csv_column(const struct csv_column *column, const struct rows *rows, int row)
{
	if (row_is_null(rows, row, column->column))
		return (struct cell){.kind = CELL_NULL};
	if (column->kind == CELL_TEXT || column->kind == CELL_JSON)
		return (struct cell){
			.kind = column->kind, .text = row_text(rows, row, column->column)};
	return cell_number(column->kind, column->kind == CELL_TIME
						 ? row_time(rows, row, column->column)
						 : row_i64(rows, row, column->column));
}

void csv_entry_row(struct strbuf *sb, const struct rows *rows, int row, const struct live *live,
	enum gate gate, enum csv_for whom)
{
	uint64_t id = entry_row_id(rows, row), attempts = (uint64_t)row_i64(rows, row, ATTEMPTS);
	enum state state = entry_row_state(rows, row, live);
	bool is_told = !going_on(rows, row, live);
	char call_id[CALL_ID_BYTES], e164[NUMBER_MAX_DIGITS + 2] = "+";
	bool is_known = row_copy(rows, row, E164, e164 + 1, sizeof(e164) - 1) && e164[1];
	uint64_t n =
		is_told && !row_is_null(rows, row, N) ? (uint64_t)row_i64(rows, row, N) : attempts;

	gate = gate_of(rows, row, state, gate);
	bool is_blocked = state <= STATE_retry_wait && gate != GATE_NONE;
	const struct cell made[] = {
		cell_number(CELL_NUMBER, (int64_t)id),
		cell_text(call_id_text(id, MAX(n, UINT64_C(1)), call_id)),
		cell_text(row_text(rows, row, PHONE_NUMBER)),
		cell_text(str_of(is_known ? e164 : NULL)),
		cell_text(state_name(state)),
		cell_text(str_of(is_blocked ? gate_texts[gate].name : NULL)),
		cell_number(CELL_NUMBER, (int64_t)attempts),
	};
	_Static_assert(ARRAY_LEN(made) == ARRAY_LEN(csv_made), "each has its name");
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		csv_cell(sb, &made[i], whom);
	for (size_t i = 0; i < ARRAY_LEN(csv_columns); i++) {
		bool is_outcome = csv_columns[i].column != CUSTOM_DATA;
		struct cell cell = is_outcome && !is_told ? (struct cell){.kind = CELL_NULL}
							  : csv_column(&csv_columns[i], rows, row);
		csv_cell(sb, &cell, whom);
	}
	csv_end(sb);
}
