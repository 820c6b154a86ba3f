/* Events as PostgreSQL keeps them, for those who read them in C: ccsctl. */
#ifndef CCS_REGISTRY_EVENT_H
#define CCS_REGISTRY_EVENT_H

#include "shm/events.h"
#include "sql/rows.h"

/* A row of client, seq, type, moment, payload. False for a type that this version does not know, or a payload that is
 * longer than any of ours. */
MUST_USE bool event_row_read(const struct rows *rows, int row, struct event_copy *event);

#endif
