/* ccsctl call trace: everything that is known of one call, in the order in which it happened. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/call_id.h"
#include "registry/why.h"

#include "common/base.h"

/* Columns of trace_entry and trace_steps. */
enum { ACCOUNTCODE, BATCH_ID, PHONE_NUMBER, NUMBER };
enum { AT, SOURCE, ATTEMPT, WHAT };

static bool load(struct ctl *ctl, enum sql_query query, uint64_t entry_id, struct rows *rows,
	struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_i64(&args, (int64_t)entry_id);
	bool ok = db_query(ctl->db, query, &args, rows, err);
	args_free(&args);
	return ok;
}

/* What it waits for, if it waits; a dispatcher that is away cannot say. */
static void now_text(struct ctl *ctl, uint64_t entry_id, struct strbuf *text)
{
	char words[WHY_TEXT_BYTES];
	struct segment seg;
	struct why why;
	struct err err;
	bool found = false;
	if (!ctl_state(ctl, &seg, &err) ||
		!why_entry(ctl->db, &seg, 0, entry_id, clock_wall_us(), &why, &found, &err))
		strbuf_puts(text, err.text);
	else if (found)
		strbuf_printf(text, "%s: %s", why.status, why_text(&why, words));
	segment_close(&seg);
}

static json_t *step_json(const struct rows *rows, int row)
{
	struct str what = row_text(rows, row, WHAT), source = row_text(rows, row, SOURCE);
	return json_pack("{s:o, s:s%, s:I, s:s%}", "at", out_time(row_time(rows, row, AT)),
		"source", source.p, source.n, "attempt", (json_int_t)row_i64(rows, row, ATTEMPT),
		"what", what.p, what.n);
}

static void print_json(
	const struct ctl *ctl, const struct rows *entry, const struct rows *steps, const char *now)
{
	json_t *list = json_array();
	for (int row = 0; row < steps->n; row++)
		json_array_append_new(list, step_json(steps, row));
	struct str accountcode = row_text(entry, 0, ACCOUNTCODE),
		   number = row_text(entry, 0, PHONE_NUMBER);
	out_json(json_pack("{s:s, s:s%, s:o, s:s%, s:s, s:o}", "call", ctl->arguments[0],
		"accountcode", accountcode.p, accountcode.n, "batch_id",
		row_is_null(entry, 0, BATCH_ID) ? json_null()
						: json_integer(row_i64(entry, 0, BATCH_ID)),
		"phone_number", number.p, number.n, "now", now, "steps", list));
}

static void print_text(
	const struct ctl *ctl, const struct rows *entry, const struct rows *steps, const char *now)
{
	struct str accountcode = row_text(entry, 0, ACCOUNTCODE),
		   number = row_text(entry, 0, PHONE_NUMBER);
	char at[CLOCK_TEXT_BYTES], batch[40] = "a quick call";
	if (!row_is_null(entry, 0, BATCH_ID))
		(void)snprintf(batch, sizeof(batch), "batch %" PRId64, row_i64(entry, 0, BATCH_ID));
	(void)printf("%s: %.*s of %.*s, %s.\n", ctl->arguments[0], (int)number.n, number.p,
		(int)accountcode.n, accountcode.p, batch);
	for (int row = 0; row < steps->n; row++) {
		struct str what = row_text(steps, row, WHAT), source = row_text(steps, row, SOURCE);
		(void)printf("  %s  %-8.*s %3" PRId64 "  %.*s\n",
			clock_utc_ms(row_time(steps, row, AT), at), (int)source.n, source.p,
			row_i64(steps, row, ATTEMPT), (int)what.n, what.p);
	}
	(void)printf("  now: %s.\n", now);
}

bool call_trace(struct ctl *ctl, struct err *err)
{
	struct str id = str_of(ctl->arguments[0]);
	struct rows entry = ROWS_INIT, steps = ROWS_INIT;
	struct strbuf now = STRBUF_INIT;
	uint64_t entry_id, attempt;

	if (!call_id_read(id, &entry_id, &attempt) && !str_to_u64(id, 1, INT64_MAX, &entry_id))
		return fail(err, ERR_INPUT, "%s is no call_id and no entry", id.p);
	if (!ctl_db(ctl, err) || !load(ctl, SQL_TRACE_ENTRY, entry_id, &entry, err))
		return false;
	bool ok = entry.n == 1 ? load(ctl, SQL_TRACE_STEPS, entry_id, &steps, err)
			       : fail(err, ERR_MISSING, "there is no call %s", id.p);
	if (ok) {
		now_text(ctl, entry_id, &now);
		(ctl->json ? print_json : print_text)(ctl, &entry, &steps, strbuf_view(&now).p);
	}
	rows_free(&entry);
	rows_free(&steps);
	strbuf_free(&now);
	return ok;
}
