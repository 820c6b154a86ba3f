/* The keys of one client, or the administrators', as whoever may change them sees them: HTTP's and ccsctl's. A key that is not
 * among them is MISSING. Of a change of a client's keys the caller bumps the generation word, and announces the control row. */
#ifndef CCS_REGISTRY_KEYRING_H
#define CCS_REGISTRY_KEYRING_H

#include "registry/key.h"

struct rotation_input {
#define NUMBER(member, ...) int64_t member;
#include "registry/rotation.def"
#undef NUMBER
};
extern const struct field rotation_fields[];
extern const size_t rotation_fields_n;

enum { KEYRING_ALL = -1, KEYRING_ADMINISTRATORS = 0 };

/* Columns of key_list. */
enum key_column {
	KEY_TOTAL,
	KEY_ID,
	KEY_ACCOUNTCODE,
	KEY_NAME,
	KEY_SHOWN,
	KEY_SCOPES,   /* words between blanks */
	KEY_NETWORKS, /* the same */
	KEY_CREATED,
	KEY_EXPIRES,
	KEY_REVOKED,
	KEY_REPLACED,
	KEY_STATE, /* active, replaced (and still good), expired, revoked */
	KEY_CLIENT,
	KEY_LAST_USED, /* to the minute */
	KEY_SERVER     /* server_code */
};

/* The keys of a client, or of KEYRING_ALL or KEYRING_ADMINISTRATORS, by id. */
struct keyring_part {
	int64_t client_id;
	uint64_t limit, offset;
	bool newest_first;
};
MUST_USE bool keyring_list(
	struct db *db, const struct keyring_part *part, struct rows *rows, struct err *err);

/* How many of the rows are keys: a page behind the end tells the total alone. */
int keyring_rows(const struct rows *rows);

/* One row. */
MUST_USE bool keyring_find(
	struct db *db, int64_t client_id, uint64_t key_id, struct rows *rows, struct err *err);

/* The key is good no more, from the commit on. *was_good: it was not revoked before. */
MUST_USE bool keyring_end(struct db *db, const char *actor, uint64_t client_id,
	const char *accountcode, uint64_t key_id, bool *was_good, uint64_t *control_id,
	struct err *err);

/* Makes a key in the place of one that is good, with its name, scopes, networks and length of life. CONFLICT when it has a
 * successor, or is good no more. */
MUST_USE bool keyring_rotate(struct db *db, const char *actor, uint64_t client_id,
	const char *accountcode, uint64_t key_id, const struct rotation_input *input,
	struct key_changed *changed, struct err *err);

#endif
