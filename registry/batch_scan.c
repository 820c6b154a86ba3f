/* The insert body: see batch_scan.h. */
#include <inttypes.h>
#include <stdio.h>

#include "registry/batch_scan.h"

#include "common/base.h"

/* The "did" of an entry. */
struct did_scan {
	enum json_kind kind;
	struct str text;
	struct json_digest digest; /* zero: absent */
};

/* One entry while it is read. */
struct entry_scan {
	struct arena *arena;
	struct batch_entry entry;
	struct err problem;
	enum json_kind phone_kind, custom_kind;
	struct did_scan did;
	struct json_digest phone_digest, custom_digest; /* zero: absent */
	bool is_one_of_many;				/* false: a quick call */
};

struct body_scan {
	struct entry_scan one;
	uint64_t max_entries;
	batch_entry_fn *fn;
	void *arg;
	struct batch_head head;
	bool has_data;
};

static bool out_of_memory(struct err *err)
{
	return fail_code(err, ERR_TOO_LARGE, "too_large",
		"the body needs more memory than one request may take; send it in parts");
}

/* A string that the scan is about to overwrite moves to the arena. */
static bool keep_text(struct arena *arena, struct json_scan *scan, struct str *text)
{
	if (text->p >= scan->begin && text->p <= scan->end)
		return true;
	text->p = arena_copy(arena, *text);
	return text->p || out_of_memory(scan->err);
}

static bool scan_phone_number(struct entry_scan *one, struct json_scan *scan)
{
	one->phone_kind = scan_peek(scan);
	if (one->phone_kind != JSON_IS_STRING)
		return scan_value(scan, &one->phone_digest);
	return scan_string(scan, &one->entry.phone_number, &one->phone_digest) &&
	       keep_text(one->arena, scan, &one->entry.phone_number);
}

/* null asks for none, as the absence does. */
static bool scan_did(struct arena *arena, struct json_scan *scan, struct did_scan *did)
{
	struct json_digest ignored;
	*did = (struct did_scan){.kind = scan_peek(scan)};
	if (did->kind == JSON_IS_NULL)
		return scan_value(scan, &ignored);
	if (did->kind != JSON_IS_STRING)
		return scan_value(scan, &did->digest);
	return scan_string(scan, &did->text, &did->digest) && keep_text(arena, scan, &did->text);
}

static bool did_is_wrong(const struct did_scan *did)
{
	return did->kind != JSON_NOTHING && did->kind != JSON_IS_NULL &&
	       did->kind != JSON_IS_STRING;
}

static bool scan_custom_data(struct entry_scan *one, struct json_scan *scan)
{
	struct json_digest digest;
	one->custom_kind = scan_peek(scan);
	const char *from = scan->at;
	if (!scan_value(scan, &digest))
		return false;
	if (one->custom_kind == JSON_IS_NULL)
		return true;
	one->custom_digest = digest;
	one->entry.custom_data = (struct str){from, (size_t)(scan->at - from)};
	return true;
}

static bool scan_entry_did(struct entry_scan *one, struct json_scan *scan)
{
	if (!scan_did(one->arena, scan, &one->did))
		return false;
	one->entry.did = one->did.text;
	return true;
}

static bool scan_entry_member(
	void *arg, struct json_scan *scan, struct str name, const struct json_digest *key)
{
	struct json_digest ignored;
	(void)key;
	if (str_eq(name, STR("phone_number")))
		return scan_phone_number(arg, scan);
	if (str_eq(name, STR("custom_data")))
		return scan_custom_data(arg, scan);
	if (str_eq(name, STR("did")))
		return scan_entry_did(arg, scan);
	return scan_value(scan, &ignored);
}

/* What is wrong with the entry's member; how ends the sentence. Always false. */
static bool wrong(struct entry_scan *one, const char *code, const char *member, const char *how)
{
	char of[24] = "";
	if (one->is_one_of_many)
		(void)snprintf(of, sizeof(of), " of entry %" PRIu32, one->entry.index);
	return fail_code(&one->problem, ERR_INPUT, code, "%s%s %s", member, of, how);
}

