/* An entry as lists of entries and the call itself show it: what PostgreSQL has stored, and what the
 * segment knows of it while it is live. */
#ifndef CCS_FCGI_ENTRY_ROW_H
#define CCS_FCGI_ENTRY_ROW_H

#include "fcgi/cell.h"
#include "fcgi/live.h"
#include "fcgi/put.h"
#include "sql/rows.h"

enum { ENTRY_LAST_ATTEMPT = 0 };

/* The entries with these ids, by id; attempt: whose outcome is told, or ENTRY_LAST_ATTEMPT. */
MUST_USE bool entry_rows_load(struct app *app, uint64_t client_id, const uint64_t *ids, size_t n,
	uint64_t attempt, struct rows *rows, struct err *err);

uint64_t entry_row_id(const struct rows *rows, int row);
uint64_t entry_row_attempts(const struct rows *rows, int row);

/* PostgreSQL knows how the attempt that was asked for has ended, or that the entry ended without one. */
bool entry_row_is_told(const struct rows *rows, int row);

/* Its members, into an object that the caller has opened. gate: what a waiting entry waits for. */
void put_entry_row(struct app *app, struct strbuf *sb, const struct rows *rows, int row,
	const struct live *live, enum gate gate);

/* Most of it as a line of CSV, and the line that names the columns. */
void csv_entry_names(struct strbuf *sb);
void csv_entry_row(struct strbuf *sb, const struct rows *rows, int row, const struct live *live,
	enum gate gate, enum csv_for whom);

enum state entry_row_state(const struct rows *rows, int row, const struct live *live);

#endif
