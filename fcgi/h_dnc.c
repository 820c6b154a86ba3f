/* /dnc, /queues/batches/{batch_id}/dnc and /admin/dnc: numbers that must not be called, of a client, a batch, everybody. */
#include <stdio.h>

#include "fcgi/announce.h"
#include "fcgi/dnc_list.h"
#include "fcgi/page.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/dnc.h"

#include "common/base.h"

/* Behind so many numbers a page costs more than a part of an export. */
enum { OFFSET_MAX = 100000 };

/* ---- which numbers ---- */

struct numbers {
	dnc_digits *v;
	size_t n;
};

static bool read_one(const struct number_rules *rules, const json_t *value, const char *name,
	dnc_digits digits, struct err *err)
{
	struct err why;

	if (!json_is_string(value))
		return fail_code(
			err, ERR_INPUT, "invalid_type", "%s is no text; send a number", name);
	if (dnc_read(rules, (struct str){json_string_value(value), json_string_length(value)},
		    digits, &why))
		return true;
	return fail_code(err, why.kind, why.code, "%s %s", name, why.text);
}

static bool read_many(const struct number_rules *rules, const json_t *array,
	struct numbers *numbers, struct err *err)
{
	char name[40];

	for (size_t i = 0; i < json_array_size(array); i++) {
		(void)snprintf(name, sizeof(name), "phone_numbers[%zu]", i);
		if (!read_one(rules, json_array_get(array, i), name, numbers->v[i], err))
			return false;
	}
	numbers->n = json_array_size(array);
	return true;
}

static bool read_numbers(const struct req *req, const struct number_rules *rules,
	struct numbers *numbers, struct err *err)
{
	json_t *body;

	if (!req_json(req, &body, err))
		return false;
	const json_t *one = json_object_get(body, "phone_number");
	const json_t *many = json_object_get(body, "phone_numbers");
	size_t n = many ? json_array_size(many) : 1;
	if (!one == !many)
		return fail(err, ERR_INPUT, "send either phone_number or phone_numbers");
	if (many && (!json_is_array(many) || n == 0 || n > DNC_NUMBERS_MAX))
		return fail_code(err, ERR_INPUT, "invalid_value",
			"phone_numbers must be an array of 1 to %d numbers; of more send a file",
			(int)DNC_NUMBERS_MAX);
	numbers->v = arena_alloc(req->arena, n * sizeof(*numbers->v));
	numbers->n = 1;
	if (!numbers->v)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	return many ? read_many(rules, many, numbers, err)
		    : read_one(rules, one, "phone_number", numbers->v[0], err);
}

/* ---- changes ---- */

typedef bool change_fn(struct db *db, const struct dnc_list *list, const struct dnc_act *act,
	const dnc_digits *numbers, size_t n, struct dnc_state *state, struct err *err);

static const struct change {
	change_fn *fn;
	const char *message, *count;
} adding = {dnc_add, "Numbers added", "added_count"},
  removing = {dnc_remove, "Numbers removed", "removed_count"};

static void put_changed(
	struct strbuf *sb, const struct change *change, const struct dnc_state *state)
{
	put_object(sb, NULL);
	put_text(sb, "message", str_of(change->message));
	put_text(sb, "status", STR("success"));
	put_u64(sb, change->count, state->changed);
	put_u64(sb, "total", state->numbers);
	put_u64(sb, "version", state->version);
	put_end(sb, '}');
}

static bool change(struct app *app, struct req *req, const struct dnc_whose *whose,
	const struct change *change, struct reply *reply, struct err *err)
{
	struct dnc_act act = {.actor = whose->actor, .source = "api"};
	struct numbers numbers = {NULL, 0};
	struct dnc_state state;
	struct secret_key key;

	if (!read_numbers(req, &whose->rules, &numbers, err) ||
		!secret_load_key(app->conf->common_secret_key_file, &key, err))
		return false;
	act.mac_key = &key;
	bool ok = change->fn(
		app->db, &whose->list, &act, (const dnc_digits *)numbers.v, numbers.n, &state, err);
	secret_wipe(&key, sizeof(key));
	if (!ok)
		return false;
	if (state.control_id)
		announce_control(app, state.control_id);
	put_changed(&reply->body, change, &state);
	return true;
}

