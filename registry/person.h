/* Users as administrators make and change them: of a client, or (without one) administrators. Sessions and passwords of those
 * who sign in: user.h. */
#ifndef CCS_REGISTRY_PERSON_H
#define CCS_REGISTRY_PERSON_H

#include "registry/noun.h"

struct person_input {
#define TEXT(member, ...)   struct str member;
#define SECRET(member, ...) struct str member;
#include "registry/person.def"
#undef TEXT
#undef SECRET
};
extern const struct field person_fields[];
extern const size_t person_fields_n;

/* *client_id: whose, 0 = an administrator. */
MUST_USE bool person_create(struct db *db, const char *actor, const struct person_input *input,
	uint64_t *id, uint64_t *client_id, struct err *err);

/* Another name or password; edit->id2 is the client's id, for whoever tells the segment. */
MUST_USE bool person_change(struct db *db, const struct which *which, struct edit *edit,
	const struct person_input *input, struct err *err);

/* With all sessions. self: the id of the user who asks, 0 = no user; nobody deletes himself or the last administrator: CONFLICT. */
MUST_USE bool person_delete(struct db *db, const struct which *which, uint64_t self,
	struct edit *edit, struct err *err);

#endif
