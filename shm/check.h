/* Is the segment sound? Looks at everything that is attached and reports what breaks a rule of
 * shm/README.md. Reads only, and tolerates a dispatcher at work: what may differ for a moment is
 * looked at several times before it is reported.
 */
#ifndef CCS_SHM_CHECK_H
#define CCS_SHM_CHECK_H

#include "shm/segment.h"

/* invariant is its name in shm/README.md ("INV-4"), text what was found where. */
typedef void shm_report_fn(void *arg, const char *invariant, const char *text);

/* The number of findings. */
uint32_t shm_check(const struct segment *seg, shm_report_fn *report, void *arg);

#endif
