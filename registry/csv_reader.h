/* A CSV file (RFC 4180) record by record, from pieces of any size. Never more than one record is held.
 *
 * Lines end with CRLF or LF; empty ones are passed over. A field that begins with a quote ends with one, holds separators
 * and line ends as they are, and each quote in it twice; in any other field a quote is an error, as it would mean another
 * text to every reader. All of it must be UTF-8. Nothing is guessed: what is wrong is refused by the number of its line.
 */
#ifndef CCS_REGISTRY_CSV_READER_H
#define CCS_REGISTRY_CSV_READER_H

#include "common/err.h"
#include "common/strbuf.h"

enum { CSV_FIELDS_MAX = 128, CSV_RECORD_BYTES = 64 * 1024 };

struct csv_record {
	uint64_t line; /* on which it begins, from 1 */
	size_t n;
	struct str field[CSV_FIELDS_MAX]; /* valid until the callback returns */
};

typedef bool csv_record_fn(void *arg, const struct csv_record *record, struct err *err);

enum csv_place { CSV_BEGINS_FIELD, CSV_IN_FIELD, CSV_IN_QUOTES, CSV_BEHIND_QUOTE, CSV_BEHIND_CR };

struct csv_reader {
	char separator;
	csv_record_fn *fn;
	void *arg;
	enum csv_place place;
	uint64_t line;	    /* that is being read */
	uint64_t began;	    /* line of the record */
	struct strbuf text; /* its fields, one behind the other */
	size_t ends[CSV_FIELDS_MAX];
	size_t n; /* fields that have ended */
	bool was_quoted;
};

/* Calls fn for each record. End with csv_reader_free. */
void csv_reader_begin(struct csv_reader *csv, char separator, csv_record_fn *fn, void *arg);
void csv_reader_free(struct csv_reader *csv);

/* The next bytes of the file. INPUT: codes invalid_csv and invalid_encoding, or what fn says. */
MUST_USE bool csv_reader_push(struct csv_reader *csv, struct str bytes, struct err *err);

/* There are no more: the last line need not end. */
MUST_USE bool csv_reader_finish(struct csv_reader *csv, struct err *err);

#endif
