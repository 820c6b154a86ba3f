/* Asterisk servers, as operators describe them. */
#ifndef CCS_REGISTRY_SERVER_H
#define CCS_REGISTRY_SERVER_H

#include "common/secret.h"
#include "registry/field.h"
#include "shm/layout.h"
#include "sql/db.h"

struct server_input {
	struct str server_code, host;
	int64_t port;
	struct str ami_user, ami_secret, channel_template;
	int64_t allowed_active_calls, rate_limit, calls_per_second;
	struct str default_directory, recording_directory;
	struct str extension, status;
	struct str_list provided_prefix, context, allocated_dids, provided_endpoints;
};
extern const struct field server_fields[];
extern const size_t server_fields_n;

/* The AMI secret is stored encrypted. */
MUST_USE bool server_create(struct db *db, const struct secret_key *secret, const char *actor,
	const struct server_input *input, uint64_t *server_id, struct err *err);

/* All servers, by code: id, server_code, host, port, ami_user, channel_template, allowed_active_calls, rate_limit,
 * calls_per_second, context, provided_prefix, allocated_dids, provided_endpoints, extension, status. */
MUST_USE bool server_list(struct db *db, struct rows *rows, struct err *err);

/* A template such as "PJSIP/{prefix}{number}@{endpoint}": known placeholders, one of them a number. */
MUST_USE bool channel_template_check(struct str template, struct err *err);

enum { SERVER_COLUMNS = 8 };

/* Reads the columns that every statement about servers for clients begins with (sql/queries/registry.sql). */
MUST_USE bool server_from_row(
	const struct rows *rows, int row, struct shm_server *out, struct err *err);

#endif
