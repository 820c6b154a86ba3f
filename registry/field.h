/* What a person or a program says about a client, a server or an allocation, by a table of
 * fields: one place that knows each field's name, type and limits, for JSON, for the command
 * line and for the error that names what is wrong.
 *
 * The table describes a struct of these members, in which everything starts as "not given":
 *   struct str       FIELD_TEXT    .p NULL = not given; borrowed from the JSON or from argv
 *   int64_t          FIELD_NUMBER, FIELD_BOOL    FIELD_NOT_GIVEN
 *   struct str_list  FIELD_LIST
 */
#ifndef CCS_REGISTRY_FIELD_H
#define CCS_REGISTRY_FIELD_H

#include <jansson.h>

#include "common/err.h"
#include "common/str.h"

#define FIELD_NOT_GIVEN INT64_MIN

enum { STR_LIST_MAX = 64 };

struct str_list {
	int n;
	bool is_given;
	struct str v[STR_LIST_MAX];
};

enum field_type { FIELD_TEXT, FIELD_NUMBER, FIELD_BOOL, FIELD_LIST };

struct field {
	const char *name;   /* as in JSON */
	const char *option; /* on the command line, without "--"; NULL = the name with dashes */
	enum field_type type;
	bool is_required;
	bool may_be_empty; /* "" or null says "none" */
	bool is_flag;	   /* BOOL: on a command line an option without a value */
	bool is_secret;	   /* never on a command line: from a file or standard input */
	int64_t min, max;  /* of the number; of the bytes of the text or of each element */
	/* Allowed in text and elements beside letters and digits; NULL = all but control bytes. */
	const char *chars;
	bool (*is_fine)(struct str text); /* a further condition; NULL = none */
	/* What it is and how it is to be written: the end of an error and of --help. */
	const char *help;
	size_t offset;
};

/* Makes every member "not given". */
void fields_clear(const struct field *fields, size_t n, void *into);

/* Reads an object; a member that no field names is refused. */
MUST_USE bool fields_from_json(
	const struct field *fields, size_t n, const json_t *object, void *into, struct err *err);

/* One member's value, for a reader that passes over members it does not know. */
MUST_USE bool field_from_json(
	const struct field *field, const json_t *value, void *into, struct err *err);

/* One field from text, as a command line gives it; a list takes more elements, separated by commas. */
MUST_USE bool field_from_text(
	const struct field *field, struct str text, void *into, struct err *err);

/* Everything required is there and nothing breaks its limits. */
MUST_USE bool fields_check(const struct field *fields, size_t n, const void *from, struct err *err);

/* The same for a change, in which all may stay as it is: only what is given is looked at. */
MUST_USE bool fields_check_given(
	const struct field *fields, size_t n, const void *from, struct err *err);

bool field_is_given(const struct field *field, const void *from);

/* ---- rows of a table, from a .def file that also makes the struct (registry/client.def) ---- */

#define FIELD_REQUIRED		.is_required = true
#define FIELD_REQUIRED_OR_EMPTY .is_required = true, .may_be_empty = true
#define FIELD_OPTIONAL		.is_required = false
#define FIELD_OPTIONAL_OR_EMPTY .is_required = false, .may_be_empty = true

#define FIELD_ROW_TEXT(in, member, need, least, most, beside, condition, text)                     \
	{.name = #member,                                                                          \
		.type = FIELD_TEXT,                                                                \
		FIELD_##need,                                                                      \
		.min = least,                                                                      \
		.max = most,                                                                       \
		.chars = beside,                                                                   \
		.is_fine = condition,                                                              \
		.help = text,                                                                      \
		.offset = offsetof(in, member)},
#define FIELD_ROW_SECRET(in, member, need, least, most, condition, text)                           \
	{.name = #member,                                                                          \
		.type = FIELD_TEXT,                                                                \
		FIELD_##need,                                                                      \
		.is_secret = true,                                                                 \
		.min = least,                                                                      \
		.max = most,                                                                       \
		.is_fine = condition,                                                              \
		.help = text,                                                                      \
		.offset = offsetof(in, member)},
#define FIELD_ROW_NUMBER(in, member, need, least, most, text)                                      \
	{.name = #member,                                                                          \
		.type = FIELD_NUMBER,                                                              \
		FIELD_##need,                                                                      \
		.min = least,                                                                      \
		.max = most,                                                                       \
		.help = text,                                                                      \
		.offset = offsetof(in, member)},
#define FIELD_ROW_BOOL(in, member, need, text)                                                     \
	{.name = #member,                                                                          \
		.type = FIELD_BOOL,                                                                \
		FIELD_##need,                                                                      \
		.help = text,                                                                      \
		.offset = offsetof(in, member)},
#define FIELD_ROW_FLAG(in, member, text)                                                           \
	{.name = #member,                                                                          \
		.type = FIELD_BOOL,                                                                \
		.is_flag = true,                                                                   \
		.help = text,                                                                      \
		.offset = offsetof(in, member)},
#define FIELD_ROW_LIST(in, member, word, least, most, beside, condition, text)                     \
	{.name = #member,                                                                          \
		.option = word,                                                                    \
		.type = FIELD_LIST,                                                                \
		.min = least,                                                                      \
		.max = most,                                                                       \
		.chars = beside,                                                                   \
		.is_fine = condition,                                                              \
		.help = text,                                                                      \
		.offset = offsetof(in, member)},

/* ---- one member, by its field ---- */

static inline struct str *field_text(const struct field *field, void *in)
{
	return (struct str *)(void *)((char *)in + field->offset);
}

static inline int64_t *field_number(const struct field *field, void *in)
{
	return (int64_t *)(void *)((char *)in + field->offset);
}

static inline struct str_list *field_list(const struct field *field, void *in)
{
	return (struct str_list *)(void *)((char *)in + field->offset);
}

#endif
