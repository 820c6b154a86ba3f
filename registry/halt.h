/* Halts: dialling that an operator has stopped, of one client or of all (dispatcher/halt.h). */
#ifndef CCS_REGISTRY_HALT_H
#define CCS_REGISTRY_HALT_H

#include "registry/field.h"
#include "sql/db.h"

struct halt_input {
#define FLAG(member, ...) int64_t member;
#define TEXT(member, ...) struct str member;
#include "registry/halt.def"
#undef FLAG
#undef TEXT
};
extern const struct field halt_fields[];
extern const size_t halt_fields_n;

struct halt_told {
	uint64_t control_id; /* acknowledged when the dispatcher obeys */
	bool changed;	     /* it was not so before */
};

/* Stops the dialling of the client with this account code, or (.p NULL) everybody's, until it is lifted. Fails with MISSING
 * when there is no such client. For the owner's connection. */
MUST_USE bool halt_set(struct db *db, const char *actor, struct str accountcode, struct str reason,
	struct halt_told *told, struct err *err);

/* That one halt is over; others hold on. */
MUST_USE bool halt_lift(struct db *db, const char *actor, struct str accountcode,
	struct halt_told *told, struct err *err);

/* Has the dispatcher acknowledged it? */
MUST_USE bool halt_is_obeyed(struct db *db, uint64_t control_id, bool *obeyed, struct err *err);

/* account code ("" = all), since, actor, reason. */
MUST_USE bool halt_list(struct db *db, struct rows *rows, struct err *err);

#endif
