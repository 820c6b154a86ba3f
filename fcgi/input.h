/* The members of a JSON body, by a static table: name, type, range, where to. A handler gets typed
 * values only.
 *
 *   struct body { struct str phone_number; bool now; };
 *   static const struct field fields[] = {
 *           FIELD_TEXT(struct body, phone_number, REQUIRED, 1, 39),
 *           FIELD_BOOL(struct body, now, OPTIONAL),
 *   };
 *   struct body body = {.now = false};
 *   if (!input_read(object, fields, ARRAY_LEN(fields), &body, err)) return false;
 *
 * Absent or null: required fails, optional leaves the default that the caller has put there.
 * Members that no table names are ignored.
 */
#ifndef CCS_FCGI_INPUT_H
#define CCS_FCGI_INPUT_H

#include <jansson.h>

#include "common/err.h"
#include "common/str.h"

enum field_need { OPTIONAL, REQUIRED };
enum field_type {
	FIELD_TYPE_TEXT,
	FIELD_TYPE_INT,
	FIELD_TYPE_BOOL,
	FIELD_TYPE_OBJECT,
	FIELD_TYPE__N
};

struct field {
	const char *name;
	enum field_type type;
	enum field_need need;
	int64_t min, max; /* of an integer, or bytes of a text */
	size_t offset;
};

/* member's type: struct str, int64_t, bool, const json_t * */
#define FIELD_TEXT(body, member, need, min, max)                                                   \
	{                                                                                          \
#member, FIELD_TYPE_TEXT, need, min, max, offsetof(body, member)                   \
	}
#define FIELD_INT(body, member, need, min, max)                                                    \
	{                                                                                          \
#member, FIELD_TYPE_INT, need, min, max, offsetof(body, member)                    \
	}
#define FIELD_BOOL(body, member, need)                                                             \
	{                                                                                          \
#member, FIELD_TYPE_BOOL, need, 0, 0, offsetof(body, member)                       \
	}
#define FIELD_OBJECT(body, member, need)                                                           \
	{                                                                                          \
#member, FIELD_TYPE_OBJECT, need, 0, 0, offsetof(body, member)                     \
	}

enum { INPUT_ID_MIN = 1 };
#define INPUT_ID_MAX                                                                               \
	INT64_C(9007199254740991) /* 2^53 - 1: what every JSON reader keeps exactly                \
				   */

/* Fails with INPUT, naming the first member that is missing, of another type or out of range. */
MUST_USE bool input_read(
	const json_t *object, const struct field *fields, size_t n, void *body, struct err *err);

#endif
