/* Sessions of OpenSSL and their failures: see tls_session.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "dispatcher/tls_session.h"

#include "common/base.h"

/* ---- set-up ---- */

static void keep_text(struct tls_seen *seen, const ASN1_STRING *text)
{
	size_t n = MIN((size_t)ASN1_STRING_length(text), sizeof(seen->name) - 1);
	memcpy(seen->name, ASN1_STRING_get0_data(text), n);
	seen->name[n] = '\0';
}

/* A name of the certificate: the first of its alternative names, or its common name. */
static void name_of(X509 *certificate, struct tls_seen *seen)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	const GENERAL_NAME *name =
		sk_GENERAL_NAME_num(names) > 0 ? sk_GENERAL_NAME_value(names, 0) : NULL;

	if (name && name->type == GEN_DNS)
		keep_text(seen, name->d.dNSName);
	else if (name && name->type == GEN_IPADD)
		(void)inet_ntop(ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6,
			ASN1_STRING_get0_data(name->d.iPAddress), seen->name, sizeof(seen->name));
	else
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
			seen->name, sizeof(seen->name));
	GENERAL_NAMES_free(names);
}

/* OpenSSL has decided; this only remembers what it has decided about. */
static int on_verified(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);

	if (!ok && certificate)
		name_of(certificate, SSL_get_app_data(ssl));
	return ok;
}

SSL_CTX *tls_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION))
		die("tls.impossible", "why=%s", log_q(ERR_error_string(ERR_get_error(), NULL)));
	/* AMI tells its own end; Asterisk often closes without TLS's. */
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

/* A store for each session, gone after its handshake: a file that has changed counts from the next connection on. */
static bool add_store(SSL *ssl, const struct tls_trust *trust, struct err *err)
{
	X509_STORE *store = X509_STORE_new();
	bool ok = store && (*trust->ca ? X509_STORE_load_file(store, trust->ca)
				       : X509_STORE_set_default_paths(store));

	if (ok)
		ok = SSL_set1_verify_cert_store(ssl, store) == 1;
	X509_STORE_free(store);
	if (ok)
		return true;
	FILE *file = fopen(trust->ca, "re");
	int why = errno;
	if (file)
		(void)fclose(file);
	return fail(err, ERR_INPUT, "TLS: tls_ca %s: %s", trust->ca,
		file ? "there is no certificate in it" : strerror(why));
}

static bool is_address(const char *name)
{
	struct in6_addr any;
	return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

static bool expect_name(SSL *ssl, const struct tls_trust *trust)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	bool by_address = is_address(trust->name);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* tls_ca may hold the server's own certificate instead of an authority's. */
	(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (!by_address && !SSL_set_tlsext_host_name(ssl, trust->name))
		return false;
	return !trust->verify || (by_address ? X509_VERIFY_PARAM_set1_ip_asc(param, trust->name)
					     : X509_VERIFY_PARAM_set1_host(param, trust->name, 0));
}

SSL *tls_session_new(SSL_CTX *context, int fd, const struct tls_trust *trust, struct tls_seen *seen,
	struct err *err)
{
	SSL *ssl = SSL_new(context);

	ERR_clear_error();
	*seen = (struct tls_seen){.name = ""};
	if (!ssl || !SSL_set_fd(ssl, fd) || !SSL_set_app_data(ssl, seen) ||
		!expect_name(ssl, trust)) {
		(void)fail(err, ERR_INTERNAL, "TLS: %s", ERR_error_string(ERR_get_error(), NULL));
	} else if (!trust->verify) {
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
		return ssl;
	} else if (add_store(ssl, trust, err)) {
		SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verified);
		return ssl;
	}
	SSL_free(ssl);
	return NULL;
}

void tls_session_settle(SSL *ssl)
{
	(void)SSL_set1_verify_cert_store(ssl, NULL);
}

/* ---- words ---- */

