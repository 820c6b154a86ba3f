/* What the world is told about calls: the payload of an event (design: call_id, batch_id, attempt, is_final, ...), handed
 * to the journal. */
#ifndef CCS_DISPATCHER_NEWS_H
#define CCS_DISPATCHER_NEWS_H

#include "dispatcher/dispatcher.h"

/* type happened to the slot's call. again: it may be stored already, because an earlier life may have told it. */
void news_call(struct dispatcher *d, struct slot *slot, enum event_type type, int64_t occurred_us,
	bool again);

#endif
