/* Clients: tenants with limits, a calling window, a user and API keys. */
#ifndef CCS_REGISTRY_CLIENT_H
#define CCS_REGISTRY_CLIENT_H

#include "common/conf.h"
#include "common/secret.h"
#include "registry/field.h"
#include "registry/key.h"
#include "registry/noun.h"
#include "registry/number.h"
#include "shm/layout.h"
#include "sql/db.h"

/* What a registration says: the onboarding document's fields, then ours. */
struct client_input {
#define TEXT(member, ...)   struct str member;
#define SECRET(member, ...) struct str member;
#define NUMBER(member, ...) int64_t member;
#define BOOL(member, ...)   int64_t member;
#define LIST(member, ...)   struct str_list member;
#include "registry/client.def"
#undef LIST
#undef TEXT
#undef SECRET
#undef NUMBER
#undef BOOL
};
extern const struct field client_fields[];
extern const size_t client_fields_n;

struct client_created {
	uint64_t client_id;
	struct key_created key;
};

/* Checks the input and stores client, user, first key, in one transaction. conf fills in time
 * zone and region; secret encrypts database addresses, and may be NULL when the input has none. */
MUST_USE bool client_create(struct db *db, const struct conf *conf, const struct secret_key *secret,
	const char *actor, const struct client_input *input, struct client_created *created,
	struct err *err);

/* Changes what is given of it, its accountcode excepted; secret as in client_create. username and password are the user's own:
 * registry/person.h. */
MUST_USE bool client_change(struct db *db, const struct conf *conf, const struct secret_key *secret,
	const struct which *which, struct edit *edit, const struct client_input *input,
	struct err *err);

/* The columns of the view client_facts, with which every statement that reads clients begins. */
enum { CLIENT_COLUMNS = 27 };

/* Reads those columns; where they are null, which stands for an administrator, *out is zero. False when a text is longer than the segment's field: never, as the
 * schema's checks are narrower. */
MUST_USE bool client_from_row(
	const struct rows *rows, int row, struct shm_client *out, struct err *err);

/* Who holds the key with this digest: id 0 = an administrator or, with *server_id, an Asterisk server. MISSING when nobody
 * does; AUTH when it is revoked or has expired. */
MUST_USE bool client_by_key(struct db *db, const struct digest *digest, struct shm_client *client,
	struct shm_key *key, uint64_t *server_id, struct err *err);

/* Whose certificate has this SHA-256. The key has no id, and *server_id is 0. MISSING when it is nobody's. */
MUST_USE bool client_by_certificate(struct db *db, const struct digest *fingerprint,
	struct shm_client *client, struct shm_key *key, uint64_t *server_id, struct err *err);

/* MISSING when there is none. */
MUST_USE bool client_by_accountcode(
	struct db *db, struct str accountcode, struct shm_client *client, struct err *err);

/* How the client's numbers are checked. */
struct number_rules client_number_rules(const struct shm_client *client, const struct conf *conf);

#endif
