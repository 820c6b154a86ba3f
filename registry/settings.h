/* The settings of a batch (registry/batch.def), on their way in and out. In PostgreSQL they are one JSON object of what was
 * given; a batch without any has none, and costs nothing. */
#ifndef CCS_REGISTRY_SETTINGS_H
#define CCS_REGISTRY_SETTINGS_H

#include "common/arena.h"
#include "common/strbuf.h"
#include "registry/field.h"

struct batch_settings {
#define TEXT(member, ...)   struct str member;
#define NUMBER(member, ...) int64_t member;
#define BOOL(member, ...)   int64_t member;
#define LIST(member, ...)   struct str_list member;
#include "registry/batch.def"
#undef TEXT
#undef NUMBER
#undef BOOL
#undef LIST
	uint64_t taken_back; /* a bit for each field of the table: null, in a change */
};
extern const struct field settings_fields[];
extern const size_t settings_fields_n;

void settings_clear(struct batch_settings *settings);

/* The setting of this name; NULL: there is none. */
const struct field *settings_field(struct str name);

/* Takes one setting from JSON text, which is valid; null is as if it were not there. Texts move to the arena. */
MUST_USE bool settings_take(const struct field *field, struct str json, struct arena *arena,
	struct batch_settings *settings, struct err *err);

/* A change: a member that no setting names is refused, null takes a setting back. Borrows from object. */
MUST_USE bool settings_from_json(
	const json_t *object, struct batch_settings *settings, struct err *err);

/* Each that is given keeps its limits. */
MUST_USE bool settings_check(const struct batch_settings *settings, struct err *err);

bool settings_any(const struct batch_settings *settings);

/* A batch that is added to another has none but its did: the others are the queue's, which is changed for itself. */
MUST_USE bool settings_of_part(const struct batch_settings *settings, struct err *err);

/* Adds the JSON object of those that are given, in the order of the table; what is taken back, or an empty text, is null. */
void settings_json(const struct batch_settings *settings, struct strbuf *out);

/* What PostgreSQL has of a batch (p NULL: nothing) as one object with a member for each setting: null, where it is not given. */
MUST_USE bool settings_shown(struct str stored, json_t **object, struct err *err);

#endif
