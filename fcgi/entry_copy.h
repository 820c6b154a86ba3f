/* The entries of a batch by binary COPY, straight into the leaf partition of entry that
 * their ids belong to. */
#ifndef CCS_FCGI_ENTRY_COPY_H
#define CCS_FCGI_ENTRY_COPY_H

#include "fcgi/batch.h"
#include "sql/db.h"

/* Columns of batch_open and batch_append, which return the chunks of a batch in order. */
enum chunk_column { CHUNK_ID, CHUNK_ENTRIES, CHUNK_QUEUE_MASTER, CHUNK_BATCH_ID };

/* Copies all rows of the batch under the ids of its chunks, inside the caller's transaction. */
MUST_USE bool entry_copy(
	struct app *app, const struct batch *batch, const struct rows *chunks, struct err *err);

#endif
