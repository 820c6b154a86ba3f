/* Holidays: days on which a client, or the clients of a region, call nobody (shm/calling_time.h). For the connections of
 * ccs_owner and ccs_admin. */
#ifndef CCS_REGISTRY_HOLIDAY_H
#define CCS_REGISTRY_HOLIDAY_H

#include "registry/field.h"
#include "sql/db.h"

struct holiday_input {
#define TEXT(member, ...) struct str member;
#include "registry/holiday.def"
#undef TEXT
};
extern const struct field holiday_fields[];
extern const size_t holiday_fields_n;

/* What a change has done. */
struct holiday_changed {
	uint64_t id;	    /* of the day; of many, of the last */
	uint64_t client_id; /* 0: a region's */
	uint64_t added;	    /* days that were not there before */
};

/* Adds one day; one that is there already stays as it is, and added is 0. MISSING: there is no such client. */
MUST_USE bool holiday_add(struct db *db, const char *actor, const struct holiday_input *input,
	struct holiday_changed *changed, struct err *err);

/* All days of a CSV file: a line for each, its day and perhaps its name; a first line "day" or "day,name" is a heading. All of
 * them or none. */
MUST_USE bool holiday_load(struct db *db, const char *actor, struct str accountcode,
	struct str region, struct str file, struct holiday_changed *changed, struct err *err);

/* MISSING: there is none of that id. */
MUST_USE bool holiday_remove(struct db *db, const char *actor, uint64_t id,
	struct holiday_changed *changed, struct err *err);

struct holiday_part {
	struct str accountcode, region; /* p NULL: of any */
	int64_t limit;			/* 0: all */
	int64_t offset;
};

enum { HOLIDAY_ID, HOLIDAY_ACCOUNTCODE, HOLIDAY_REGION, HOLIDAY_DAY, HOLIDAY_NAME, HOLIDAY_TOTAL };

/* By day. *total counts all that pass; where none is on the page rows->n is 0. */
MUST_USE bool holiday_list(struct db *db, const struct holiday_part *part, struct rows *rows,
	uint64_t *total, struct err *err);

#endif
