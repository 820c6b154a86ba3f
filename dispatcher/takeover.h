/* The segment passes from one dispatcher to the next.
 *
 * Of a killed dispatcher the holder may be gone and its children still dying: they hold the node's lock until the kernel has
 * taken them apart, which under load takes longer than starting a successor. So a successor waits for the lock; one that is
 * started beside a living dispatcher is refused, only later.
 */
#ifndef CCS_DISPATCHER_TAKEOVER_H
#define CCS_DISPATCHER_TAKEOVER_H

#include "common/conf.h"
#include "common/err.h"
#include "shm/segment.h"

enum { TAKEOVER_LONGEST_MS = 10000 };

/* segment_create_or_adopt, tried again for at most longest_ms while another dispatcher serves the node; then, or when SIGTERM or
 * SIGINT is pending (they have to be blocked), it fails with CONFLICT. seg has its node. */
MUST_USE bool takeover(struct segment *seg, const struct conf *conf, int longest_ms, bool *adopted,
	struct err *err);

#endif
