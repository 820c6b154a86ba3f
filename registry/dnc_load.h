/* A file of numbers on its way onto a do-not-call list, in constant memory and in short transactions: what is read is safe from
 * being called before the rest has come, nobody waits for its locks, and the same file again adds only what is missing. A number
 * that is none is left out and named by its line. */
#ifndef CCS_REGISTRY_DNC_LOAD_H
#define CCS_REGISTRY_DNC_LOAD_H

#include "registry/dnc.h"

/* Borrowed until dnc_load_free. */
struct dnc_load_spec {
	struct dnc_list list;
	struct number_rules rules;
	struct dnc_act act;
	bool dry_run; /* looks only */
};

struct dnc_load_receipt {
	uint64_t read, added, rejected_n;
	struct dnc_state state; /* of the list; not in a dry run */
	struct str rejected;	/* JSON array: the first of them. Valid until dnc_load_free */
};

struct dnc_load;

struct dnc_load *dnc_load_new(struct db *db, const struct dnc_load_spec *spec);
void dnc_load_free(struct dnc_load *load);

MUST_USE bool dnc_load_number(
	struct dnc_load *load, uint64_t line, struct str number, struct err *err);

/* Also after an error, so that what was added before it is recorded. */
MUST_USE bool dnc_load_finish(
	struct dnc_load *load, struct dnc_load_receipt *receipt, struct err *err);

uint64_t dnc_load_read(const struct dnc_load *load);

#endif
