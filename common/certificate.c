/* Recognising certificates: see certificate.h. */
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/certificate.h"
#include "common/clock.h"
#include "common/utf8.h"

#include "common/base.h"

/* The bytes of the first certificate, which OPENSSL_free takes; NULL when there is none. */
static uint8_t *first_of(struct str pem, size_t *n)
{
	char *name = NULL, *header = NULL;
	uint8_t *der = NULL, *found = NULL;
	long size = 0;
	BIO *bio = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;

	while (bio && !found && PEM_read_bio(bio, &name, &header, &der, &size) == 1) {
		if (str_eq(str_of(name), STR(PEM_STRING_X509)))
			found = der;
		else
			OPENSSL_free(der);
		OPENSSL_free(name);
		OPENSSL_free(header);
	}
	BIO_free(bio);
	ERR_clear_error();
	*n = (size_t)size;
	return found;
}

bool certificate_fingerprint(struct str pem, struct digest *fingerprint)
{
	size_t n;
	uint8_t *der = first_of(pem, &n);
	if (!der)
		return false;
	*fingerprint = digest_of((struct str){(const char *)der, n});
	OPENSSL_free(der);
	return true;
}

static bool read_subject(X509 *x509, struct certificate *certificate)
{
	enum { READABLE = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB };
	char *text;
	BIO *bio = BIO_new(BIO_s_mem());

	if (!bio || X509_NAME_print_ex(bio, X509_get_subject_name(x509), 0, READABLE) < 0) {
		BIO_free(bio);
		return false;
	}
	struct str subject = {NULL, (size_t)BIO_get_mem_data(bio, &text)};
	subject.p = text;
	subject.n = MIN(subject.n, sizeof(certificate->subject) - 1);
	subject.n = utf8_prefix(subject);
	bool ok = utf8_is_text(subject) &&
		  str_copy(certificate->subject, sizeof(certificate->subject), subject);
	BIO_free(bio);
	return ok;
}

static bool read_end(const X509 *x509, struct certificate *certificate)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) != 1)
		return false;
	certificate->not_after_us = (int64_t)timegm(&tm) * US_PER_S;
	return true;
}

bool certificate_read(struct str pem, struct certificate *certificate, struct err *err)
{
	struct certificate found;
	size_t n;
	uint8_t *der = first_of(pem, &n);
	const uint8_t *at = der;
	X509 *x509 = der ? d2i_X509(NULL, &at, (long)n) : NULL;

	bool ok = x509 && read_subject(x509, &found) && read_end(x509, &found);
	if (ok) {
		found.fingerprint = digest_of((struct str){(const char *)der, n});
		*certificate = found;
	}
	X509_free(x509);
	OPENSSL_free(der);
	ERR_clear_error();
	return ok || fail(err, ERR_INPUT, "there is no X.509 certificate in it, in PEM");
}
