/* How much of which server a client may use. The sums stay within the client's own limits: the
 * database checks that when the transaction commits. */
#ifndef CCS_REGISTRY_ALLOCATION_H
#define CCS_REGISTRY_ALLOCATION_H

#include "registry/field.h"
#include "registry/noun.h"
#include "shm/layout.h"
#include "sql/db.h"

struct allocation_input {
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#define BOOL(member, ...)   int64_t member;
#define LIST(member, ...)   struct str_list member;
#include "registry/allocation.def"
#undef TEXT
#undef NUMBER
#undef BOOL
#undef LIST
};
extern const struct field allocation_fields[];
extern const size_t allocation_fields_n;

/* Gives a client a share. CONFLICT when it has one of that server. */
MUST_USE bool allocation_create(struct db *db, const char *actor,
	const struct allocation_input *input, uint64_t *client_id, uint64_t *server_id,
	struct err *err);

/* Changes what is given of it, client and server excepted. */
MUST_USE bool allocation_change(struct db *db, const struct which *which, struct edit *edit,
	const struct allocation_input *input, struct err *err);

/* Takes the share away. Its calls go on. */
MUST_USE bool allocation_delete(
	struct db *db, const struct which *which, struct edit *edit, struct err *err);

/* One row of a client's allocations, with its server. */
struct allocation_row {
	struct shm_allocation allocation;
	struct shm_server server;
};

enum { ALLOCATION_COLUMNS = 6 + 8 };

/* Reads the columns of allocations_of_client and its like (sql/queries/registry.sql). */
MUST_USE bool allocation_from_row(
	const struct rows *rows, int row, struct allocation_row *out, struct err *err);

/* A client's allocations by server code, behind row-level security: for the API, outside a
 * transaction. */
MUST_USE bool allocations_of_client(
	struct db *db, uint64_t client_id, struct rows *rows, struct err *err);

#endif
