/* What administrators do alike with clients, users, servers and allocations: find, list, and change without overwriting unseen
 * what another has changed meanwhile. For the connections of ccs_owner and ccs_admin. */
#ifndef CCS_REGISTRY_NOUN_H
#define CCS_REGISTRY_NOUN_H

#include <jansson.h>

#include "registry/field.h"
#include "sql/db.h"

enum noun { NOUN_CLIENT, NOUN_USER, NOUN_SERVER, NOUN_ALLOCATION, NOUN__N };

/* Which of them: by its name ("ACME"; an allocation by two, accountcode and server_code) or, when id is not 0, by its id (an
 * allocation: client_id and server_id). In a list every part is a filter, and what is empty lets all pass; there the second
 * name is a status, or a user's name (sql/queries/admin.sql). */
struct which {
	struct str name, name2;
	uint64_t id, id2;
};

struct listing {
	struct which filter;
	int64_t size; /* 0: all */
	int64_t offset;
	bool descending;
};

/* Rows of the noun's list (SQL_*_LIST); *total counts all that pass. Where none is on the page rows->n is 0. */
MUST_USE bool noun_rows(struct db *db, enum noun noun, const struct listing *listing,
	struct rows *rows, uint64_t *total, struct err *err);

/* The same as JSON, each as registry/noun_json.h has it. The caller drops *items. */
MUST_USE bool noun_list(struct db *db, enum noun noun, const struct listing *listing,
	json_t **items, uint64_t *total, struct err *err);

/* One of them. MISSING when there is none. */
MUST_USE bool noun_show(
	struct db *db, enum noun noun, const struct which *which, json_t **item, struct err *err);

/* A change under way. */
struct edit {
	const char *actor;
	uint64_t expected; /* the version that is to be changed; 0: whatever it is */
	/* What has happened. */
	uint64_t id, id2; /* as held; of a user: its client or 0 */
	uint64_t version; /* after it */
	json_t *before;
	json_t *changes; /* {"rate_limit": {"from": 1000, "to": 2000}}; owned: edit_end */
};

/* Begins the transaction and holds it: nobody else changes it until the end. MISSING; STALE when its version is another than
 * expected, and then the text says which. On false nothing has begun. */
MUST_USE bool edit_begin(struct db *db, enum noun noun, const struct which *which,
	struct edit *edit, struct err *err);

/* What is never changed: *given must be what it was, or is filled in where it is not given. INPUT else. */
MUST_USE bool edit_keeps(
	const struct edit *edit, const char *member, struct str *given, struct err *err);

/* Finds what is different now, records it in the audit as "noun.change", with the names of secret fields that were given (fields
 * and input; NULL: none), and commits. On false everything is undone. */
MUST_USE bool edit_commit(struct db *db, enum noun noun, struct edit *edit,
	const struct field *fields, size_t fields_n, const void *input, struct err *err);

/* Records a deletion and commits. */
MUST_USE bool edit_commit_delete(struct db *db, enum noun noun, struct edit *edit, struct err *err);

/* Undoes what was begun; returns false. */
bool edit_undo(struct db *db, struct edit *edit);

void edit_end(struct edit *edit);

#endif