static bool entry_is_complete(struct entry_scan *one)
{
	char how[80];
	if (one->phone_kind == JSON_NOTHING)
		return wrong(
			one, "missing_field", "phone_number", "is missing; send 3 to 15 digits");
	if (one->phone_kind != JSON_IS_STRING) {
		(void)snprintf(how, sizeof(how), "is %s; send a string of 3 to 15 digits",
			json_kind_name(one->phone_kind));
		return wrong(one, "invalid_type", "phone_number", how);
	}
	if (one->entry.custom_data.p && one->custom_kind != JSON_IS_OBJECT) {
		(void)snprintf(how, sizeof(how), "is %s; send an object or leave it out",
			json_kind_name(one->custom_kind));
		return wrong(one, "invalid_type", "custom_data", how);
	}
	if (did_is_wrong(&one->did)) {
		(void)snprintf(how, sizeof(how), "is %s; send a string or leave it out",
			json_kind_name(one->did.kind));
		return wrong(one, "invalid_type", "did", how);
	}
	return true;
}

/* Reads one entry, whatever is wrong with it. False only when the body as a whole is no JSON. */
static bool scan_entry(struct entry_scan *one, struct json_scan *scan)
{
	enum json_kind kind = scan_peek(scan);
	one->phone_kind = one->custom_kind = JSON_NOTHING;
	one->phone_digest = one->custom_digest = (struct json_digest){0};
	one->did = (struct did_scan){JSON_NOTHING};
	one->entry = (struct batch_entry){.index = one->entry.index};
	if (kind != JSON_IS_OBJECT) {
		(void)fail_code(&one->problem, ERR_INPUT, "invalid_type",
			"entry %" PRIu32 " of data is %s; send an object with phone_number",
			one->entry.index, json_kind_name(kind));
		one->entry.problem = &one->problem;
		one->custom_digest.v = 1; /* "x" is not {"phone_number": "x"} */
		return scan_value(scan, &one->phone_digest);
	}
	if (!scan_object(scan, scan_entry_member, one))
		return false;
	one->entry.problem = entry_is_complete(one) ? NULL : &one->problem;
	return true;
}

static bool scan_element(void *arg, struct json_scan *scan)
{
	struct body_scan *body = arg;
	if (body->head.entries == body->max_entries)
		return fail_code(scan->err, ERR_INPUT, "batch_too_large",
			"data has more than %" PRIu64
			" entries (the limit is max_batch_entries = %" PRIu64
			"); send several batches",
			body->max_entries, body->max_entries);
	body->one.entry.index = body->head.entries++;
	if (!scan_entry(&body->one, scan))
		return false;
	struct json_digest all[] = {
		body->head.content, body->one.phone_digest, body->one.custom_digest};
	body->head.content = json_chain(all, ARRAY_LEN(all));
	if (body->one.did.digest.v) {
		struct json_digest with_did[] = {body->head.content, body->one.did.digest};
		body->head.content = json_chain(with_did, ARRAY_LEN(with_did));
	}
	return body->fn(body->arg, &body->one.entry, scan->err);
}

static bool scan_data(struct body_scan *body, struct json_scan *scan)
{
	enum json_kind kind = scan_peek(scan);
	body->has_data = true;
	if (kind != JSON_IS_ARRAY)
		return fail_code(scan->err, ERR_INPUT, "invalid_type",
			"data is %s; send an array of entries", json_kind_name(kind));
	return scan_array(scan, scan_element, body);
}

static bool scan_id(struct json_scan *scan, const char *member, uint64_t *id)
{
	struct json_digest ignored;
	enum json_kind kind = scan_peek(scan);
	const char *from = scan->at;
	if (!scan_value(scan, &ignored))
		return false;
	if (kind != JSON_IS_NUMBER)
		return fail_code(scan->err, ERR_INPUT, "invalid_type",
			"%s is %s; send an integer from 1 to %" PRIu64, member,
			json_kind_name(kind), BATCH_ID_MAX);
	if (!str_to_u64((struct str){from, (size_t)(scan->at - from)}, 1, BATCH_ID_MAX, id))
		return fail_code(scan->err, ERR_INPUT, "invalid_value",
			"%s must be an integer from 1 to %" PRIu64, member, BATCH_ID_MAX);
	return true;
}

/* null asks for a queue of its own, as the absence does. */
static bool scan_queue_id(struct body_scan *body, struct json_scan *scan)
{
	struct json_digest ignored;
	return scan_peek(scan) == JSON_IS_NULL ? scan_value(scan, &ignored)
					       : scan_id(scan, "queue_id", &body->head.queue_id);
}

static bool scan_setting(struct body_scan *body, const struct field *field, struct json_scan *scan)
{
	struct json_digest ignored;
	(void)scan_peek(scan); /* white space is not the value's */
	const char *from = scan->at;
	return scan_value(scan, &ignored) &&
	       settings_take(field, (struct str){from, (size_t)(scan->at - from)}, body->one.arena,
		       &body->head.settings, scan->err);
}

