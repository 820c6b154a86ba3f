/* A time zone of the system's tzdata, as plain data: who keeps one can tell local times from it without a lock, a call of the
 * system or anything that the C library keeps for the whole process.
 *
 * A zone is read once in the life of a process, from the TZif file (RFC 8536) of its name; the rule at the file's end is laid
 * out up to the year 2100. What came with a newer tzdata is known after a restart.
 */
#ifndef CCS_SHM_ZONE_H
#define CCS_SHM_ZONE_H

#include "common/str.h"

struct zone;

/* The zone of that name, as "Asia/Kolkata"; NULL when there is none, or its file cannot be read. It stays for the life of the
 * process. */
const struct zone *zone_find(struct str name);

/* What the clocks there are ahead of UTC at an instant, in seconds. *until_s: the first second at which that may change;
 * INT64_MAX when it never does. */
int32_t zone_offset(const struct zone *zone, int64_t utc_s, int64_t *until_s);

/* The same from the content of a TZif file, for those who have it; NULL when it is none. For zone_free. */
struct zone *zone_read(const void *content, size_t n);
void zone_free(struct zone *zone);

#endif
