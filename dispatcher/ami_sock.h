/* The socket of an AMI connection: bytes are looked at before they are taken, and written as a whole
 * or not at all.
 *
 * Both serve a successor that goes on with the same socket after a kill: what it finds to read begins
 * at a message, and what it writes begins an action. Non-blocking throughout. It is TCP to a server,
 * or a Unix stream to the TLS wire (tls_link.h).
 */
#ifndef CCS_DISPATCHER_AMI_SOCK_H
#define CCS_DISPATCHER_AMI_SOCK_H

#include <sys/socket.h>

#include "common/err.h"
#include "common/strbuf.h"

struct ami_sock {
	int fd;		   /* -1: none */
	int lowat;	   /* SO_RCVLOWAT as it is set now */
	bool is_local;	   /* a Unix stream */
	size_t window;	   /* bytes that a peek asks for; grows with a message that is longer */
	struct strbuf in;  /* what the last peek saw; nothing is kept from one to the next */
	struct strbuf out; /* whole actions that wait to be written */
};

#define AMI_SOCK_NONE ((struct ami_sock){.fd = -1})

/* Begins to connect; the socket becomes writable when that is done, one way or the other. */
MUST_USE bool ami_sock_connect(
	struct ami_sock *sock, const struct sockaddr *address, socklen_t bytes, struct err *err);

/* How the connecting ended. */
MUST_USE bool ami_sock_connected(struct ami_sock *sock, struct err *err);

/* Takes over a connected, non-blocking socket, of either kind. */
void ami_sock_adopt(struct ami_sock *sock, int fd);

/* For poll_add. Where they contain EPOLLET, a poll_change with the same brings back what has been
 * reported and not been read. */
uint32_t ami_sock_events(const struct ami_sock *sock);

/* Ends the connection, for all who hold a copy of the descriptor, and drops what waits. */
void ami_sock_close(struct ami_sock *sock);

enum ami_peek {
	AMI_PEEK_SOME, /* there are bytes, and that is all of them for now */
	AMI_PEEK_FULL, /* there are bytes, and perhaps more behind them */
	AMI_PEEK_NONE,
	AMI_PEEK_END,	/* the other side has closed */
	AMI_PEEK_FAILED /* err says why */
};

/* Views what can be read without taking it; *seen is valid until the next call. */
enum ami_peek ami_sock_peek(struct ami_sock *sock, struct str *seen, struct err *err);

/* Looks twice as far from the next peek on. False when a message may not be longer than what was
 * seen: AMI_MESSAGE_MAX, or AMI_LOCAL_MESSAGE_MAX of a Unix stream, whose buffer cannot grow. */
enum { AMI_LOCAL_MESSAGE_MAX = 128 * 1024 };
MUST_USE bool ami_sock_widen(struct ami_sock *sock);

/* Takes the first n of the bytes last seen. */
MUST_USE bool ami_sock_discard(struct ami_sock *sock, size_t n, struct err *err);

/* Makes the socket readable only with more than these n bytes, the beginning of a message, or at its
 * end: level-triggered, they would wake us for ever. (A Unix stream is not level-triggered, for it
 * knows no low-water mark.) */
void ami_sock_expect_more(struct ami_sock *sock, size_t n);

enum ami_sent { AMI_SENT_ALL, AMI_SENT_NOTHING, AMI_SENT_BROKEN };

/* Writes all of out or, for want of room, nothing. */
enum ami_sent ami_sock_send(struct ami_sock *sock, struct err *err);

#endif
