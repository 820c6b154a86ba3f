/* API keys. Only the digest is stored: whoever lost a key gets a new one. */
#ifndef CCS_REGISTRY_KEY_H
#define CCS_REGISTRY_KEY_H

#include "common/token.h"
#include "registry/field.h"
#include "shm/scope.h"
#include "sql/db.h"

struct key_created {
	uint64_t id;
	int64_t expires_us;	       /* INT64_MIN: never */
	char key[TOKEN_KEY_CHARS + 1]; /* shown once, to whom it belongs */
};

/* What is said of a new one. */
struct key_input {
#define TEXT(member, ...)   struct str member;
#define LIST(member, ...)   struct str_list member;
#define NUMBER(member, ...) int64_t member;
#define FLAG(member, ...)   int64_t member;
#include "registry/key.def"
#undef TEXT
#undef LIST
#undef NUMBER
#undef FLAG
};
extern const struct field key_fields[];
extern const size_t key_fields_n;

struct key_wish {
	uint64_t client_id; /* 0: an administrator's, or a server's */
	uint64_t server_id; /* 0: no server's */
	struct str name;    /* tells a client's keys apart */
	bool is_test;	    /* that client is a test account */
	uint32_t scopes;    /* enum shm_scope */
	int64_t days;	    /* it lives so long; 0: until it is revoked */
	const struct str_list
		*networks; /* from where it may be used; NULL or none: from anywhere */
};

/* Good ones of one client: the directory has room for so many. */
enum { KEYS_MAX = 50 };

/* Inside the caller's transaction. CONFLICT when its client has KEYS_MAX good ones. */
MUST_USE bool key_create(
	struct db *db, const struct key_wish *wish, struct key_created *created, struct err *err);

/* Makes a key for the client with input's accountcode, the server with its server_code, or without either for an administrator. *client_id 0: not a client's; else the
 * caller bumps its generation word. MISSING when there is no such client. */
MUST_USE bool key_add(struct db *db, const char *actor, const struct key_input *input,
	uint64_t *client_id, struct key_created *created, struct err *err);

/* The same for a client that is known; input's accountcode is not looked at. *client_id becomes the test account's where a test
 * key is asked for. */
MUST_USE bool key_add_for(struct db *db, const char *actor, uint64_t *client_id,
	const char *accountcode, const struct key_input *input, struct key_created *created,
	struct err *err);

/* How a client changes its own keys: by one of them, or by a token and then all (by_key 0). What is
 * asked by a key concerns that key alone: others may be in other hands. */
struct key_change {
	uint64_t client_id;
	const char *accountcode; /* for the audit */
	bool is_test;		 /* it is a test account */
	const char *actor;	 /* the same */
	uint64_t by_key;
	int64_t old_key_seconds; /* replaced keys are good for so long; 0 = no longer */
	bool ends_sessions;	 /* of the client's users */
};

struct key_changed {
	char key[TOKEN_KEY_CHARS + 1]; /* the new one, shown once; "" = none was made */
	int64_t expires_us;	       /* the new one; INT64_MIN = never */
	int64_t old_until_us;	       /* INT64_MIN: the old ones are good no longer */
	uint64_t control_id;	       /* 0: nothing was changed, or it is an administrator's */
	uint64_t id;		       /* of the new one */
};

/* FORBIDDEN when the key has been replaced before: whoever found an old one cannot get a new one by
 * it. One transaction; the caller then bumps the client's generation word and announces
 * control_id. */
MUST_USE bool key_replace(struct db *db, const struct key_change *change,
	struct key_changed *changed, struct err *err);
MUST_USE bool key_revoke(struct db *db, const struct key_change *change,
	struct key_changed *changed, struct err *err);

#endif
