/* Input by a table of fields: see field.h. */
#include <inttypes.h>

#include "registry/field.h"

#include "common/base.h"

void fields_clear(const struct field *fields, size_t n, void *into)
{
	for (size_t i = 0; i < n; i++) {
		switch (fields[i].type) {
		case FIELD_TEXT:
			*field_text(&fields[i], into) = (struct str){NULL, 0};
			break;
		case FIELD_NUMBER:
		case FIELD_BOOL:
			*field_number(&fields[i], into) = FIELD_NOT_GIVEN;
			break;
		case FIELD_LIST:
			field_list(&fields[i], into)->n = 0;
			field_list(&fields[i], into)->is_given = false;
			break;
		}
	}
}

static bool refuse(const struct field *field, const char *how, struct err *err)
{
	return fail_code(
		err, ERR_INPUT, "invalid_field", "%s %s: %s", field->name, how, field->help);
}

static bool add_element(
	const struct field *field, struct str text, struct str_list *list, struct err *err)
{
	if (list->n == STR_LIST_MAX)
		return fail_code(err, ERR_INPUT, "invalid_field", "%s has more than %d elements",
			field->name, STR_LIST_MAX);
	list->v[list->n++] = text;
	return true;
}

static bool list_from_json(
	const struct field *field, const json_t *array, struct str_list *list, struct err *err)
{
	size_t i;
	json_t *element;

	list->n = 0;
	list->is_given = true;
	json_array_foreach (array, i, element)
		if (!json_is_string(element))
			return refuse(field, "must hold only text", err);
		else if (!add_element(field,
				 (struct str){
					 json_string_value(element), json_string_length(element)},
				 list, err))
			return false;
	return true;
}

/* Behind what is there already; "" adds nothing, so alone it means an empty list. */
static bool list_from_text(
	const struct field *field, struct str text, struct str_list *list, struct err *err)
{
	struct str element;

	list->is_given = true;
	while (text.n && str_split(&text, ',', &element))
		if (!add_element(field, element, list, err))
			return false;
	return true;
}

bool field_from_json(const struct field *field, const json_t *value, void *into, struct err *err)
{
	if (json_is_null(value) && field->may_be_empty && field->type == FIELD_TEXT) {
		*field_text(field, into) = STR("");
		return true;
	}
	if (json_is_null(value) && !field->is_required)
		return true;
	switch (field->type) {
	case FIELD_TEXT:
		if (!json_is_string(value))
			return refuse(field, "must be text", err);
		*field_text(field, into) =
			(struct str){json_string_value(value), json_string_length(value)};
		return true;
	case FIELD_NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) == FIELD_NOT_GIVEN)
			return refuse(field, "must be a whole number", err);
		*field_number(field, into) = json_integer_value(value);
		return true;
	case FIELD_BOOL:
		if (!json_is_boolean(value))
			return refuse(field, "must be true or false", err);
		*field_number(field, into) = json_is_true(value);
		return true;
	case FIELD_LIST:
		if (!json_is_array(value))
			return refuse(field, "must be a list of text", err);
		return list_from_json(field, value, field_list(field, into), err);
	}
	return false;
}

static const struct field *find(const struct field *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_of(fields[i].name), str_of(name)))
			return &fields[i];
	return NULL;
}

bool fields_from_json(
	const struct field *fields, size_t n, const json_t *object, void *into, struct err *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return fail(err, ERR_INPUT, "send one JSON object: {\"%s\": ...}", fields[0].name);
	/* jansson's iterators take no const, and change nothing. */
	json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
		const struct field *field = find(fields, n, name);
		if (!field)
			return fail_code(err, ERR_INPUT, "unknown_field",
				"there is no field \"%.60s\"", name);
		if (!field_from_json(field, value, into, err))
			return false;
	}
	return true;
}

