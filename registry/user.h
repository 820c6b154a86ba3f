/* Users: people and programs that sign in with a name and a password, and the sessions that their
 * tokens belong to. A user is one client's, or an administrator and nobody's: then
 * his client's id is 0. */
#ifndef CCS_REGISTRY_USER_H
#define CCS_REGISTRY_USER_H

#include "common/jwt.h"
#include "registry/password.h"
#include "shm/layout.h"
#include "sql/db.h"

enum { USER_NAME_BYTES = 65 };

struct user {
	uint64_t id;
	uint64_t version; /* counted up by a changed password: tokens of an earlier one are void */
	char name[USER_NAME_BYTES];
	char password_hash[PASSWORD_HASH_BYTES];
};

struct session {
	uint64_t id;
	int64_t expires_us;
	char refresh_id[JWT_ID_CHARS + 1]; /* jti of the refresh token that is good */
};

/* With his client, whose status is not judged. MISSING when there is none. For ccs_login. */
MUST_USE bool user_by_name(struct db *db, struct str name, struct user *user,
	struct shm_client *client, struct err *err);
MUST_USE bool user_by_id(
	struct db *db, uint64_t id, struct user *user, struct shm_client *client, struct err *err);

/* AUTH: what is said about a session that is over, whoever knows it. Always false. */
bool session_over(struct err *err);

/* Whose client a token is; its status is not judged. AUTH when the session is over. */
MUST_USE bool client_by_session(
	struct db *db, const struct jwt_claims *token, struct shm_client *client, struct err *err);

/* Begins a session that can be refreshed for these seconds. For ccs_login. */
MUST_USE bool session_open(struct db *db, const struct user *user, int64_t seconds,
	struct session *session, struct err *err);

/* Takes a refresh token and says which is the next one. AUTH when it is not good: used before, of a
 * session that is over, of a client who is not admitted (client_by_session tells). */
MUST_USE bool session_refresh(
	struct db *db, const struct jwt_claims *token, struct session *session, struct err *err);

/* Ends a session of a client's user, or (client_id 0) of an administrator. *was_open: it was not over before. *control_id is
 * the control row that tells the dispatcher, 0 = it need not know. The caller bumps the client's generation word. */
MUST_USE bool session_end(struct db *db, uint64_t session_id, uint64_t client_id, bool *was_open,
	uint64_t *control_id, struct err *err);

/* Stores a new password, ends all sessions, begins one, and counts user->version up. CONFLICT when
 * somebody else has changed it since the user was read. For ccs_login; as session_end. */
MUST_USE bool password_change(struct db *db, struct user *user, uint64_t client_id,
	const char *new_hash, int64_t seconds, struct session *session, uint64_t *control_id,
	struct err *err);

#endif
