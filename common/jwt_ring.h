/* The keys that sign tokens, in one file that `ccsctl jwt-key` keeps:
 *
 *   # comment
 *   <kid> <made, seconds since 1970> <64 hex digits>        oldest first; the last one signs
 *
 * All of them verify. A new key signs from now on and those before it still verify, so nobody is
 * signed out by a rotation; a key is taken away when no token of it can be good any more, or at once
 * when it has become known to others: then whoever signed in under it must sign in again.
 *
 * Processes notice a changed file by themselves, within a second; at once, when somebody shows a
 * token of a key that they do not have: another process may have looked before them, and signed.
 */
#ifndef CCS_COMMON_JWT_RING_H
#define CCS_COMMON_JWT_RING_H

#include <sys/types.h>

#include "common/err.h"
#include "common/str.h"

enum {
	JWT_KEYS_MAX = 8,
	JWT_SECRET_BYTES = 32, /* what HS256 can use */
	JWT_KID_CHARS = 8,
	JWT_HEAD_BYTES = 96,
	JWT_PATH_BYTES = 512,
};

struct jwt_key {
	char kid[JWT_KID_CHARS + 1];
	int64_t made_s;
	uint8_t secret[JWT_SECRET_BYTES];
	char head[JWT_HEAD_BYTES]; /* the first part of every token that it signs */
};

/* Which content of the file has been read. */
struct jwt_ring_seen {
	dev_t dev;
	ino_t ino;
	off_t size;
	int64_t changed_ns;
};

struct jwt_ring {
	int n; /* 0: nobody can sign in, no token is good */
	struct jwt_key key[JWT_KEYS_MAX];
	char path[JWT_PATH_BYTES];
	struct jwt_ring_seen seen;
	int64_t checked_mono_us;
};

/* Reads the file. Refuses one that others may read, that holds no key, or anything that it does not
 * understand; the ring is then empty, and jwt_ring_check tries again when the file has changed. */
MUST_USE bool jwt_ring_load(struct jwt_ring *ring, const char *path, struct err *err);

/* Reads the file again if it has changed; looks at most once a second. What cannot be read is logged
 * and the keys stay as they were. Before anything is signed. */
void jwt_ring_check(struct jwt_ring *ring);

/* The key of tokens with this head, in the file as it is now; NULL when there is none. Its tokens are
 * good for a second after it was taken away. */
const struct jwt_key *jwt_ring_find(struct jwt_ring *ring, struct str head);

/* The same by its name. */
const struct jwt_key *jwt_ring_named(struct jwt_ring *ring, struct str kid);

/* Is there still a key of this name? Within a second of the file. */
bool jwt_ring_holds(struct jwt_ring *ring, const char *kid);

void jwt_ring_wipe(struct jwt_ring *ring);

/* The key that signs; NULL in an empty ring. */
const struct jwt_key *jwt_ring_signer(const struct jwt_ring *ring);

/* ---- the file's keeper: ccsctl ----
 *
 * Keepers wait for each other, so that none undoes what another has done. */

/* Makes the file, mode 0600, with one new key. CONFLICT when there is one. */
MUST_USE bool jwt_ring_create(const char *path, struct err *err);

/* Adds a new key, which signs from now on. CONFLICT when the ring is full. */
MUST_USE bool jwt_ring_rotate(const char *path, struct err *err);

/* Takes a key away. MISSING when there is none of this name; CONFLICT when it is the last one. */
MUST_USE bool jwt_ring_retire(const char *path, struct str kid, struct err *err);

#endif
