/* What a client does with its callbackurl: look at it, sign, test, send again. Each acts as the client (row-level security), or as
 * the owner for ccsctl. What is to be sent, ccs-courier sends. */
#ifndef CCS_REGISTRY_WEBHOOK_H
#define CCS_REGISTRY_WEBHOOK_H

#include "common/secret.h"
#include "registry/field.h"
#include "sql/db.h"

enum { WEBHOOK_SECRET_CHARS = 6 + 44 }; /* "whsec_" and 32 bytes in base64 */

struct webhook_secret_input {
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#include "registry/webhook_secret.def"
#undef NUMBER
#undef TEXT
};
extern const struct field webhook_secret_fields[];
extern const size_t webhook_secret_fields_n;

struct webhook_replay_input {
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#define FLAG(member, ...)   int64_t member;
#include "registry/webhook_replay.def"
#undef FLAG
#undef NUMBER
#undef TEXT
};
extern const struct field webhook_replay_fields[];
extern const size_t webhook_replay_fields_n;

/* Whose, and who asks. */
struct webhook_of {
	uint64_t client_id;
	const char *accountcode;
	const char *actor; /* for the audit */
};

/* One JSON object: address, state, position, what waits, which secrets are good. Appended to out. */
MUST_USE bool webhook_show(
	struct db *db, const struct webhook_of *of, struct strbuf *out, struct err *err);

/* Attempts to deliver, the newest first: JSON objects, separated by commas; those with an id below before (0: all), of this
 * outcome (p NULL: any). *next is the before of what follows, 0: there is no more. */
MUST_USE bool webhook_deliveries(struct db *db, const struct webhook_of *of, uint64_t before,
	uint64_t size, struct str outcome, struct strbuf *out, uint64_t *next, struct err *err);

/* A new secret in the place of the present one, which stays good for input's grace_seconds beside it; any older one is good
 * no more. Wipe secret when it has been shown. *old_until_us: INT64_MIN = there was none, or it is good no more. */
MUST_USE bool webhook_secret_make(struct db *db, const struct secret_key *key,
	const struct webhook_of *of, const struct webhook_secret_input *input,
	char secret[WEBHOOK_SECRET_CHARS + 1], int64_t *old_until_us, struct err *err);

/* Has a test sent, as any event; its number is the one in its id, "7-test-5". CONFLICT when there is no callbackurl. */
MUST_USE bool webhook_test(
	struct db *db, const struct webhook_of *of, uint64_t *number, struct err *err);

/* Has events sent again, at most 10,000 of them: *queued. CONFLICT when there is no callbackurl. */
MUST_USE bool webhook_replay(struct db *db, const struct webhook_of *of,
	const struct webhook_replay_input *input, uint64_t *queued, struct err *err);

#endif
