/* POST /queues/batches/{batch_id}/entries: a batch, or more of one, from a file. */
#include "fcgi/announce.h"
#include "fcgi/batch.h"
#include "fcgi/put.h"
#include "fcgi/queue_row.h"
#include "fcgi/router.h"
#include "registry/load.h"

#include "common/base.h"

enum { PIECE_BYTES = 64 * 1024 };

struct word {
	const char *name;
	int value;
};

/* Fails with INPUT, naming the parameter; absent = *value stays as it is. */
static bool read_word(const struct req *req, const char *name, const struct word *words, size_t n,
	const char *choices, int *value, struct err *err)
{
	struct str text = req_query(req, name);

	for (size_t i = 0; i < n; i++)
		if (text.p && str_eq(text, str_of(words[i].name))) {
			*value = words[i].value;
			return true;
		}
	return !text.p || fail(err, ERR_INPUT, "%s must be %s", name, choices);
}

/* By what it says of itself; parameters of the type do not matter, because it must be UTF-8 in any case. */
static int format_of_type(struct str type)
{
	static const struct word types[] = {{"text/csv", LOAD_CSV},
		{"application/x-ndjson", LOAD_NDJSON}, {"application/ndjson", LOAD_NDJSON},
		{"application/jsonl", LOAD_NDJSON}};
	struct str rest = type, media;

	if (!type.p || !str_split(&rest, ';', &media))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_case_eq(str_trim(media), str_of(types[i].name)))
			return types[i].value;
	return -1;
}

static bool read_format(const struct req *req, struct load_spec *spec, struct err *err)
{
	static const struct word formats[] = {{"csv", LOAD_CSV}, {"ndjson", LOAD_NDJSON}};
	static const struct word separators[] = {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}};
	int format = format_of_type(req_header(req, "CONTENT_TYPE")), separator = ',';

	if (!read_word(req, "format", formats, ARRAY_LEN(formats), "csv or ndjson", &format, err) ||
		!read_word(req, "separator", separators, ARRAY_LEN(separators),
			"comma, semicolon or tab", &separator, err))
		return false;
	if (format < 0)
		return fail(err, ERR_INPUT,
			"what the body is cannot be told; send Content-Type: text/csv or "
			"application/x-ndjson, or format=csv or format=ndjson");
	spec->format = (enum load_format)format;
	spec->separator = (char)separator;
	return true;
}

static bool read_settings(const struct req *req, struct batch_settings *settings, struct err *err)
{
	settings_clear(settings);
	for (size_t i = 0; i < settings_fields_n; i++) {
		struct str text = req_query(req, settings_fields[i].name);
		if (text.p && !field_from_text(&settings_fields[i], text, settings, err))
			return false;
	}
	return settings_check(settings, err);
}

static bool read_spec(
	struct app *app, const struct req *req, struct load_spec *spec, struct err *err)
{
	*spec = (struct load_spec){.client = req->client,
		.rules = rules_of(app, req->client),
		.batch_id = req_param_id(req, "batch_id"),
		.max_entries = (uint64_t)app->conf->api_max_load_entries,
		.at_once = app->conf->api_loads_at_once};
	if (spec->batch_id == 0)
		return fail_code(err, ERR_INPUT, "invalid_value",
			"batch_id must be an integer from 1 to 9007199254740991");
	return read_format(req, spec, err) && read_settings(req, &spec->settings, err) &&
	       req_query_bool(req, "strict", &spec->strict, err) &&
	       req_query_u64(req, "queue_id", 1, BATCH_ID_MAX, &spec->queue_id, err) &&
	       (spec->queue_id == 0 ||
		       (settings_of_part(&spec->settings, err) &&
			       own_queue(app, req, spec->queue_id, true, &spec->queue_id, err)));
}

static bool read_file(struct req *req, struct load *load, struct err *err)
{
	char *piece = arena_alloc(req->arena, PIECE_BYTES);
	size_t n;

	if (!piece)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	do {
		if (!req_body(req, piece, PIECE_BYTES, &n, err) ||
			!load_push(load, (struct str){piece, n}, err))
			return false;
	} while (n > 0);
	return true;
}

static void put_receipt(struct reply *reply, uint64_t batch_id, const struct load_receipt *receipt)
{
	struct strbuf *sb = &reply->body;

	if (receipt->is_replay)
		reply_header(reply, "Idempotent-Replayed", "true");
	put_object(sb, NULL);
	put_text(sb, "message", STR("Queue data inserted successfully"));
	put_text(sb, "status", STR("success"));
	put_u64(sb, "batch_id", batch_id);
	put_u64(sb, "inserted_count", receipt->inserted);
	put_u64(sb, "queue_id", receipt->queue_master_id);
	if (receipt->suppressed)
		put_u64(sb, "suppressed_count", receipt->suppressed);
	put_u64(sb, "rejected_count", receipt->rejected_n);
	put_raw(sb, "rejected", receipt->rejected);
	put_end(sb, '}');
}

bool handle_load_batch(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct load_receipt receipt;
	struct load_spec spec;

	if (!read_spec(app, req, &spec, err))
		return false;
	struct load *load = load_new(app->db, &spec);
	bool ok = load_begin(load, err) && read_file(req, load, err) &&
		  load_finish(load, &receipt, err);
	if (ok) {
		put_receipt(reply, spec.batch_id, &receipt);
		if (receipt.control_id)
			announce_control(app, receipt.control_id);
	}
	load_free(load);
	return ok;
}
