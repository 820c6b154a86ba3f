/* The master: binds the sockets, keeps the right number of workers alive, opens nothing else.
 *
 *   SIGTERM, SIGINT   workers answer what has reached them and leave, then the master
 *   SIGHUP            configuration read again; new workers start, and an old one leaves for each that is ready
 *   SIGUSR1           numbers of workers read again (`ccsctl workers set`): pools grow and shrink
 */
#ifndef CCS_FCGI_MASTER_H
#define CCS_FCGI_MASTER_H

#include "common/conf.h"
#include "fcgi/app.h"

struct master_options {
	const char *conf_path;
	bool runs[POOL__N]; /* which pools are ours */
};

/* Returns the exit status, in the master and in each worker. */
int master_run(const struct master_options *options, const struct conf *conf);

#endif
