/* The entries of batches by binary COPY, straight into the leaf partition of entry that
 * their ids belong to. */
#ifndef CCS_FCGI_ENTRY_COPY_H
#define CCS_FCGI_ENTRY_COPY_H

#include "fcgi/batch.h"
#include "sql/db.h"

/* At most BATCH_CHUNK_ENTRIES entries of a batch, and the ids that they get. */
struct batch_chunk {
	uint64_t id;
	uint64_t queue_master_id;
	uint64_t queue_batch_id; /* the queue's, which that of the batch may have been added to */
	uint32_t entries;
	const struct batch *batch;
	const struct batch_row *rows; /* the first of its entries */
};

/* Copies the entries of all chunks and commits the caller's transaction. Chunks of one partition in a row go by one COPY. */
MUST_USE bool entry_copy(
	struct app *app, const struct batch_chunk *chunks, size_t n, struct err *err);

#endif
