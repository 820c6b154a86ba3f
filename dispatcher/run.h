/* One life of the dispatcher's child. */
#ifndef CCS_DISPATCHER_RUN_H
#define CCS_DISPATCHER_RUN_H

#include "common/conf.h"
#include "shm/segment.h"

/* Exit status that asks the holder for a new segment. */
enum { DISPATCHER_SEGMENT_LOST = 75 };

/* Runs until it is asked to stop, or cannot go on; returns the process's exit status. adopted: the call slots in seg are
 * those of an earlier life. link_fd leads to the holder. */
int dispatcher_run(const struct conf *conf, struct segment *seg, bool adopted, int link_fd);

#endif
