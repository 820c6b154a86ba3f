/* Requests as handlers read them: see req.h. */
#include <inttypes.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "common/utf8.h"
#include "fcgi/req.h"
#include "fcgi/router.h"

#include "common/base.h"

enum { MADE_ID_BYTES = 12 };

static bool id_is_clean(struct str id)
{
	if (id.n == 0 || id.n >= REQ_ID_BYTES)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_' || c == '.'))
			return false;
	}
	return true;
}

/* nginx sends the client's own id or one that it made; either stands in its access log too. */
static void set_request_id(struct req *req)
{
	struct str id = req_header(req, "REQUEST_ID");
	if (id_is_clean(id) && str_copy(req->request_id, sizeof(req->request_id), id))
		return;
	uint8_t random[MADE_ID_BYTES];
	random_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), req->request_id);
}

/* nginx's "12.345"; what is none is 0. */
static int64_t seconds_of(struct str text)
{
	struct str seconds;
	uint64_t s = 0, ms = 0;
	if (!str_split(&text, '.', &seconds) || !str_to_u64(seconds, 0, UINT32_MAX, &s) ||
		!str_to_u64(text, 0, 999, &ms))
		return 0;
	return (int64_t)s * US_PER_S + (int64_t)ms * US_PER_MS;
}

/* Names and values, percent-encoded: of a query or of a form. */
struct pairs {
	const char *what; /* for errors */
	struct arena *arena;
	struct req_query *v; /* REQ_QUERY_MAX */
	size_t n;
};

/* Percent-decodes one name or value into the arena. */
static bool decode(const struct pairs *pairs, struct str raw, struct str *out, struct err *err)
{
	char *p = arena_alloc(pairs->arena, raw.n + 1);
	if (!p)
		return fail(err, ERR_TOO_LARGE, "the %s is too long", pairs->what);
	size_t n = 0;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < raw.n ? hex_value(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? hex_value(raw.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return fail(err, ERR_INPUT,
					"the %s holds a '%%' without two hex digits after it",
					pairs->what);
			c = (char)(high << 4 | low);
			i += 2;
		}
		p[n++] = c;
	}
	p[n] = '\0';
	*out = (struct str){p, n};
	if (!utf8_is_text(*out))
		return fail(err, ERR_INPUT, "the %s is not UTF-8 text", pairs->what);
	return true;
}

static bool pairs_add(struct pairs *pairs, struct str pair, struct err *err)
{
	struct str name, value = pair;
	if (pair.n == 0)
		return true;
	if (pairs->n == REQ_QUERY_MAX)
		return fail(err, ERR_INPUT, "the %s has more than %d parameters", pairs->what,
			REQ_QUERY_MAX);
	str_split(&value, '=', &name);
	struct req_query *q = &pairs->v[pairs->n];
	if (!decode(pairs, name, &q->name, err) || !decode(pairs, value, &q->value, err))
		return false;
	for (size_t i = 0; i < pairs->n; i++)
		if (str_eq(pairs->v[i].name, q->name))
			return fail(
				err, ERR_INPUT, "the %s names %s twice", pairs->what, q->name.p);
	pairs->n++;
	return true;
}

static bool pairs_read(struct pairs *pairs, struct str raw, struct err *err)
{
	struct str pair;
	while (str_split(&raw, '&', &pair))
		if (!pairs_add(pairs, pair, err))
			return false;
	return true;
}

static bool query_read(struct req *req, struct str raw, struct err *err)
{
	struct pairs pairs = {.what = "query", .arena = req->arena, .v = req->query};
	bool ok = pairs_read(&pairs, raw, err);
	req->query_n = pairs.n;
	return ok;
}

bool req_read(
	struct req *req, char *const *env, struct arena *arena, int64_t now_us, struct err *err)
{
	*req = (struct req){.env = env, .arena = arena, .now_us = now_us};
	set_request_id(req);
	req->age_us = seconds_of(req_header(req, "REQUEST_SECONDS"));
	req->rounds = (unsigned)MIN(req_header(req, "ROUNDS").n, (size_t)UINT8_MAX);
	req->method = method_of(req_header(req, "REQUEST_METHOD"));
	req->path = req_header(req, "DOCUMENT_URI");
	if (!utf8_is_text(req->path))
		return fail(err, ERR_INPUT, "the path is not UTF-8 text");
	return query_read(req, req_header(req, "QUERY_STRING"), err);
}

