/* A file of entries, CSV or NDJSON, on its way into PostgreSQL: read in pieces, stored in pieces, and all of it in one
 * transaction, so that it is there whole or not at all. However long it is, it takes the same memory.
 *
 *   CSV     the first line names the columns: phone_number, and if you like did and custom_data (a JSON object). In the place
 *           of custom_data any other columns are its members, as text.
 *   NDJSON  on each line an object as in the data of a batch insert
 *
 * A file that is no CSV, no JSON or no UTF-8 is refused as a whole; an entry that cannot be called is rejected, and the others
 * are taken. Either names the line.
 *
 * The unique batch_id decides who was first: a file that is sent again is compared, by a digest of its entries, and answered
 * as before.
 */
#ifndef CCS_REGISTRY_LOAD_H
#define CCS_REGISTRY_LOAD_H

#include "registry/number.h"
#include "registry/settings.h"
#include "shm/layout.h"
#include "sql/db.h"

enum load_format { LOAD_CSV, LOAD_NDJSON };

/* Borrowed until load_free. */
struct load_spec {
	const struct shm_client *client; /* whose it is */
	struct number_rules rules;
	uint64_t batch_id;
	uint64_t queue_id; /* of the batch that it is added to; 0: of its own */
	struct batch_settings
		settings; /* checked; of a batch that is added to another at most its did */
	enum load_format format;
	char separator;	      /* of CSV */
	bool strict;	      /* an entry that is rejected spoils the file */
	uint64_t max_entries; /* more is an error */
	int64_t at_once;      /* loads of all clients together; 0: any number */
	const char *actor;    /* who does it for the client, for the audit; NULL: itself */
};

struct load_receipt {
	uint64_t queue_master_id;
	uint64_t inserted, rejected_n;
	uint64_t suppressed; /* of the inserted: on a do-not-call list */
	struct str rejected; /* JSON array: the first of them. Valid until load_free */
	uint64_t control_id; /* tells the dispatcher; 0: there is nothing to tell */
	bool is_replay;
};

struct load;

struct load *load_new(struct db *db, const struct load_spec *spec);

/* Gives up what is not finished. */
void load_free(struct load *load);

/* Begins the transaction. LIMIT: another load of the client is under way, or as many as may be; CONFLICT or INPUT: the queue or
 * the did is none for it. */
MUST_USE bool load_begin(struct load *load, struct err *err);

/* The next bytes of the file. */
MUST_USE bool load_push(struct load *load, struct str bytes, struct err *err);

/* There are no more: commits. CONFLICT when batch_id stands for other entries. BUSY can also mean that it is stored and only
 * the answer was lost: the same file again finds out. */
MUST_USE bool load_finish(struct load *load, struct load_receipt *receipt, struct err *err);

/* How far it is, for those who watch. */
struct load_progress {
	uint64_t bytes, entries, rejected_n;
};
struct load_progress load_progress(const struct load *load);

#endif
