/* The columns of a CSV file of entries, as its first line names them: load.h says which there may be. */
#ifndef CCS_REGISTRY_LOAD_COLUMNS_H
#define CCS_REGISTRY_LOAD_COLUMNS_H

#include "registry/batch_scan.h"
#include "registry/csv_reader.h"

struct load_columns {
	size_t n; /* 0: not known yet */
	struct str name[CSV_FIELDS_MAX];
	size_t phone_number;
	size_t did, custom_data;   /* n: there is none */
	struct strbuf names;	   /* that they point into */
	struct strbuf custom_text; /* of the last entry */
};

void load_columns_free(struct load_columns *columns);

/* Reads the first line. INPUT with code invalid_csv when the columns are not those of entries. */
MUST_USE bool load_columns_read(struct load_columns *columns, const struct csv_record *record,
	char separator, struct err *err);

/* Any other line. What is wrong with the entry alone is handed on with it, in problem. Valid until the next one. */
MUST_USE bool load_columns_entry(struct load_columns *columns, const struct csv_record *record,
	struct batch_entry *entry, struct err *problem, struct err *err);

#endif
