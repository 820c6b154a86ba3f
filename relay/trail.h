/* Where in the event ring the last events of one client lie: from a seq to its event without a walk.
 *
 * The chain of a client's events is walked back once, when its first connection comes, and followed from then on. A
 * thousand readers who come back at once then cost no walk each. Eight bytes for each event that the ring still holds.
 */
#ifndef CCS_RELAY_TRAIL_H
#define CCS_RELAY_TRAIL_H

#include "shm/events.h"

enum { TRAIL_MOST = 1 << 17 };

struct trail {
	uint64_t *positions; /* a ring by seq; NULL: not laid */
	uint64_t room;	     /* of it, a power of two */
	uint64_t first, end; /* seqs [first, end) lie in it, without a hole */
};

/* Lays it back from the client's newest event, as far as the ring and TRAIL_MOST go. position 0: none is known. */
void trail_lay(
	struct trail *trail, const struct segment *seg, uint64_t client_id, uint64_t position);

/* The client's next event. Behind a hole the trail begins anew. */
void trail_add(struct trail *trail, const struct segment *seg, uint64_t seq, uint64_t position);

/* Nothing lies on it any more; what is added next begins it anew. */
void trail_forget(struct trail *trail);

/* Back to all zero. */
void trail_lift(struct trail *trail);

/* The event with this seq; false when it is not there, or no longer. */
MUST_USE bool trail_read(const struct trail *trail, const struct segment *seg, uint64_t client_id,
	uint64_t seq, struct event_copy *copy);

/* The seq of the oldest event that can still be read; that of the next one when there is none. */
uint64_t trail_oldest(struct trail *trail, const struct segment *seg, uint64_t client_id);

#endif
