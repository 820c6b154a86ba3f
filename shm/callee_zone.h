/* In which time zones a number may be: by its first digits, as the numbering plans have it. A mobile number of a country with
 * several zones may be in each of them. The zones are those of zone.h.
 */
#ifndef CCS_SHM_CALLEE_ZONE_H
#define CCS_SHM_CALLEE_ZONE_H

#include "shm/zone.h"

enum { CALLEE_ZONES_UNKNOWN = 0 };

/* Which list of zones those of a number are, from its E.164 digits without '+'. CALLEE_ZONES_UNKNOWN: nobody knows. */
uint32_t callee_zones_of(const char *e164);

/* The zones of a list; how many. One that the system does not have is NULL. */
uint32_t callee_zones(uint32_t list, const struct zone *const **zones);

#endif
