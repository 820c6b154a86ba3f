/* The holder: the small process that does not fail. It makes or adopts the segment, keeps a copy of every AMI connection,
 * and starts the working child again whenever that ends before it was asked to. */
#ifndef CCS_DISPATCHER_HOLDER_H
#define CCS_DISPATCHER_HOLDER_H

#include "common/conf.h"

/* Runs until SIGTERM or SIGINT; returns the exit status of the program. */
int holder_run(const struct conf *conf);

#endif
