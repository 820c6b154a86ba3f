/* Time in microseconds. Wall time for rows and calling windows, monotonic time for deadlines; never
 * mixed. */
#ifndef CCS_COMMON_CLOCK_H
#define CCS_COMMON_CLOCK_H

#include "common/base.h"

#define US_PER_S  INT64_C(1000000)
#define US_PER_MS INT64_C(1000)

/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);

/* Microseconds since some fixed moment; never steps. */
int64_t clock_mono_us(void);

enum { CLOCK_TEXT_BYTES = 32 };

/* "2026-11-22T09:00:00Z", the document's form; out holds CLOCK_TEXT_BYTES. */
const char *clock_utc(int64_t wall_us, char out[CLOCK_TEXT_BYTES]);

/* "2026-11-22T09:00:00.123Z", for members that the document does not name. */
const char *clock_utc_ms(int64_t wall_us, char out[CLOCK_TEXT_BYTES]);

#endif