static bool wrong_name(const struct tls_trust *trust, const struct tls_seen *seen, struct err *err)
{
	if (!*seen->name)
		return fail(err, ERR_INPUT, "TLS: the certificate bears no name, %s is expected",
			trust->name);
	return fail(err, ERR_INPUT,
		"TLS: the certificate is for %.40s, not %.40s; tls_name can tell", seen->name,
		trust->name);
}

static bool unknown_issuer(const struct tls_trust *trust, struct err *err)
{
	if (*trust->ca)
		return fail(err, ERR_INPUT, "TLS: no certificate in %.80s vouches for this one",
			trust->ca);
	return fail(err, ERR_INPUT,
		"TLS: nobody vouches for the certificate: set tls_ca to its authority, or to "
		"itself");
}

static bool refused_certificate(
	long verdict, const struct tls_trust *trust, const struct tls_seen *seen, struct err *err)
{
	switch (verdict) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return wrong_name(trust, seen, err);
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return unknown_issuer(trust, err);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return fail(err, ERR_INPUT, "TLS: the certificate of %.40s has expired: renew it",
			seen->name);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return fail(err, ERR_INPUT,
			"TLS: the certificate of %.40s is not valid yet: compare the clocks",
			seen->name);
	case X509_V_ERR_INVALID_PURPOSE:
		return fail(err, ERR_INPUT, "TLS: the certificate of %.40s is not one for servers",
			seen->name);
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return fail(err, ERR_INPUT,
			"TLS: the certificate of %.40s is too weak: RSA 2048 and SHA-256 at least",
			seen->name);
	default:
		return fail(err, ERR_INPUT, "TLS: certificate refused: %s",
			X509_verify_cert_error_string(verdict));
	}
}

/* Of errors in OpenSSL's own words, those that an operator can do something about. */
static const struct {
	int reason;
	const char *words;
} known[] = {
	{SSL_R_WRONG_VERSION_NUMBER,
		"this port does not speak TLS: it is another than tlsbindaddr"},
	{SSL_R_HTTP_REQUEST, "this port does not speak TLS: it is another than tlsbindaddr"},
	{SSL_R_PACKET_LENGTH_TOO_LONG,
		"this port does not speak TLS: it is another than tlsbindaddr"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "the server knows no TLS 1.2 or later"},
	{SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the server knows no TLS 1.2 or later"},
	{SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the server refuses: is its tlscertfile readable?"},
};

const char *tls_session_reason(const SSL *ssl, int rc)
{
	int why = errno;
	int kind = SSL_get_error(ssl, rc);
	const char *words =
		kind == SSL_ERROR_SSL ? ERR_reason_error_string(ERR_peek_error()) : NULL;

	if (kind == SSL_ERROR_SYSCALL && why)
		return strerror(why);
	return words ? words : "closed by the server";
}

bool tls_session_failed(const SSL *ssl, int rc, const struct tls_trust *trust,
	const struct tls_seen *seen, struct err *err)
{
	const char *reason = tls_session_reason(ssl, rc);
	unsigned long code = ERR_peek_error();
	long verdict = SSL_get_verify_result(ssl);

	if (trust->verify && verdict != X509_V_OK)
		return refused_certificate(verdict, trust, seen, err);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == known[i].reason)
			return fail(err, ERR_BUSY, "TLS: %s", known[i].words);
	return fail(err, ERR_BUSY, "TLS: handshake failed: %s", reason);
}

void tls_session_expiry(const SSL *ssl, char day[TLS_DAY_BYTES], int *days_left)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);
	const ASN1_TIME *end = certificate ? X509_get0_notAfter(certificate) : NULL;
	struct tm tm;
	int seconds;

	*day = '\0';
	*days_left = 0;
	if (end && ASN1_TIME_to_tm(end, &tm) && ASN1_TIME_diff(days_left, &seconds, NULL, end))
		(void)strftime(day, TLS_DAY_BYTES, "%Y-%m-%d", &tm);
}