bool field_from_text(const struct field *field, struct str text, void *into, struct err *err)
{
	static const struct {
		struct str word;
		bool value;
	} truths[] = {{STR("true"), true}, {STR("yes"), true}, {STR("1"), true},
		{STR("false"), false}, {STR("no"), false}, {STR("0"), false}};
	uint64_t number;

	switch (field->type) {
	case FIELD_TEXT:
		*field_text(field, into) = text;
		return true;
	case FIELD_NUMBER:
		if (!str_to_u64(text, 0, INT64_MAX, &number))
			return refuse(field, "must be a whole number", err);
		*field_number(field, into) = (int64_t)number;
		return true;
	case FIELD_BOOL:
		for (size_t i = 0; i < ARRAY_LEN(truths); i++)
			if (str_eq(text, truths[i].word)) {
				*field_number(field, into) = truths[i].value;
				return true;
			}
		return refuse(field, "must be true or false", err);
	case FIELD_LIST:
		return list_from_text(field, text, field_list(field, into), err);
	}
	return false;
}

static bool is_allowed(unsigned char c, const char *chars)
{
	if (!chars)
		return c >= ' ' && c != 0x7f;
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr(chars, c));
}

/* Bounds, characters, UTF-8. */
static bool text_fits(const struct field *field, struct str text)
{
	if ((int64_t)text.n < field->min || (int64_t)text.n > field->max)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!is_allowed((unsigned char)text.p[i], field->chars))
			return false;
	json_t *probe = json_stringn(text.p, text.n);
	json_decref(probe);
	return probe && (!field->is_fine || field->is_fine(text));
}

static bool check_number(const struct field *field, int64_t value, struct err *err)
{
	if (value == FIELD_NOT_GIVEN || (value >= field->min && value <= field->max))
		return true;
	return fail_code(err, ERR_INPUT, "invalid_field",
		"%s is %" PRId64 "; it must be from %" PRId64 " to %" PRId64, field->name, value,
		field->min, field->max);
}

static bool check_list(const struct field *field, const struct str_list *list, struct err *err)
{
	for (int i = 0; i < list->n; i++)
		if (!text_fits(field, list->v[i]))
			return fail_code(err, ERR_INPUT, "invalid_field", "%s[%d] does not fit: %s",
				field->name, i, field->help);
	return true;
}

/* The accessors are shared with writers; nothing is written through these. */
static void *readable(const void *from)
{
	return (void *)(uintptr_t)from;
}

bool field_is_given(const struct field *field, const void *from)
{
	void *in = readable(from);

	switch (field->type) {
	case FIELD_TEXT:
		return field_text(field, in)->p != NULL;
	case FIELD_NUMBER:
	case FIELD_BOOL:
		return *field_number(field, in) != FIELD_NOT_GIVEN;
	case FIELD_LIST:
		return field_list(field, in)->is_given;
	}
	return false;
}

static bool check(const struct field *field, void *in, struct err *err)
{
	switch (field->type) {
	case FIELD_TEXT:
		if (field->may_be_empty && field_text(field, in)->n == 0)
			return true;
		return text_fits(field, *field_text(field, in)) ||
		       refuse(field, "does not fit", err);
	case FIELD_NUMBER:
		return check_number(field, *field_number(field, in), err);
	case FIELD_BOOL:
		return true;
	case FIELD_LIST:
		return check_list(field, field_list(field, in), err);
	}
	return false;
}

static bool check_all(
	const struct field *fields, size_t n, const void *from, bool is_change, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *field = &fields[i];
		if (field_is_given(field, from)) {
			if (!check(field, readable(from), err))
				return false;
		} else if (field->is_required && !is_change) {
			return fail_code(err, ERR_INPUT, "missing_field", "%s is missing: %s",
				field->name, field->help);
		}
	}
	return true;
}

bool fields_check(const struct field *fields, size_t n, const void *from, struct err *err)
{
	return check_all(fields, n, from, false, err);
}

bool fields_check_given(const struct field *fields, size_t n, const void *from, struct err *err)
{
	return check_all(fields, n, from, true, err);
}
