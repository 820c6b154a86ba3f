/* Requests that may be repeated: see idempotency.h. */
#include "fcgi/idempotency.h"
#include "common/secret.h"
#include "common/token.h"
#include "fcgi/router.h"
#include "sql/db.h"

#include "common/base.h"

enum { KEY_MAX_BYTES = 255, RUNNING_RETRY_S = 1 };

static struct str key_of(const struct req *req)
{
	return req_header(req, "HTTP_IDEMPOTENCY_KEY");
}

bool idempotency_asked(const struct req *req)
{
	/* What is deleted twice is deleted once. */
	return key_of(req).p && req->method != METHOD_GET && req->method != METHOD_DELETE &&
	       req->route->who == WHO_CLIENT && req->route->pool != ROUTE_LOAD;
}

bool idempotency_fits(const struct req *req, struct err *err)
{
	bool is_file = req->route->pool == ROUTE_LOAD;
	bool writes = req->method != METHOD_GET && req->method != METHOD_DELETE;

	if (!key_of(req).p || !writes || !(is_file || req->route->who == WHO_ADMIN))
		return true;
	return fail_code(err, ERR_INPUT, "idempotency_key_refused",
		"this takes no Idempotency-Key: %s",
		is_file ? "a file that is sent again under its batch_id is stored once"
			: "what has been made already is refused by its name, and a change names "
			  "its version in If-Match");
}

static bool check_key(struct str key, struct err *err)
{
	bool fine = key.n >= 1 && key.n <= KEY_MAX_BYTES;
	for (size_t i = 0; fine && i < key.n; i++)
		fine = key.p[i] > ' ' && key.p[i] <= '~';
	return fine ||
	       fail_code(err, ERR_INPUT, "invalid_idempotency_key",
		       "Idempotency-Key must be 1 to %d visible ASCII characters", KEY_MAX_BYTES);
}

/* Method, path and query, but not a key in it, and the body: with their lengths, so that nothing can
 * move from one into the other. */
static void add(struct strbuf *sb, struct str part)
{
	strbuf_printf(sb, "%zu ", part.n);
	strbuf_str(sb, part);
}

static struct digest digest_of_request(const struct req *req)
{
	struct strbuf sb = STRBUF_INIT;
	struct digest body = digest_of(req->body);

	add(&sb, str_of(req->route->name));
	add(&sb, str_of(method_name(req->method)));
	for (size_t i = 0; i < ARRAY_LEN(req->param_text); i++)
		add(&sb, req->param_text[i]);
	for (size_t i = 0; i < req->query_n; i++) {
		if (str_eq(req->query[i].name, STR("x-api-key")))
			continue;
		add(&sb, req->query[i].name);
		add(&sb, req->query[i].value);
	}
	add(&sb, (struct str){(const char *)body.b, sizeof(body.b)});
	struct digest digest = digest_of(strbuf_view(&sb));
	strbuf_free(&sb);
	return digest;
}

/* ---- answers as they are stored ---- */

static bool seal(struct app *app, struct str plain, struct strbuf *out, struct err *err)
{
	struct secret_key key;
	if (!secret_load_key(app->conf->common_secret_key_file, &key, err))
		return false;
	secret_seal(&key, plain, out);
	secret_wipe(&key, sizeof(key));
	return true;
}

static bool unseal(struct app *app, struct str sealed, struct strbuf *out, struct err *err)
{
	struct secret_key key;
	if (!secret_load_key(app->conf->common_secret_key_file, &key, err))
		return false;
	bool ok = secret_open(&key, sealed, out, err);
	secret_wipe(&key, sizeof(key));
	return ok;
}

static bool running(struct err *err)
{
	(void)fail_code(err, ERR_CONFLICT, "idempotency_running",
		"a request with this Idempotency-Key is still under way; ask again for its answer");
	if (err)
		err->retry_after_s = RUNNING_RETRY_S;
	return false;
}

static bool store(struct app *app, const struct req *req, const struct digest *request,
	const struct reply *reply, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct rows rows = ROWS_INIT;
	struct strbuf sealed = STRBUF_INIT;
	struct str answer = strbuf_view(&reply->body);

	if (reply->is_secret) {
		if (!seal(app, answer, &sealed, err))
			return false;
		answer = strbuf_view(&sealed);
	}
	arg_i64(&args, (int64_t)app->client.id);
	arg_text(&args, key_of(req));
	arg_bytes(&args, request->b, sizeof(request->b));
	arg_bytes(&args, answer.p, answer.n);
	arg_bool(&args, reply->is_secret);
	bool ok = db_query(app->db, SQL_IDEMPOTENCY_STORE, &args, &rows, err) &&
		  (rows.n == 1 || running(err));
	if (!ok && err->kind == ERR_INPUT)
		err->kind = ERR_INTERNAL; /* all was checked before */
	rows_free(&rows);
	args_free(&args);
	strbuf_free(&sealed);
	return ok;
}

/* ---- the first request, and the others ---- */

enum { OURS, REQUEST, ANSWER, IS_SECRET }; /* columns of idempotency_find */

static bool replay(struct app *app, const struct rows *rows, const struct digest *request,
	struct reply *reply, struct err *err)
{
	struct str stored = row_bytes(rows, 0, ANSWER);
	struct str same = {(const char *)request->b, sizeof(request->b)};

	if (!str_eq(row_bytes(rows, 0, REQUEST), same))
		return fail_code(err, ERR_CONFLICT, "idempotency_key_used",
			"this Idempotency-Key was used for another request; send a new one");
	if (row_bool(rows, 0, IS_SECRET)) {
		if (!unseal(app, stored, &reply->body, err))
			return false;
	} else {
		strbuf_str(&reply->body, stored);
	}
	reply_header(reply, "Idempotent-Replayed", "true");
	return true;
}

static bool run(struct app *app, struct req *req, const struct digest *request, struct reply *reply,
	struct err *err)
{
	app_hold(app);
	bool ok = req->route->handler(app, req, reply, err) &&
		  store(app, req, request, reply, err) && db_release(app->db, err);
	app_release(app, ok);
	return ok;
}

static bool find(struct app *app, const struct req *req, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;

	arg_i64(&args, (int64_t)app->client.id);
	arg_text(&args, key_of(req));
	bool ok = db_hold(app->db, app->client.id, err) &&
		  db_query(app->db, SQL_IDEMPOTENCY_FIND, &args, rows, err);
	args_free(&args);
	return ok;
}

bool idempotency_answer(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct rows rows = ROWS_INIT;
	bool ok;

	if (!check_key(key_of(req), err))
		return false;
	struct digest request = digest_of_request(req);
	ok = find(app, req, &rows, err);
	if (ok && !row_is_null(&rows, 0, REQUEST))
		ok = replay(app, &rows, &request, reply, err);
	else if (ok)
		ok = row_bool(&rows, 0, OURS) ? run(app, req, &request, reply, err) : running(err);
	rows_free(&rows);
	db_rollback(app->db); /* what is not committed by now */
	return ok;
}
