/* One connection of the TLS wire: from a child's request to the end of both sides. What cannot be passed on waits here, a
 * piece in each direction at most, and then the side that sends has to wait. */
#ifndef CCS_DISPATCHER_TLS_PIPE_H
#define CCS_DISPATCHER_TLS_PIPE_H

#include "common/poll.h"
#include "common/strbuf.h"
#include "dispatcher/tls_link.h"
#include "dispatcher/tls_session.h"

enum tls_state {
	TLS_ASKED,	/* its request has not been read */
	TLS_CONNECTING, /* TCP */
	TLS_SHAKING,	/* hands */
	TLS_OPEN,
	TLS_ENDED, /* to be freed */
};

/* What all pipes share. */
struct tls_world {
	struct poll *poll;
	SSL_CTX *context;
	int64_t soonest_us; /* the least of all deadlines, or earlier */
};

struct tls_pipe;

/* A descriptor and what is waited for on it. */
struct tls_side {
	struct tls_pipe *pipe;
	int fd; /* -1: none */
	bool watched;
	uint32_t wanted;
};

struct tls_pipe {
	struct tls_world *world;
	enum tls_state state;
	struct tls_side child, server;
	struct tls_request request;
	struct tls_seen seen;
	SSL *ssl;
	struct strbuf up, down; /* read and not yet passed on: to the server, to the child */
	bool child_ended, server_ended;
	bool wants_write;    /* OpenSSL can go on only when the server's side is writable */
	int64_t deadline_us; /* monotonic; INT64_MAX: none */
	struct tls_pipe *prev, *next;
};

/* Takes fd, the stream on which a child asks. */
struct tls_pipe *tls_pipe_new(struct tls_world *world, int fd);

/* Its deadline has passed: says so to who waits for the verdict. It is to be freed then, as one that has ended. */
void tls_pipe_late(struct tls_pipe *pipe);

/* Closes what is open. */
void tls_pipe_free(struct tls_pipe *pipe);

/* How many of these bytes the next TLS record takes; 0: it waits for more. is_all: no more will come. */
size_t tls_record_bytes(struct str waiting, bool is_all);

#endif
