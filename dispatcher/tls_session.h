/* TLS with OpenSSL: how a session of ours is set up, and in which words it fails. */
#ifndef CCS_DISPATCHER_TLS_SESSION_H
#define CCS_DISPATCHER_TLS_SESSION_H

#include <openssl/ssl.h>

#include "common/err.h"
#include "dispatcher/tls_link.h"

/* What was seen of a certificate that did not pass, for the words about it. */
struct tls_seen {
	char name[64]; /* a name it is for; "" = none was seen */
};

/* What all sessions share. Ends the process when OpenSSL cannot be set up. */
SSL_CTX *tls_context(void);

/* A session on a connected socket, ready for SSL_connect: TLS 1.2 or later, the peer checked as trust says. The file of
 * certificates is read now. seen and trust live as long as the session. NULL: err says why. */
SSL *tls_session_new(SSL_CTX *context, int fd, const struct tls_trust *trust, struct tls_seen *seen,
	struct err *err);

/* After the handshake: forgets the certificates that were needed for it. */
void tls_session_settle(SSL *ssl);

/* What ended the session in the call that has returned rc. Ask at once, for OpenSSL's queue of errors and errno tell; both
 * must have been empty before the call. */
const char *tls_session_reason(const SSL *ssl, int rc);

/* The same of a handshake, in words for an operator; returns false. */
bool tls_session_failed(const SSL *ssl, int rc, const struct tls_trust *trust,
	const struct tls_seen *seen, struct err *err);

/* How the peer's certificate ends: the day, "" when it has none, and how many days are left. */
enum { TLS_DAY_BYTES = 16 };
void tls_session_expiry(const SSL *ssl, char day[TLS_DAY_BYTES], int *days_left);

#endif
