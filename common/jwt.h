/* Tokens of users who have signed in: JSON Web Tokens, signed with HS256 because whoever issues them
 * also verifies them. The one file that knows libjwt; what libjwt would let pass, this refuses:
 *
 *   length     at most JWT_MAX_BYTES, three parts of base64url
 *   header     byte for byte the one that a key of the ring writes. So no token chooses its
 *              algorithm, names a key by address, or goes without a signature
 *   signature  by that key
 *   claims     iss, aud, jti text; sub, sid, ver, iat, nbf, exp whole numbers. iss is ours, aud is
 *              what the token is for; iat and nbf have come, exp has not, give or take
 *              JWT_LEEWAY_S
 *
 * A token says what was so when it was issued. Whether its session goes on is for the directory
 * (dir_session in shm/directory.h) or for PostgreSQL to say.
 */
#ifndef CCS_COMMON_JWT_H
#define CCS_COMMON_JWT_H

#include "common/jwt_ring.h"
#include "common/str.h"

enum { JWT_MAX_BYTES = 4096, JWT_LEEWAY_S = 30, JWT_ID_CHARS = 16 };

/* What a token is for: its aud. One that is made for the other purpose is refused. */
enum jwt_use {
	JWT_ACCESS,  /* Authorization: Bearer */
	JWT_REFRESH, /* POST /auth/refresh */
	JWT_USE__N
};

struct jwt_claims {
	uint64_t user_id;	   /* sub */
	uint64_t session_id;	   /* sid */
	uint64_t version;	   /* ver: of the user; a changed password counts it up */
	int64_t issued_s;	   /* iat, and nbf */
	int64_t expires_s;	   /* exp */
	char id[JWT_ID_CHARS + 1]; /* jti */
	/* Not a claim: which key signed it. Filled by jwt_verify, for jwt_ring_holds */
	char kid[JWT_KID_CHARS + 1];
};

enum { JWT_TEXT_BYTES = 512 }; /* more than any token that we issue */

/* Three parts of base64url with two dots: worth a look. An API key is not. */
bool jwt_is_token(struct str text);

/* Signs with the ring's newest key. Fails with INTERNAL when there is none. */
MUST_USE bool jwt_issue(const struct jwt_ring *ring, enum jwt_use use,
	const struct jwt_claims *claims, char out[JWT_TEXT_BYTES], struct err *err);

/* By the keys that are in the ring's file now. Fails with AUTH; the code is token_expired when nothing
 * else is wrong, else token_invalid. */
MUST_USE bool jwt_verify(struct jwt_ring *ring, enum jwt_use use, struct str token, int64_t now_us,
	struct jwt_claims *claims, struct err *err);

/* For the ring: fills key->head. */
MUST_USE bool jwt_key_head(struct jwt_key *key, struct err *err);

#endif
