/* Asterisk servers, as operators describe them. */
#ifndef CCS_REGISTRY_SERVER_H
#define CCS_REGISTRY_SERVER_H

#include "common/secret.h"
#include "registry/field.h"
#include "registry/noun.h"
#include "shm/layout.h"
#include "sql/db.h"

struct server_input {
#define TEXT(member, ...)   struct str member;
#define SECRET(member, ...) struct str member;
#define NUMBER(member, ...) int64_t member;
#define BOOL(member, ...)   int64_t member;
#define LIST(member, ...)   struct str_list member;
#include "registry/server.def"
#undef TEXT
#undef SECRET
#undef NUMBER
#undef BOOL
#undef LIST
};
extern const struct field server_fields[];
extern const size_t server_fields_n;

/* The AMI secret is stored encrypted. */
MUST_USE bool server_create(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err);

/* Changes what is given of it, its server_code excepted. secret may be NULL when no ami_secret is given. */
MUST_USE bool server_change(struct db *db, const struct secret_key *secret,
	const struct which *which, struct edit *edit, const struct server_input *input,
	struct err *err);

/* Only one that nobody has a share of and that has never dialled: else CONFLICT, which says what to do. */
MUST_USE bool server_delete(
	struct db *db, const struct which *which, struct edit *edit, struct err *err);

/* A template such as "PJSIP/{prefix}{number}@{endpoint}": known placeholders, exactly one of
 * them a number. */
MUST_USE bool channel_template_check(struct str template, struct err *err);

enum { SERVER_COLUMNS = 8 };

/* Reads SERVER_COLUMNS columns from `first` on, as statements about servers have them
 * (sql/queries/registry.sql). */
MUST_USE bool server_from_row(
	const struct rows *rows, int row, int first, struct shm_server *out, struct err *err);

#endif
