/* The PostgreSQL side of a load (load.h): rows gather until there are LOAD_ROWS, then they go by COPY. */
#ifndef CCS_REGISTRY_LOAD_STORE_H
#define CCS_REGISTRY_LOAD_STORE_H

#include "common/arena.h"
#include "registry/entry_copy.h"
#include "registry/load.h"

enum { LOAD_CHUNKS = 4, LOAD_ROWS = LOAD_CHUNKS * BATCH_CHUNK_ENTRIES };

struct load_store {
	struct db *db;
	const struct load_spec *spec;
	struct arena *arena; /* of the rows */
	struct batch_row *rows;
	size_t n;
	uint64_t stored;      /* entries, by COPY */
	struct strbuf chunks; /* what is stored: their ids and entries */
	uint64_t queue_id;    /* of the new queue master, or of the one that it is added to */
	struct str known; /* content of an earlier batch of that batch_id; p NULL: there is none */
	uint64_t known_id, known_inserted, known_suppressed;
	struct str known_rejected;
};

void load_store_open(struct load_store *store, struct db *db, const struct load_spec *spec);
void load_store_close(struct load_store *store);

/* Is the batch_id known? If not, begins the transaction. */
MUST_USE bool load_store_begin(struct load_store *store, struct err *err);

/* Takes a row; its texts are copied. */
MUST_USE bool load_store_add(
	struct load_store *store, const struct batch_row *row, struct err *err);

/* What is stored together with its entries. */
struct load_head {
	struct str content;  /* digest of all entries */
	struct str rejected; /* JSON array */
	uint64_t rejected_n;
};

/* Stores the rest and commits. */
MUST_USE bool load_store_finish(struct load_store *store, const struct load_head *head,
	struct load_receipt *receipt, struct err *err);

#endif