struct str req_header(const struct req *req, const char *cgi_name)
{
	size_t n = strlen(cgi_name);
	for (char *const *e = req->env; e && *e; e++)
		if (strncmp(*e, cgi_name, n) == 0 && (*e)[n] == '=')
			return str_of(*e + n + 1);
	return (struct str){NULL, 0};
}

struct str req_query(const struct req *req, const char *name)
{
	for (size_t i = 0; i < req->query_n; i++)
		if (str_eq(req->query[i].name, str_of(name)))
			return req->query[i].value;
	return (struct str){NULL, 0};
}

bool req_query_u64(const struct req *req, const char *name, uint64_t min, uint64_t max,
	uint64_t *value, struct err *err)
{
	struct str text = req_query(req, name);
	if (!text.p || str_to_u64(text, min, max, value))
		return true;
	return fail(err, ERR_INPUT, "%s must be a whole number from %" PRIu64 " to %" PRIu64, name,
		min, max);
}

bool req_query_bool(const struct req *req, const char *name, bool *value, struct err *err)
{
	struct str text = req_query(req, name);
	if (!text.p)
		return true;
	if (text.n == 0 || str_eq(text, STR("1")) || str_eq(text, STR("true"))) {
		*value = true;
		return true;
	}
	if (str_eq(text, STR("0")) || str_eq(text, STR("false"))) {
		*value = false;
		return true;
	}
	return fail(err, ERR_INPUT, "%s must be 1, true, 0 or false", name);
}

struct str req_param(const struct req *req, const char *name)
{
	return req->param_text[route_param(req->route, name)];
}

uint64_t req_param_id(const struct req *req, const char *name)
{
	return req->param_id[route_param(req->route, name)];
}

static bool json_refused(const json_error_t *why, struct err *err)
{
	/* jansson has nothing to say when it is its memory that ran out. */
	if (!why->text[0] || json_error_code(why) == json_error_out_of_memory)
		return fail(err, ERR_TOO_LARGE, "the body needs too much memory");
	return fail_code(err, ERR_INPUT, "invalid_json",
		"the body is not valid JSON: line %d, column %d: %s", why->line, why->column,
		why->text);
}

bool req_json(const struct req *req, json_t **object, struct err *err)
{
	json_error_t why = {.line = 0};
	json_t *loaded = req->body.n == 0 ? json_object()
					  : json_loadb(req->body.p, req->body.n,
						    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!loaded && req->body.n == 0)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	if (!loaded)
		return json_refused(&why, err);
	if (!json_is_object(loaded))
		return fail_code(err, ERR_INPUT, "invalid_json", "the body must be a JSON object");
	*object = loaded;
	return true;
}

/* The members of body that the table names. */
static bool take_fields(
	json_t *body, const struct field *fields, size_t n, void *into, struct err *err)
{
	json_t *known = json_object();
	if (!known)
		return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(body, fields[i].name);
		if (value && json_object_set(known, fields[i].name, value) < 0)
			return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	}
	fields_clear(fields, n, into);
	return fields_from_json(fields, n, known, into, err) && fields_check(fields, n, into, err);
}

bool req_fields(
	const struct req *req, const struct field *fields, size_t n, void *into, struct err *err)
{
	json_t *body;
	return req_json(req, &body, err) && take_fields(body, fields, n, into, err);
}

static bool is_form(const struct req *req)
{
	struct str rest = req_header(req, "CONTENT_TYPE"), type;
	return str_split(&rest, ';', &type) &&
	       str_case_eq(str_trim(type), STR("application/x-www-form-urlencoded"));
}

static bool form_json(const struct req *req, json_t **object, struct err *err)
{
	struct req_query values[REQ_QUERY_MAX];
	struct pairs pairs = {.what = "form", .arena = req->arena, .v = values};
	json_t *form = json_object();

	if (!pairs_read(&pairs, req->body, err))
		return false;
	for (size_t i = 0; i < pairs.n; i++) {
		json_t *value = json_stringn(values[i].value.p, values[i].value.n);
		if (!value || json_object_set_new(form, values[i].name.p, value) < 0)
			return fail(err, ERR_TOO_LARGE, "the request needs too much memory");
	}
	*object = form;
	return true;
}

bool req_fields_or_form(
	const struct req *req, const struct field *fields, size_t n, void *into, struct err *err)
{
	json_t *body;
	bool read = is_form(req) ? form_json(req, &body, err) : req_json(req, &body, err);
	return read && take_fields(body, fields, n, into, err);
}