/* ---- looking ---- */

static void put_number(struct strbuf *sb, const struct rows *rows, int row)
{
	put_object(sb, NULL);
	put_text(sb, "number", row_text(rows, row, DNC_NUMBER));
	put_text(sb, "source", row_text(rows, row, DNC_SOURCE));
	put_text(sb, "added_by", row_text(rows, row, DNC_ADDED_BY));
	put_time_ms(sb, "added_at", row_time(rows, row, DNC_ADDED_AT));
	put_end(sb, '}');
}

static bool read_part(const struct req *req, const struct dnc_whose *whose, struct page *page,
	dnc_digits digits, struct dnc_part *part, struct err *err)
{
	struct str number = req_query(req, "number");
	struct err why;

	if (!page_read(req, "number", page, err))
		return false;
	*part = (struct dnc_part){
		.after = "", .limit = page->size, .offset = page_offset(page), .number = NULL};
	if (page->descending)
		return fail(err, ERR_INPUT, "sort must be number");
	if (part->offset > OFFSET_MAX)
		return fail(err, ERR_INPUT,
			"a page begins at most %d numbers behind the first; for all of them ask "
			"for format=csv",
			(int)OFFSET_MAX);
	if (!number.p)
		return true;
	part->number = digits;
	return dnc_read(&whose->rules, number, digits, &why) ||
	       fail_code(err, why.kind, why.code, "number %s", why.text);
}

static bool show_page(struct app *app, const struct req *req, const struct dnc_whose *whose,
	struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct rows rows = ROWS_INIT;
	struct dnc_state state;
	struct dnc_part part;
	dnc_digits digits;
	struct page page;

	if (!read_part(req, whose, &page, digits, &part, err) ||
		!dnc_head(app->db, &whose->list, &state, err) ||
		!dnc_part(app->db, &whose->list, &part, &rows, err))
		return false;
	page_begin(sb);
	for (int i = 0; i < rows.n; i++)
		put_number(sb, &rows, i);
	put_end(sb, ']');
	page_members(sb, &page, part.number ? (uint64_t)rows.n : state.numbers);
	put_u64(sb, "version", state.version);
	put_time_ms(sb, "changed_at", state.changed_us);
	put_end(sb, '}');
	rows_free(&rows);
	return true;
}

static bool show(struct app *app, const struct req *req, const struct dnc_whose *whose,
	struct reply *reply, struct err *err)
{
	struct str format = req_query(req, "format");

	if (!format.p || str_eq(format, STR("json")))
		return show_page(app, req, whose, reply, err);
	if (!str_eq(format, STR("csv")))
		return fail(err, ERR_INPUT, "format must be json or csv");
	return !whose->list.client_id
		       ? fail(err, ERR_INPUT, "everybody's list is exported by ccsctl dnc export")
		       : dnc_export(app, req, whose, reply, err);
}

/* ---- whose ---- */

#define HANDLER(name, whose_fn, act)                                                               \
	bool handle_##name(struct app *app, struct req *req, struct reply *reply, struct err *err) \
	{                                                                                          \
		struct dnc_whose whose;                                                            \
		return whose_fn(app, req, &whose, err) && (act);                                   \
	}
HANDLER(dnc, dnc_of_client, show(app, req, &whose, reply, err))
HANDLER(dnc_add, dnc_of_client, change(app, req, &whose, &adding, reply, err))
HANDLER(dnc_remove, dnc_of_client, change(app, req, &whose, &removing, reply, err))
HANDLER(batch_dnc, dnc_of_batch, show(app, req, &whose, reply, err))
HANDLER(batch_dnc_add, dnc_of_batch, change(app, req, &whose, &adding, reply, err))
HANDLER(batch_dnc_remove, dnc_of_batch, change(app, req, &whose, &removing, reply, err))
HANDLER(admin_dnc, dnc_of_all, show(app, req, &whose, reply, err))
HANDLER(admin_dnc_add, dnc_of_all, change(app, req, &whose, &adding, reply, err))
HANDLER(admin_dnc_remove, dnc_of_all, change(app, req, &whose, &removing, reply, err))
