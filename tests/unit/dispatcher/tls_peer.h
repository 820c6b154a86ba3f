/* TLS servers that a test plays, each in a process of its own for one connection, and the certificates they show. */
#ifndef CCS_TESTS_UNIT_DISPATCHER_TLS_PEER_H
#define CCS_TESTS_UNIT_DISPATCHER_TLS_PEER_H

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/str.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

enum { PEER_PATIENCE_S = 30, DAY_S = 86400 };

/* ---- certificates ---- */

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

/* What a certificate says; what is not said is as usual. */
struct says {
	const char *common_name; /* "ast1.test" */
	const char *names;	 /* "DNS:ast1.test"; NULL: only the common name */
	const char *usage;	 /* "serverAuth" */
	int from_days, to_days;	 /* from now on; 0, 0: -1, 30 */
	bool is_authority;
	const struct identity *issuer; /* NULL: itself */
};

static inline void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static inline struct identity identity_new(const struct says *says)
{
	static long serial = 1;
	struct identity made = {EVP_EC_gen("P-256"), X509_new()};
	const struct identity *issuer = says->issuer ? says->issuer : &made;
	X509 *c = made.certificate;
	const char *name = says->common_name ? says->common_name : "ast1.test";
	bool is_usual = !says->from_days && !says->to_days;

	assert_non_null(made.key);
	assert_non_null(c);
	(void)X509_set_version(c, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
	(void)X509_gmtime_adj(X509_getm_notBefore(c), (is_usual ? -1L : says->from_days) * DAY_S);
	(void)X509_gmtime_adj(X509_getm_notAfter(c), (is_usual ? 30L : says->to_days) * DAY_S);
	(void)X509_set_pubkey(c, made.key);
	(void)X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	(void)X509_set_issuer_name(c, X509_get_subject_name(issuer->certificate));
	extend(c, NID_basic_constraints, says->is_authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (!says->is_authority)
		extend(c, NID_ext_key_usage, says->usage ? says->usage : "serverAuth");
	if (says->names)
		extend(c, NID_subject_alt_name, says->names);
	assert_true(X509_sign(c, issuer->key, EVP_sha256()) > 0);
	return made;
}

static inline void identity_free(struct identity *identity)
{
	EVP_PKEY_free(identity->key);
	X509_free(identity->certificate);
}

static inline void identity_write(const struct identity *identity, const char *path)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, identity->certificate), 1);
	assert_int_equal(fclose(file), 0);
}

/* ---- servers ---- */

struct peer {
	uint16_t port;
	pid_t pid;
	int told; /* what the role writes to its `tell` */
	int word; /* closed: the role may go on */
};

/* What a role has. */
struct stage {
	int fd;
	SSL *ssl; /* after the handshake; NULL where there is none */
	int tell, word;
};

typedef void role_fn(struct stage *stage);

/* How a server differs from a good one. */
struct oddity {
	bool in_clear; /* no handshake: the role has the socket */
	int newest;    /* TLS version; 0 = all */
};

static inline SSL *accept_tls(int fd, const struct identity *identity, const struct oddity *oddity)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(context, identity->certificate);
	SSL_CTX_use_PrivateKey(context, identity->key);
	if (oddity->newest) {
		SSL_CTX_set_security_level(context, 0);
		SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(context, oddity->newest);
	}
	SSL *ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		_exit(0); /* the test is about what the other side makes of it */
	return ssl;
}

static inline int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, bytes), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

/* In a process of its own nothing but standard error and these n (at most 4) descriptors stays open, from
 * STDERR_FILENO + 1 on in this order: no end of a connection lives on because of it. */
static inline void keep_only(const int *fds, size_t n)
{
	enum { FREE_FROM = 200 };
	for (size_t i = 0; i < n; i++)
		if (dup2(fds[i], FREE_FROM + (int)i) < 0)
			_exit(1);
	for (size_t i = 0; i < n; i++)
		if (dup2(FREE_FROM + (int)i, STDERR_FILENO + 1 + (int)i) < 0)
			_exit(1);
	(void)close_range(STDERR_FILENO + 1 + (unsigned)n, ~0U, 0);
}

static inline struct peer peer_start(
	const struct identity *identity, const struct oddity *oddity, role_fn *role)
{
	struct peer peer;
	int listener = listen_on_loopback(&peer.port);
	int told[2], word[2];
	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(word), 0);
	peer.pid = fork();
	assert_true(peer.pid >= 0);
	if (peer.pid == 0) {
		static const struct oddity none;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)alarm(PEER_PATIENCE_S);
		(void)signal(SIGPIPE, SIG_IGN);
		keep_only((int[]){told[1], word[0], listener}, 3);
		struct stage stage = {accept(STDERR_FILENO + 3, NULL, NULL), NULL,
			STDERR_FILENO + 1, STDERR_FILENO + 2};
		if (!oddity || !oddity->in_clear)
			stage.ssl = accept_tls(stage.fd, identity, oddity ? oddity : &none);
		role(&stage);
		_exit(0);
	}
	close(listener);
	close(told[1]);
	close(word[0]);
	peer.told = told[0];
	peer.word = word[1];
	return peer;
}

/* The role may go on. */
static inline void peer_go(struct peer *peer)
{
	if (peer->word >= 0)
		close(peer->word);
	peer->word = -1;
}

static inline void await_word(struct stage *stage)
{
	char c;
	(void)!read(stage->word, &c, 1);
}

/* Its whole role was played, in time. */
static inline void peer_end(struct peer *peer)
{
	int status;
	peer_go(peer);
	close(peer->told);
	assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- roles ---- */

/* Says hello and repeats what it hears. */
static inline void echoes(struct stage *stage)
{
	char piece[16384];
	int n;
	(void)SSL_write(stage->ssl, "hello\n", 6);
	while ((n = SSL_read(stage->ssl, piece, sizeof(piece))) > 0)
		(void)SSL_write(stage->ssl, piece, n);
	(void)SSL_shutdown(stage->ssl);
}

static inline void greets_in_clear(struct stage *stage)
{
	static const char banner[] = "Asterisk Call Manager/11.0.0\r\n";
	char c;
	(void)!write(stage->fd, banner, strlen(banner));
	while (read(stage->fd, &c, 1) > 0)
		;
}

static inline void says_nothing(struct stage *stage)
{
	char c;
	while (read(stage->fd, &c, 1) > 0)
		;
}

static inline void hangs_up(struct stage *stage)
{
	char c;
	(void)!read(stage->fd, &c, 1);
}

#endif
