/* One value of a table that is answered as JSON or as CSV (RFC 4180), by what is asked for. */
#ifndef CCS_FCGI_CELL_H
#define CCS_FCGI_CELL_H

#include "common/strbuf.h"

enum cell_kind {
	CELL_NULL,
	CELL_TEXT,
	CELL_JSON, /* text that is JSON already */
	CELL_NUMBER,
	CELL_BOOL,
	CELL_TIME, /* wall microseconds */
	CELL_MS,   /* told as seconds: 1.250 */
};

struct cell {
	enum cell_kind kind;
	struct str text;
	int64_t number;
};

static inline struct cell cell_text(struct str text)
{
	return (struct cell){.kind = text.p ? CELL_TEXT : CELL_NULL, .text = text};
}

static inline struct cell cell_number(enum cell_kind kind, int64_t number)
{
	return (struct cell){.kind = kind, .number = number};
}

/* A member of an object. */
void put_cell(struct strbuf *sb, const char *key, const struct cell *cell);

/* Who opens the file. A spreadsheet computes a text that begins with = + - @, a tab or CR, whoever has written it; an apostrophe
 * in front makes it text, and is no part of it. */
enum csv_for { CSV_FOR_PROGRAMS, CSV_FOR_SPREADSHEETS };

/* A field of a line, with the comma before it; the first one is not empty. Null is nothing at all, like an
 * empty text. csv_end ends the line. */
void csv_cell(struct strbuf *sb, const struct cell *cell, enum csv_for whom);
void csv_end(struct strbuf *sb);

#endif
