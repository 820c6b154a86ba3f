/* How each of the services starts: options, log, configuration. Runs in the foreground; systemd or a terminal stops it. */
#ifndef CCS_COMMON_SERVICE_H
#define CCS_COMMON_SERVICE_H

#include <argp.h>

#include "common/conf.h"

struct service {
	const char *name;
	const char *about;	/* for --help */
	const struct argp *own; /* options beside the common ones, or NULL */
	void *own_input;	/* what its parser finds in state->input */
	const char *
		conf_path; /* set by service_open: where the configuration is; NULL = the default */
};

/* Reads the command line (-c FILE, -v, --help, --version and the service's own), opens the log, forbids core files, which would
 * hold keys and phone numbers, and reads the configuration. EX_OK to go on; otherwise the status to end with, said in the
 * log. Ends the process itself after --help, --version and a command line that is wrong. */
MUST_USE int service_open(struct service *service, int argc, char **argv, struct conf *conf);

#endif
