/* Administrators: users without a client, who sign in as others do and may what /api/v1/admin offers. For the owner's
 * connection, or ccs_admin's. */
#ifndef CCS_REGISTRY_ADMIN_H
#define CCS_REGISTRY_ADMIN_H

#include "registry/field.h"
#include "sql/db.h"

struct admin_input {
#define TEXT(member, ...)   struct str member;
#define SECRET(member, ...) struct str member;
#include "registry/admin.def"
#undef TEXT
#undef SECRET
};
extern const struct field admin_fields[];
extern const size_t admin_fields_n;

/* CONFLICT when the name is taken. */
MUST_USE bool admin_create(struct db *db, const char *actor, const struct admin_input *input,
	uint64_t *user_id, struct err *err);

/* Ends his sessions, too. MISSING when no administrator is called so. */
MUST_USE bool admin_remove(struct db *db, const char *actor, struct str username, struct err *err);

/* id, username, when he was made; by name. */
MUST_USE bool admin_list(struct db *db, struct rows *rows, struct err *err);

#endif