static bool scan_body_member(
	void *arg, struct json_scan *scan, struct str name, const struct json_digest *key)
{
	struct body_scan *body = arg;
	struct json_digest ignored;
	const struct field *setting;
	(void)key;
	if (str_eq(name, STR("batch_id")))
		return scan_id(scan, "batch_id", &body->head.batch_id);
	if (str_eq(name, STR("queue_id")))
		return scan_queue_id(body, scan);
	if (str_eq(name, STR("data")))
		return scan_data(body, scan);
	if ((setting = settings_field(name)))
		return scan_setting(body, setting, scan);
	return scan_value(scan, &ignored);
}

static bool body_is_complete(const struct body_scan *body, struct err *err)
{
	if (body->head.batch_id == 0)
		return fail_code(err, ERR_INPUT, "missing_field",
			"batch_id is missing; send an integer from 1 to %" PRIu64, BATCH_ID_MAX);
	if (!body->has_data)
		return fail_code(err, ERR_INPUT, "missing_field",
			"data is missing; send an array of entries");
	if (body->head.entries == 0)
		return fail_code(
			err, ERR_INPUT, "invalid_value", "data is empty; send at least one entry");
	return settings_check(&body->head.settings, err);
}

/* They are content like the entries, but in another place: a batch's did is not its last entry's. */
static bool seal_settings(struct batch_head *head, struct arena *arena, struct err *err)
{
	struct strbuf json = STRBUF_INIT;
	struct json_scan scan;
	struct json_digest parts[2] = {{0}, head->content};

	if (!settings_any(&head->settings))
		return true;
	settings_json(&head->settings, &json);
	head->settings_json = (struct str){arena_copy(arena, strbuf_view(&json)), json.n};
	strbuf_free(&json);
	if (!head->settings_json.p)
		return out_of_memory(err);
	scan_begin(&scan, head->settings_json, err);
	bool ok = scan_value(&scan, &parts[0]);
	scan_end(&scan);
	head->content = json_chain(parts, ARRAY_LEN(parts));
	return ok;
}

/* The body must be one object; what says which. */
static bool begins_object(struct json_scan *scan, const char *what)
{
	enum json_kind kind = scan_peek(scan);
	if (scan->at == scan->end)
		return fail_code(scan->err, ERR_INPUT, "invalid_json",
			"the body is empty; send a JSON object with %s", what);
	if (kind == JSON_IS_OBJECT)
		return true;
	struct json_digest ignored;
	return scan_value(scan, &ignored) &&
	       fail_code(scan->err, ERR_INPUT, "invalid_type",
		       "the body is %s; send an object with %s", json_kind_name(kind), what);
}

bool batch_scan(struct str body, uint64_t max_entries, struct arena *arena, batch_entry_fn *fn,
	void *arg, struct batch_head *head, struct err *err)
{
	struct body_scan reading = {.one = {.arena = arena, .is_one_of_many = true},
		.max_entries = max_entries,
		.fn = fn,
		.arg = arg};
	struct json_scan scan;
	settings_clear(&reading.head.settings);
	scan_begin(&scan, body, err);
	bool ok = begins_object(&scan, "batch_id and data") &&
		  scan_object(&scan, scan_body_member, &reading) && scan_finish(&scan) &&
		  body_is_complete(&reading, err);
	scan_end(&scan);
	if (!ok)
		return false;
	*head = reading.head;
	return seal_settings(head, arena, err);
}

bool line_scan(struct str line, struct arena *arena, struct batch_entry *entry, struct err *problem,
	struct err *err)
{
	struct entry_scan one = {.arena = arena};
	struct json_scan scan;
	scan_begin(&scan, line, err);
	bool ok = begins_object(&scan, "phone_number") && scan_entry(&one, &scan) &&
		  scan_finish(&scan);
	scan_end(&scan);
	if (!ok)
		return false;
	*entry = one.entry;
	*problem = one.problem;
	if (entry->problem)
		entry->problem = problem;
	return true;
}

bool entry_scan(struct str body, struct arena *arena, struct batch_entry *entry, struct err *err)
{
	struct batch_entry read;
	struct err problem;

	if (!line_scan(body, arena, &read, &problem, err))
		return false;
	if (read.problem) {
		*err = problem;
		return false;
	}
	*entry = read;
	return true;
}
