/* The way to the TLS wire (tls_wire.h), the process that speaks TLS for the dispatcher's child: one Unix stream for each
 * AMI connection.
 *
 *   child                              wire
 *   connects, struct tls_request ───►
 *                                      connects to Asterisk, shakes hands, checks the certificate
 *                                ◄───  struct tls_verdict
 *   AMI in clear                 ◄──►  AMI in clear
 *
 * From then on the stream is an AMI socket like one over TCP: the child peeks and discards, the holder keeps a copy, the
 * child's successor goes on with it.
 */
#ifndef CCS_DISPATCHER_TLS_LINK_H
#define CCS_DISPATCHER_TLS_LINK_H

#include <sys/socket.h>

#include "common/err.h"
#include "dispatcher/tls_trust.h"

enum { TLS_WORDS_BYTES = sizeof(((struct err *)NULL)->text) };

struct tls_request {
	struct sockaddr_storage address;
	socklen_t address_bytes;
	int64_t timeout_us; /* for connecting, and as long again for the handshake */
	struct tls_trust trust;
};

/* why is "" when all is well; then plaintext follows. Otherwise the end follows. */
struct tls_verdict {
	char why[TLS_WORDS_BYTES];
};

/* Makes the socket in run_dir to which tls_ask connects. For the holder; it outlives every wire, so that what the child
 * asks while there is none waits for the next. */
MUST_USE bool tls_listen(const char *run_dir, int *fd, struct err *err);

/* Takes its name away. */
void tls_unlisten(const char *run_dir);

/* Asks for a connection: *fd is the non-blocking stream, which becomes readable with the verdict. */
MUST_USE bool tls_ask(
	const char *run_dir, const struct tls_request *request, int *fd, struct err *err);

enum tls_heard { TLS_NOTHING_YET, TLS_SECURED, TLS_REFUSED /* err says why */ };

enum tls_heard tls_hear(int fd, struct err *err);

#endif
