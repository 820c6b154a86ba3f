/* What a listener wants of its client's events: types, and if it likes one batch, server or number only.
 *
 * A filter compares a member of the payload with JSON text, so a batch is 12345 or null, and a number is written as the
 * client has sent it.
 */
#ifndef CCS_RELAY_WISH_H
#define CCS_RELAY_WISH_H

#include "shm/events.h"

/* A set of event types: bit 1 << enum event_type. */
typedef uint32_t event_set;
_Static_assert(EVENT_TYPE__N <= 32, "an event_set holds every type");

enum wish_filter { WISH_BATCH_ID, WISH_SERVER_CODE, WISH_PHONE_NUMBER, WISH_FILTER__N };

enum { WISH_VALUE_BYTES = 320 };

struct wish {
	event_set events;			      /* 0: nothing */
	char value[WISH_FILTER__N][WISH_VALUE_BYTES]; /* JSON, zeros behind it; "": any */
};

/* The member's name in payload and messages. */
const char *wish_filter_name(enum wish_filter filter);

bool wish_is(const struct wish *a, const struct wish *b);

bool wish_fits(const struct wish *wish, const struct event_copy *event);

#endif
