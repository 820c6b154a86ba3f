/* Asterisk servers, as operators describe them. */
#ifndef CCS_REGISTRY_SERVER_H
#define CCS_REGISTRY_SERVER_H

#include "common/secret.h"
#include "registry/field.h"
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

/* Changes what is given of the server with this server_code; the rest stays. Fails with MISSING when
 * there is none. secret may be NULL when no ami_secret is given. */
MUST_USE bool server_change(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err);

/* All servers by code: SERVER_COLUMNS, then ami_user, channel_template, extension, context,
 * provided_prefix, allocated_dids, provided_endpoints, tls, tls_verify, tls_ca, tls_name, count_foreign_calls. For the
 * owner's connection. */
MUST_USE bool server_list(struct db *db, struct rows *rows, struct err *err);

/* A template such as "PJSIP/{prefix}{number}@{endpoint}": known placeholders, exactly one of
 * them a number. */
MUST_USE bool channel_template_check(struct str template, struct err *err);

enum { SERVER_COLUMNS = 8 };

/* Reads SERVER_COLUMNS columns from `first` on, as statements about servers have them
 * (sql/queries/registry.sql). */
MUST_USE bool server_from_row(
	const struct rows *rows, int row, int first, struct shm_server *out, struct err *err);

#endif
