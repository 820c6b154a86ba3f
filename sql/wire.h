/* What args, rows and connections share about PostgreSQL's binary protocol. */
#ifndef CCS_SQL_WIRE_H
#define CCS_SQL_WIRE_H

#include "common/clock.h"

/* The epoch of timestamptz, 2000-01-01T00:00:00Z, in wall microseconds. */
#define WIRE_EPOCH_US (INT64_C(946684800) * US_PER_S)

/* INT64_MAX is infinity on both sides; -infinity is INT64_MIN there and INT64_MIN + 1 here, where
 * INT64_MIN is null. */
static inline int64_t wire_time(int64_t wall_us)
{
	if (wall_us == INT64_MAX)
		return INT64_MAX;
	return wall_us < INT64_MIN + WIRE_EPOCH_US ? INT64_MIN : wall_us - WIRE_EPOCH_US;
}

static inline int64_t wall_time(int64_t wire_us)
{
	if (wire_us == INT64_MIN)
		return INT64_MIN + 1;
	return wire_us > INT64_MAX - WIRE_EPOCH_US ? INT64_MAX : wire_us + WIRE_EPOCH_US;
}

#endif
