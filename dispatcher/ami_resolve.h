/* From a host to addresses, without ever waiting for a name server: numbers are read at once, names are
 * looked up by a short-lived child process whose answer comes through a pipe. */
#ifndef CCS_DISPATCHER_AMI_RESOLVE_H
#define CCS_DISPATCHER_AMI_RESOLVE_H

#include <sys/socket.h>
#include <sys/types.h>

#include "common/err.h"

enum { AMI_ADDRESSES_MAX = 8 };

struct ami_addresses {
	size_t n;
	struct {
		struct sockaddr_storage sa;
		socklen_t bytes;
	} at[AMI_ADDRESSES_MAX];
};

/* True when host is an address itself. */
bool ami_numeric(const char *host, uint16_t port, struct ami_addresses *out);

struct ami_lookup {
	int fd;	   /* readable when the answer is there; -1: no look-up is running */
	pid_t pid; /* of the child */
};

#define AMI_LOOKUP_NONE ((struct ami_lookup){.fd = -1})

/* Starts the child. */
MUST_USE bool ami_lookup_start(
	struct ami_lookup *lookup, const char *host, uint16_t port, struct err *err);

/* Call when fd is readable: takes the answer and ends the look-up. */
MUST_USE bool ami_lookup_finish(
	struct ami_lookup *lookup, struct ami_addresses *out, struct err *err);

/* Kills the child, if there is one, and closes fd. */
void ami_lookup_cancel(struct ami_lookup *lookup);

#endif
