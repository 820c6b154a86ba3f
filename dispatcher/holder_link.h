/* The wire between the holder and its child: descriptors of AMI connections, kept by the holder so that a killed child
 * loses none of them. One datagram each, the descriptor beside it (SCM_RIGHTS). */
#ifndef CCS_DISPATCHER_HOLDER_LINK_H
#define CCS_DISPATCHER_HOLDER_LINK_H

#include "common/err.h"

enum holder_word {
	HOLD_KEEP,  /* child to holder, with a descriptor: this server's connection is up */
	HOLD_DROP,  /* child to holder: it is gone */
	HOLD_GIVEN, /* holder to child, with a descriptor: kept from the life before */
	HOLD_ALL,   /* holder to child: that was the last of them */
};

struct holder_message {
	uint32_t word; /* enum holder_word */
	uint32_t pad;
	uint64_t server_id;
};

struct holder_link {
	int fd;
};

/* Child: copies the descriptor over; both sides have it then. */
void holder_keep(struct holder_link *link, uint64_t server_id, int fd);
void holder_drop(struct holder_link *link, uint64_t server_id);

/* Both sides. fd -1 = none. receive blocks unless the socket does not; false at the end of the other side, or when
 * nothing is there; *fd is the caller's. */
MUST_USE bool holder_send(int link_fd, const struct holder_message *message, int fd);
MUST_USE bool holder_receive(int link_fd, struct holder_message *message, int *fd);

#endif
