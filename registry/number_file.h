/* A file of numbers that something else than a batch insert is made of: do-not-call lists, and the lists of other dialers. Read
 * in pieces; never more than a record is held. What the formats are like is a table: number_file.def. */
#ifndef CCS_REGISTRY_NUMBER_FILE_H
#define CCS_REGISTRY_NUMBER_FILE_H

#include "registry/csv_reader.h"

enum number_format {
#define FORMAT(constant, ...) NUMBER_FILE_##constant,
#include "registry/number_file.def"
#undef FORMAT
	NUMBER_FILE_NDJSON, /* an object with phone_number on each line */
	NUMBER_FILE__N
};

/* A record: the number as it stands there, with its country code where there is one; custom_data is a JSON object, or p NULL.
 * Valid until fn returns. */
struct number_record {
	uint64_t line;
	struct str number, custom_data;
};
typedef bool number_record_fn(void *arg, const struct number_record *record, struct err *err);

struct number_file;

struct number_file *number_file_new(enum number_format format, number_record_fn *fn, void *arg);
void number_file_free(struct number_file *file);

/* INPUT, naming the line: the file is not of this format; or what fn says. */
MUST_USE bool number_file_push(struct number_file *file, struct str bytes, struct err *err);
MUST_USE bool number_file_finish(struct number_file *file, struct err *err);

/* By its name; false: there is none. */
MUST_USE bool number_format_find(struct str name, enum number_format *format);

#endif
