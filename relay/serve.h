/* The loop: libwebsockets' own, with our descriptors among its own. */
#ifndef CCS_RELAY_SERVE_H
#define CCS_RELAY_SERVE_H

#include "common/conf.h"

/* Serves <run_dir>/relay.sock until SIGTERM or SIGINT; the exit status. */
int serve(const struct conf *conf);

#endif
