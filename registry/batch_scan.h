/* The body of a batch insert, `{"batch_id": 12345, "data": [{"phone_number": "...",
 * "custom_data": {...}}, ...]}`, perhaps with a "queue_id" and settings (registry/batch.def), of which
 * an entry may have the "did" for itself, read in one pass and handed on entry by entry; and the body
 * of a quick call, which is one such entry.
 *
 * Members may come in any order; those we do not know are checked as JSON and ignored. A body
 * that is not valid JSON, lacks a member or has one of the wrong type fails as a whole. What is
 * wrong with one entry only is handed on with the entry: whether it spoils the batch is for the
 * caller to say.
 */
#ifndef CCS_REGISTRY_BATCH_SCAN_H
#define CCS_REGISTRY_BATCH_SCAN_H

#include "common/arena.h"
#include "registry/json_scan.h"
#include "registry/settings.h"

#define BATCH_ID_MAX UINT64_C(9007199254740991) /* 2^53 - 1: what every JSON reader keeps exact */

/* Text points into the body, or into the arena where it had escapes. */
struct batch_entry {
	uint32_t index;		 /* position in data, from 0 */
	struct str phone_number; /* as given; p NULL: none, or no string */
	struct str custom_data;	 /* the object exactly as it was sent; p NULL: none */
	struct str did;		 /* that called people are to see; p NULL: none is asked for */
	/* What is wrong with this entry, NULL: nothing. Valid until the callback returns. */
	const struct err *problem;
};

typedef bool batch_entry_fn(void *arg, const struct batch_entry *entry, struct err *err);

struct batch_head {
	uint64_t batch_id;
	uint64_t queue_id; /* of the batch that it is added to; 0: of its own */
	uint32_t entries;
	struct batch_settings settings;
	struct str settings_json; /* as PostgreSQL takes them; p NULL: none are given */
	struct json_digest
		content; /* of settings, and every phone_number, custom_data and did, in their order */
};

/* Calls fn for each entry, also before batch_id is known. More than max_entries is an error. */
MUST_USE bool batch_scan(struct str body, uint64_t max_entries, struct arena *arena,
	batch_entry_fn *fn, void *arg, struct batch_head *head, struct err *err);

/* A quick call's body. Here a problem of the entry is the error. */
MUST_USE bool entry_scan(
	struct str body, struct arena *arena, struct batch_entry *entry, struct err *err);

/* The same, but a problem of the entry is handed on with it, in problem. */
MUST_USE bool line_scan(struct str line, struct arena *arena, struct batch_entry *entry,
	struct err *problem, struct err *err);

#endif
