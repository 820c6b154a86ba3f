/* Work that its owner has called off: batches that are paused or canceled, and single calls.
 *
 * The order stands in PostgreSQL, beside the batch; the control row only hastens the sweep that reads it, so that neither a
 * lost announcement nor a crash loses an order. Paused entries leave the window and are read again when their batch goes on;
 * what is journalled is dialled in either case.
 */
#ifndef CCS_DISPATCHER_HOLD_H
#define CCS_DISPATCHER_HOLD_H

#include "dispatcher/dispatcher.h"

/* The sweep's word on a chunk. A cancel is final. */
void chunk_ordered(struct dispatcher *d, struct chunk *chunk, enum chunk_order order);

/* Does with the chunk what was ordered: also once its entries have been read. */
void chunk_obey(struct dispatcher *d, struct chunk *chunk);

/* One call of this client, wherever it is: what lives is hung up, what waits will not be dialled. */
void call_off(struct dispatcher *d, uint64_t client_id, uint64_t entry_id);

#endif
