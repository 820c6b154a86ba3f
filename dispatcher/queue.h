/* Whose turn it is inside a client: its quick calls, entries that are called again, its batches.
 *
 *   quick calls before all else, but of eight turns one is another's, when one waits
 *   of these turns every second is a batch's, when one waits, the others go to entries that are called again
 *   of the batches' turns every second is the oldest's, the others go to the rest one after the other
 *
 * So nobody waits for ever: neither a batch behind quick calls without end, nor numbers that were never called behind those
 * that nobody answers, nor an old batch behind newer ones, nor a small new one behind a million numbers. Weights (terms.h) shift
 * that: the oldest and the rest divide the turns by its weight and the average of theirs, and the rest divide theirs by weight.
 *
 * At most QUEUES_OPEN batches have entries in the window. The oldest of them stays there until it is finished; another gives
 * way with each chunk to those behind it, first come, first served. A batch at a limit of its own is shut: it keeps what it has in
 * the window, takes nobody's place there, as long as no more than QUEUES_SHUT are, and has no turn until it is opened again.
 */
#ifndef CCS_DISPATCHER_QUEUE_H
#define CCS_DISPATCHER_QUEUE_H

#include "dispatcher/dispatcher.h"

enum { QUEUES_OPEN = 4, QUEUES_SHUT = 12, QUICK_TURNS = 7, AGAIN_TURNS = 1 };

/* The client's queue of that queue master (0: its quick calls), made when it is not known yet. */
struct queue *queue_of(struct dispatcher *d, struct client *client, uint64_t queue_master_id);

/* One more chunk refers to it, or one fewer: the last one takes it away. */
void queue_hold(struct queue *queue);
void queue_drop(struct dispatcher *d, struct queue *queue);

/* The chunk's entries may be loaded: after its queue's others, or before them. State KNOWN. */
void queue_add_chunk(struct chunk *chunk);
void queue_return_chunk(struct chunk *chunk);
void queue_remove_chunk(struct chunk *chunk);

/* Takes out the chunk that is to be loaded next; NULL when there is enough in the window. The caller counts it in
 * queue->loading until it is loaded. */
struct chunk *queue_take_chunk(struct client *client);

/* A waiting entry in line, at its end or its front; and out of it. */
void queue_add(struct waiting *w);
void queue_return(struct waiting *w);
void queue_remove(struct waiting *w);

/* The batch has reached a limit of its own; and has not any more. Either may be said again. */
void queue_shut(struct queue *queue);
void queue_reopen(struct queue *queue);

/* The batch's terms are known: those of its entries that are called again may have turns. */
void queue_settle_again(struct queue *queue);

/* A weight has changed: what was owed under the old ones is forgotten. */
void queue_weighed(struct client *client);

/* The entry whose turn it is; NULL when none is in line. */
struct waiting *queue_first(const struct client *client);

/* The first of the queue's entries that are called again, in line or not; NULL when it has none. */
const struct waiting *queue_again(
	const struct dispatcher *d, const struct client *client, uint64_t queue_master_id);

/* In whose line it stands: its batch's, its client's quick calls', or that of entries that are called again. */
struct queue *queue_of_waiting(const struct waiting *w);

/* An entry of the queue, which is the client's, has had its turn. */
void queue_served(struct client *client, struct queue *queue);

#endif
