/* ccsctl retention list: whose numbers are kept how long, and what has been erased. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "ctl/ctl.h"
#include "registry/retention.h"

#include "common/base.h"

/* The columns of retention_list. */
enum { ACCOUNTCODE, DAYS, ENTRIES, BATCHES, ENDED_TO, LAST, DUE };

static json_t *row_json(const struct rows *rows, int row)
{
	struct str accountcode = row_text(rows, row, ACCOUNTCODE);
	json_t *days =
		row_is_null(rows, row, DAYS) ? json_null() : json_integer(row_i64(rows, row, DAYS));

	return json_pack("{s:s%, s:o, s:I, s:I, s:o, s:o, s:I}", "accountcode", accountcode.p,
		accountcode.n, "retention_days", days, "entries",
		(json_int_t)row_i64(rows, row, ENTRIES), "batches",
		(json_int_t)row_i64(rows, row, BATCHES), "ended_to",
		out_time(row_time(rows, row, ENDED_TO)), "at", out_time(row_time(rows, row, LAST)),
		"due", (json_int_t)row_i64(rows, row, DUE));
}

static void print_row(const struct rows *rows, int row)
{
	struct str accountcode = row_text(rows, row, ACCOUNTCODE);
	char days[24] = "for ever", to[CLOCK_TEXT_BYTES] = "-", at[CLOCK_TEXT_BYTES] = "never";

	if (!row_is_null(rows, row, DAYS))
		(void)snprintf(days, sizeof(days), "%" PRId64, row_i64(rows, row, DAYS));
	if (!row_is_null(rows, row, ENDED_TO))
		(void)clock_utc(row_time(rows, row, ENDED_TO), to);
	if (!row_is_null(rows, row, LAST))
		(void)clock_utc(row_time(rows, row, LAST), at);
	(void)printf("%-20.*s %-9s %12" PRId64 " %8" PRId64 "  %-20s  %-20s %12" PRId64 "\n",
		(int)accountcode.n, accountcode.p, days, row_i64(rows, row, ENTRIES),
		row_i64(rows, row, BATCHES), to, at, row_i64(rows, row, DUE));
}

bool retention_list_all(struct ctl *ctl, struct err *err)
{
	struct rows rows = ROWS_INIT;

	if (!ctl_db(ctl, err) || !retention_list(ctl->db, &rows, err))
		return false;
	json_t *clients = ctl->json ? json_array() : NULL;
	if (!clients)
		(void)printf("%-20s %-9s %12s %8s  %-20s  %-20s %12s\n", "ACCOUNTCODE", "DAYS",
			"ENTRIES", "BATCHES", "ENDED UP TO", "LAST ERASED", "DUE");
	for (int row = 0; row < rows.n; row++)
		if (clients)
			json_array_append_new(clients, row_json(&rows, row));
		else
			print_row(&rows, row);
	if (clients)
		out_json(json_pack("{s:o}", "clients", clients));
	rows_free(&rows);
	return true;
}
