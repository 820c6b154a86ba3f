/* Signatures of what we send, so that a receiver knows that it comes from us, unchanged and not long ago.
 *
 *   X-Signature: <hex>                          HMAC-SHA256 of the body, keyed with the secret as it is written
 *   webhook-signature: v1,<base64> v1,<base64>  HMAC-SHA256 of "id.timestamp.body", keyed with the bytes that the secret
 *                                               stands for (standardwebhooks.com), one for each secret that is good
 *
 * A secret is "whsec_" and 32 random bytes in base64.
 */
#ifndef CCS_COURIER_SIGN_H
#define CCS_COURIER_SIGN_H

#include "common/str.h"
#include "common/strbuf.h"

enum { SIGN_SECRET_BYTES = 64 }; /* with its terminator */

/* 64 hex digits. */
void sign_body(struct strbuf *out, struct str secret, struct str body);

/* "v1,<base64>". False when secret is none. */
MUST_USE bool sign_standard(
	struct strbuf *out, struct str secret, struct str id, int64_t timestamp, struct str body);

#endif
