/* Work that its owner has called off: batches that are paused or canceled, and single calls.
 *
 * The order stands in PostgreSQL, beside the batch; the control row only hastens the sweep that reads it, so that neither a
 * lost announcement nor a crash loses an order. Paused entries leave the window and are read again when their batch goes on;
 * what is journalled is dialled in either case.
 */
#ifndef CCS_DISPATCHER_HOLD_H
#define CCS_DISPATCHER_HOLD_H

#include "dispatcher/dispatcher.h"

/* Its batch is canceled, or has expired: what was never tried ends. */
static inline bool chunk_is_over(const struct chunk *chunk)
{
	return chunk->order == CHUNK_CANCEL || chunk->order == CHUNK_EXPIRE;
}

/* Ends these entries of such a chunk, as journal_cancel does, for the reason that it has. */
void chunk_end_entries(
	struct dispatcher *d, const struct chunk *chunk, uint64_t first, uint64_t last);

/* The sweep's word on a chunk. A cancel is final, and so is the end of its time. */
void chunk_ordered(struct dispatcher *d, struct chunk *chunk, enum chunk_order order);

/* Does with the chunk what was ordered: also once its entries have been read. */
void chunk_obey(struct dispatcher *d, struct chunk *chunk);

/* One call of this client, wherever it is: what lives is hung up, what waits will not be dialled. */
void call_off(struct dispatcher *d, uint64_t client_id, uint64_t entry_id);

#endif
