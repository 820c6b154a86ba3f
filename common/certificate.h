/* X.509 certificates by which clients make themselves known. Whoever lets one in has verified it against its authority;
 * here they are recognised, no more.
 */
#ifndef CCS_COMMON_CERTIFICATE_H
#define CCS_COMMON_CERTIFICATE_H

#include "common/err.h"
#include "common/token.h"

enum { CERTIFICATE_SUBJECT_BYTES = 256 };

struct certificate {
	struct digest fingerprint; /* SHA-256, as `openssl x509 -fingerprint -sha256` prints it */
	char subject[CERTIFICATE_SUBJECT_BYTES]; /* RFC 2253, cut at its end */
	int64_t not_after_us;
};

/* Of the first certificate in a PEM text; false when there is none. */
MUST_USE bool certificate_fingerprint(struct str pem, struct digest *fingerprint);

/* The same with what a person wants to know. INPUT when there is none. */
MUST_USE bool certificate_read(struct str pem, struct certificate *certificate, struct err *err);

#endif
