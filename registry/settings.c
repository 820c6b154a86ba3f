/* Settings of batches: see settings.h. */
#include "registry/settings.h"
#include "registry/fine.h"
#include "registry/retry_rules.h"

#include "common/base.h"

const struct field settings_fields[] = {
#define TEXT(member, need, ...)	  FIELD_ROW_TEXT(struct batch_settings, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...) FIELD_ROW_NUMBER(struct batch_settings, member, need, __VA_ARGS__)
#define BOOL(member, need, ...)	  FIELD_ROW_BOOL(struct batch_settings, member, need, __VA_ARGS__)
#define LIST(member, ...)	  FIELD_ROW_LIST(struct batch_settings, member, __VA_ARGS__)
#include "registry/batch.def"
#undef TEXT
#undef NUMBER
#undef BOOL
#undef LIST
};
const size_t settings_fields_n = ARRAY_LEN(settings_fields);

_Static_assert(ARRAY_LEN(settings_fields) <= 64, "a bit for each: taken_back");

void settings_clear(struct batch_settings *settings)
{
	fields_clear(settings_fields, settings_fields_n, settings);
	settings->taken_back = 0;
}

const struct field *settings_field(struct str name)
{
	for (size_t i = 0; i < settings_fields_n; i++)
		if (str_eq(name, str_of(settings_fields[i].name)))
			return &settings_fields[i];
	return NULL;
}

/* ---- in ---- */

static bool out_of_memory(struct err *err)
{
	return fail_code(err, ERR_TOO_LARGE, "too_large",
		"the body needs more memory than one request may take; send it in parts");
}

static bool keep(struct str *text, struct arena *arena, struct err *err)
{
	if (text->p)
		text->p = arena_copy(arena, *text);
	else
		return true;
	return text->p || out_of_memory(err);
}

static bool keep_texts(
	const struct field *field, void *settings, struct arena *arena, struct err *err)
{
	if (field->type == FIELD_TEXT)
		return keep(field_text(field, settings), arena, err);
	if (field->type != FIELD_LIST)
		return true;
	struct str_list *list = field_list(field, settings);
	for (int i = 0; i < list->n; i++)
		if (!keep(&list->v[i], arena, err))
			return false;
	return true;
}

bool settings_take(const struct field *field, struct str json, struct arena *arena,
	struct batch_settings *settings, struct err *err)
{
	json_t *value = json_loadb(json.p, json.n, JSON_DECODE_ANY, NULL);

	if (!value)
		return fail_code(err, ERR_INPUT, "invalid_field", "%s cannot be read: %s",
			field->name, field->help);
	bool ok = json_is_null(value) || (field_from_json(field, value, settings, err) &&
						 keep_texts(field, settings, arena, err));
	json_decref(value);
	return ok;
}

bool settings_from_json(const json_t *object, struct batch_settings *settings, struct err *err)
{
	settings_clear(settings);
	if (!fields_from_json(settings_fields, settings_fields_n, object, settings, err))
		return false;
	for (size_t i = 0; i < settings_fields_n; i++)
		if (json_is_null(json_object_get(object, settings_fields[i].name)))
			settings->taken_back |= UINT64_C(1) << i;
	return true;
}

static bool ends_after_its_start(const struct batch_settings *settings, struct err *err)
{
	int64_t starts_us, ends_us;
	bool both = settings->start_at.n && settings->deadline.n &&
		    instant_read(settings->start_at, &starts_us) &&
		    instant_read(settings->deadline, &ends_us);
	return !both || starts_us < ends_us ||
	       fail_code(err, ERR_INPUT, "invalid_field", "deadline must be later than start_at");
}

/* An extension is one of a context: alone, it would be looked for in whichever comes next. */
static bool extension_has_context(const struct batch_settings *settings, struct err *err)
{
	return !settings->extension.n || settings->context.n ||
	       fail_code(err, ERR_INPUT, "invalid_field",
		       "extension is given together with its context");
}

bool settings_check(const struct batch_settings *settings, struct err *err)
{
	return fields_check_given(settings_fields, settings_fields_n, settings, err) &&
	       ends_after_its_start(settings, err) && retry_rules_differ(&settings->retry, err) &&
	       extension_has_context(settings, err);
}

/* ---- out ---- */

static bool is_there(const struct batch_settings *settings, size_t i)
{
	return field_is_given(&settings_fields[i], settings) || (settings->taken_back >> i & 1);
}

bool settings_any(const struct batch_settings *settings)
{
	for (size_t i = 0; i < settings_fields_n; i++)
		if (is_there(settings, i))
			return true;
	return false;
}

bool settings_of_part(const struct batch_settings *settings, struct err *err)
{
	for (size_t i = 0; i < settings_fields_n; i++)
		if (is_there(settings, i) && !str_eq(str_of(settings_fields[i].name), STR("did")))
			return fail_code(err, ERR_INPUT, "invalid_field",
				"%s is a setting of the whole queue; leave it out, and change the "
				"queue with PATCH",
				settings_fields[i].name);
	return true;
}

static void put_list(const struct str_list *list, struct strbuf *out)
{
	strbuf_putc(out, '[');
	for (int i = 0; i < list->n; i++) {
		if (i)
			strbuf_putc(out, ',');
		strbuf_json(out, list->v[i]);
	}
	strbuf_putc(out, ']');
}

static void put_value(const struct field *field, void *in, struct strbuf *out)
{
	const struct str *text;

	switch (field->type) {
	case FIELD_TEXT:
		text = field_text(field, in);
		if (text->n)
			strbuf_json(out, *text);
		else
			strbuf_puts(out, "null");
		break;
	case FIELD_NUMBER:
		strbuf_i64(out, *field_number(field, in));
		break;
	case FIELD_BOOL:
		strbuf_puts(out, *field_number(field, in) ? "true" : "false");
		break;
	case FIELD_LIST:
		put_list(field_list(field, in), out);
		break;
	}
}

void settings_json(const struct batch_settings *settings, struct strbuf *out)
{
	void *in = (void *)(uintptr_t)settings; /* the accessors are shared with writers */
	bool any = false;

	strbuf_putc(out, '{');
	for (size_t i = 0; i < settings_fields_n; i++) {
		const struct field *field = &settings_fields[i];
		if (!is_there(settings, i))
			continue;
		strbuf_printf(out, "%s\"%s\":", any ? "," : "", field->name);
		if (field_is_given(field, settings))
			put_value(field, in, out);
		else
			strbuf_puts(out, "null");
		any = true;
	}
	strbuf_putc(out, '}');
}

bool settings_shown(struct str stored, json_t **object, struct err *err)
{
	json_t *given = stored.p ? json_loadb(stored.p, stored.n, 0, NULL) : NULL;

	if (stored.p && !given)
		return fail(err, ERR_INTERNAL, "the settings of a batch are no JSON");
	*object = json_object();
	for (size_t i = 0; i < settings_fields_n; i++) {
		json_t *value = json_object_get(given, settings_fields[i].name);
		json_object_set_new(
			*object, settings_fields[i].name, value ? json_incref(value) : json_null());
	}
	json_decref(given);
	return true;
}
