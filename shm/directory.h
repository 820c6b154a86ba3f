/* Who may call through what: clients, users, keys, servers, allocations, as the dispatcher last read
 * them from PostgreSQL.
 *
 * Open addressing with linear probing; rows never move while they are in use, so the usage words
 * beside them stay where they are. Removed rows are GONE until the probe sequence behind them ends.
 * Clients, users and servers are found by id, keys by digest, allocations by client (all of one client lie
 * in one probe run) and server.
 *
 * Readers: false means "the segment does not know for certain": ask PostgreSQL. It never means "no
 * such client".
 */
#ifndef CCS_SHM_DIRECTORY_H
#define CCS_SHM_DIRECTORY_H

#include "common/jwt.h"
#include "shm/health.h"
#include "shm/row.h"
#include "shm/segment.h"

/* ---- owner: the dispatcher ----
 *
 * Puts the row in place of an earlier one of the same key, or in a new place with zero usage. The
 * usage words of an existing row stay. NULL when the table is full (say so in the log: the option
 * is segment.<table>). The pointer is good until the row is removed: rows do not move.
 *
 * A client's keys, users and allocations are put and removed before its own row is: a reader that
 * finds the client current relies on it. */
struct shm_client_row *dir_put_client(struct segment *seg, const struct shm_client *client);
struct shm_user_row *dir_put_user(struct segment *seg, const struct shm_user *user);
struct shm_key_row *dir_put_key(struct segment *seg, const struct shm_key *key);
struct shm_server_row *dir_put_server(struct segment *seg, const struct shm_server *server);
struct shm_allocation_row *dir_put_allocation(
	struct segment *seg, const struct shm_allocation *allocation);

/* False when there was none. */
bool dir_remove_client(struct segment *seg, uint64_t client_id);
bool dir_remove_user(struct segment *seg, uint64_t user_id);
bool dir_remove_key(struct segment *seg, const struct digest *digest);
bool dir_remove_server(struct segment *seg, uint64_t server_id);
bool dir_remove_allocation(struct segment *seg, uint64_t client_id, uint64_t server_id);

/* What went wrong with a server last, for people. Cut at the field's size. */
void dir_server_error(struct shm_server_row *server, const char *text, int64_t at_us);

/* ---- readers ---- */

MUST_USE bool dir_client(const struct segment *seg, uint64_t client_id, struct shm_client *client);
MUST_USE bool dir_user(const struct segment *seg, uint64_t user_id, struct shm_user *user);
MUST_USE bool dir_key(const struct segment *seg, const struct digest *digest, struct shm_key *key);
MUST_USE bool dir_server(const struct segment *seg, uint64_t server_id, struct shm_server *server);

/* The row was read from SQL after the last change that anybody announced with tenant_changed. */
bool dir_current(const struct segment *seg, const struct shm_client *client);

/* The whole path of a request: the key, its client, and both current. False: ask PostgreSQL, for
 * whatever reason. Neither expiry nor status are judged here. */
MUST_USE bool dir_identify(const struct segment *seg, const struct digest *digest,
	struct shm_key *key, struct shm_client *client);

enum dir_session {
	DIR_SESSION_UNSURE,   /* ask PostgreSQL, for whatever reason, or again in a while */
	DIR_SESSION_OUTDATED, /* ask PostgreSQL, or for a newer token of the same session: so many
				 have ended since it was issued that the row does not hold them */
	DIR_SESSION_GOOD,     /* client is filled; its status is not judged */
	DIR_SESSION_ENDED,    /* signed out, or the password was changed */
};

/* Does the session of a verified token go on? The same path for a token: its user, the user's
 * client, both current. */
enum dir_session dir_session(
	const struct segment *seg, const struct jwt_claims *token, struct shm_client *client);

/* ---- facts: a row and the words beside it ---- */

struct client_facts {
	struct shm_client client;
	struct usage usage;
	struct day_usage day;
};

struct ami_facts {
	enum shm_ami_state state;
	uint32_t unanswered, armed, window;
	int64_t since_us;
	int64_t lag_us;
	uint64_t reconnects;
};

struct server_facts {
	struct shm_server server;
	struct usage usage;
	struct ami_facts ami;
	struct health_facts health;
	struct shm_server_error error; /* text "" = none */
};

struct allocation_facts {
	struct shm_allocation allocation;
	struct usage usage;
};

MUST_USE bool dir_client_facts(
	const struct segment *seg, uint64_t client_id, struct client_facts *out);
MUST_USE bool dir_server_facts(
	const struct segment *seg, uint64_t server_id, struct server_facts *out);

/* The client's allocations one after the other; *at is 0 at first. */
MUST_USE bool dir_next_allocation(
	const struct segment *seg, uint64_t client_id, uint32_t *at, struct allocation_facts *out);

/* Row i of a table, for those who walk all of it (ccsctl, metrics): false when it is not in use. */
MUST_USE bool dir_client_at(const struct segment *seg, uint32_t i, struct client_facts *out);
MUST_USE bool dir_server_at(const struct segment *seg, uint32_t i, struct server_facts *out);
MUST_USE bool dir_allocation_at(
	const struct segment *seg, uint32_t i, struct allocation_facts *out);

/* Row i of one of the five tables is free, or where a search for its key ends: for shm_check. */
bool dir_is_in_place(const struct segment *seg, enum shm_table table, uint32_t i);

#endif
