/* ccsctl batch: list, show, set, pause, resume, cancel. A file is loaded by cmd_batch.c. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "registry/batch.h"
#include "registry/fine.h"

#include "common/base.h"

enum { LISTED = 100 };

const struct field batch_set_fields[] = {
#define TEXT(member, need, ...) FIELD_ROW_TEXT(struct batch_set_input, member, need, __VA_ARGS__)
#define NUMBER(member, need, ...)                                                                  \
	FIELD_ROW_NUMBER(struct batch_set_input, member, need, __VA_ARGS__)
#define BOOL(member, need, ...) FIELD_ROW_BOOL(struct batch_set_input, member, need, __VA_ARGS__)
#define LIST(member, ...)	FIELD_ROW_LIST(struct batch_set_input, member, __VA_ARGS__)
#include "ctl/batch_set.def"
#undef TEXT
#undef NUMBER
#undef BOOL
#undef LIST
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
const size_t batch_set_fields_n = ARRAY_LEN(batch_set_fields);

/* ---- which ---- */

static bool find_batch(struct ctl *ctl, struct str accountcode, uint64_t number,
	struct shm_client *client, uint64_t *queue_id, struct err *err)
{
	return ctl_db(ctl, err) && client_by_accountcode(ctl->db, accountcode, client, err) &&
	       batch_find_queue(ctl->db, client, number, queue_id, err);
}

/* The two words of most commands: CLIENT BATCH. */
static bool find_words(
	struct ctl *ctl, struct shm_client *client, uint64_t *queue_id, struct err *err)
{
	uint64_t number;

	if (!str_to_u64(str_of(ctl->arguments[1]), 1, INT64_MAX, &number))
		return fail(err, ERR_INPUT,
			"a batch is named by a number: its batch_id or its queue_id");
	return find_batch(ctl, str_of(ctl->arguments[0]), number, client, queue_id, err);
}

/* ---- shown ---- */

static const char *text_of(const json_t *batch, const char *name)
{
	const char *text = json_string_value(json_object_get(batch, name));
	return text ? text : "-";
}

/* "-" where it has no such limit. */
static const char *limit_of(const json_t *batch, const char *name, char out[24])
{
	json_int_t limit = json_integer_value(json_object_get(batch, name));
	if (limit)
		(void)snprintf(out, 24, "%lld", (long long)limit);
	return limit ? out : "-";
}

static void print_row(const json_t *batch)
{
	char channels[24], pace[24], weight[24];

	(void)printf("%16lld %-9s %9lld %9lld %9s %7s %7s  %s\n",
		(long long)json_integer_value(json_object_get(batch, "batch_id")),
		text_of(batch, "status"),
		(long long)json_integer_value(json_object_get(batch, "total")),
		(long long)json_integer_value(json_object_get(batch, "open")),
		limit_of(batch, "channels", channels), limit_of(batch, "calls_per_second", pace),
		limit_of(batch, "weight", weight), text_of(batch, "name"));
}

bool batch_list_all(struct ctl *ctl, struct err *err)
{
	struct shm_client client;
	json_t *batches, *batch;
	uint64_t total;
	size_t i;

	if (!ctl_db(ctl, err) ||
		!client_by_accountcode(ctl->db, str_of(ctl->arguments[0]), &client, err) ||
		!batch_list(ctl->db, &client, LISTED, &batches, &total, err))
		return false;
	if (ctl->json) {
		out_json(json_pack("{s:I, s:o}", "total", (json_int_t)total, "batches", batches));
		return true;
	}
	(void)printf("%16s %-9s %9s %9s %9s %7s %7s  %s\n", "BATCH_ID", "STATUS", "ENTRIES", "OPEN",
		"CHANNELS", "CALLS/S", "WEIGHT", "NAME");
	json_array_foreach (batches, i, batch)
		print_row(batch);
	if (total > LISTED)
		(void)printf("The last %d of %" PRIu64 ".\n", (int)LISTED, total);
	json_decref(batches);
	return true;
}

static bool print_batch(
	struct ctl *ctl, const struct shm_client *client, uint64_t queue_id, struct err *err)
{
	json_t *batch, *value;
	const char *name;

	if (!batch_show(ctl->db, client, queue_id, &batch, err))
		return false;
	if (ctl->json) {
		out_json(batch);
		return true;
	}
	json_object_foreach (batch, name, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		(void)printf("%-18s %s\n", name, json_is_null(value) ? "-" : text ? text : "?");
		free(text);
	}
	json_decref(batch);
	return true;
}

bool batch_show_one(struct ctl *ctl, struct err *err)
{
	struct shm_client client;
	uint64_t queue_id;

	return find_words(ctl, &client, &queue_id, err) && print_batch(ctl, &client, queue_id, err);
}

/* ---- changed ---- */

bool batch_set(struct ctl *ctl, struct err *err)
{
	const struct batch_set_input *input = &ctl->input.batch_set;
	struct shm_client client;
	struct arena *arena;
	struct batch_change change = {
		.client = &client, .actor = ctl_actor(), .expected = ctl->if_version};

	if (!fields_check(batch_set_fields, batch_set_fields_n, input, err) ||
		!find_batch(
			ctl, input->client, (uint64_t)input->batch, &client, &change.queue_id, err))
		return false;
	arena = arena_new(1 << 20);
	bool ok = batch_change(ctl->db, &change, &input->settings, arena, err);
	arena_free(arena);
	if (!ok)
		return false;
	const struct edit edit = {.version = change.version, .changes = change.changes};
	char name[24];
	(void)snprintf(name, sizeof(name), "%" PRId64, input->batch);
	out_changed(ctl, json_pack("{s:I}", "queue_id", (json_int_t)change.queue_id), &edit,
		"Batch", str_of(name));
	json_decref(change.changes);
	return true;
}

static bool obey(struct ctl *ctl, const char *kind, struct err *err)
{
	struct shm_client client;
	struct batch_order order = {.client = &client, .kind = kind, .actor = ctl_actor()};

	if (!find_words(ctl, &client, &order.queue_id, err) || !batch_order(ctl->db, &order, err))
		return false;
	if (ctl->json)
		out_json(json_pack("{s:I, s:b}", "queue_id", (json_int_t)order.queue_id, "changed",
			order.control_id != 0));
	else
		(void)printf("Batch %s of %s %s.\n", ctl->arguments[1], ctl->arguments[0],
			!order.control_id		      ? "was so already"
			: str_eq(str_of(kind), STR("pause"))  ? "stands still; its calls go on"
			: str_eq(str_of(kind), STR("resume")) ? "goes on"
							      : "is canceled; its calls go on");
	return true;
}

bool batch_pause(struct ctl *ctl, struct err *err)
{
	return obey(ctl, "pause", err);
}

bool batch_resume(struct ctl *ctl, struct err *err)
{
	return obey(ctl, "resume", err);
}

bool batch_cancel(struct ctl *ctl, struct err *err)
{
	return ctl_confirm(ctl, err, "what of batch %s of %s was not called yet never will be",
		       ctl->arguments[1], ctl->arguments[0]) &&
	       obey(ctl, "cancel", err);
}
