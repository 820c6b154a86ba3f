/* Answers and the error envelope: see reply.h. */
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"
#include "fcgi/put.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"
#include "fcgi/router.h"

#include "common/base.h"

enum {
	KEEP_BYTES = 1024 * 1024, /* a reply's memory above this is not kept for the next one */
	BUSY_RETRY_S = 2,	  /* when whoever was busy did not say */
};

static const int statuses[ERR_KIND__N] = {
	[ERR_NONE] = 500,
	[ERR_INPUT] = 400,
	[ERR_AUTH] = 401,
	[ERR_FORBIDDEN] = 403,
	[ERR_MISSING] = 404,
	[ERR_METHOD] = 405,
	[ERR_CONFLICT] = 409,
	[ERR_STALE] = 412,
	[ERR_UNSEEN] = 428,
	[ERR_TOO_LARGE] = 413,
	[ERR_LIMIT] = 429,
	[ERR_BUSY] = 503,
	[ERR_INTERNAL] = 500,
};

int reply_status_of(enum err_kind kind)
{
	return kind < ERR_KIND__N ? statuses[kind] : 500;
}

const char *reply_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{428, "Precondition Required"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
	};
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

void reply_reset(struct reply *reply)
{
	if (reply->body.cap > KEEP_BYTES)
		strbuf_free(&reply->body);
	reply->status = 200;
	reply->content_type = REPLY_JSON;
	reply->next_piece = NULL;
	reply->pass_to = NULL;
	reply->waits = reply->is_secret = false;
	strbuf_reset(&reply->body);
	strbuf_reset(&reply->headers);
}

void reply_free(struct reply *reply)
{
	strbuf_free(&reply->body);
	strbuf_free(&reply->headers);
	strbuf_free(&reply->head);
}

void reply_more(struct reply *reply, piece_fn *fn, void (*after)(struct app *app), void *arg)
{
	reply->next_piece = fn;
	reply->after_pieces = after;
	reply->piece_arg = arg;
}

void reply_header(struct reply *reply, const char *name, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	strbuf_puts(&reply->headers, name);
	strbuf_add(&reply->headers, ": ", 2);
	strbuf_vprintf(&reply->headers, fmt, ap);
	strbuf_add(&reply->headers, "\r\n", 2);
	va_end(ap);
}

bool reply_pass(struct reply *reply, enum pool pool)
{
	static const char *const locations[POOL__N] = {
		[POOL_SQL] = "@ccs_sql",
		[POOL_CALL] = "@ccs_call",
		[POOL_LOGIN] = "@ccs_login",
		[POOL_ADMIN] = "@ccs_admin",
	};
	reply->pass_to = locations[pool];
	return true;
}

bool reply_wait(struct reply *reply)
{
	reply->pass_to = "@ccs_wait";
	return true;
}

void reply_problem(struct reply *reply, const struct req *req, int status, const char *code,
	const char *detail)
{
	struct strbuf *sb = &reply->body;
	struct str shown = str_of(detail);
	shown.n = utf8_prefix(shown); /* a long text may have been cut inside a character */

	reply->status = status;
	put_text(sb, "detail", shown);
	put_i64(sb, "status_code", status);
	put_time(sb, "timestamp", req->now_us);
	put_text(sb, "code", str_of(code));
	put_text(sb, "request_id", str_of(req->request_id));
}

static void log_failure(const struct req *req, const struct err *err)
{
	log_line(err->kind == ERR_INTERNAL ? LOG_ERROR : LOG_WARN, "request.failed",
		"route=%s request_id=%s kind=%s why=%s", req->route ? req->route->name : "none",
		req->request_id, err_kind_name(err->kind), log_q(err->text));
}

void reply_error(struct reply *reply, const struct req *req, const struct err *err)
{
	enum err_kind kind = err->kind == ERR_NONE ? ERR_INTERNAL : err->kind;
	const char *detail = err->text;

	if (kind == ERR_INTERNAL || kind == ERR_BUSY)
		log_failure(req, err);
	if (kind == ERR_INTERNAL)
		detail = "the request failed for a reason on our side; quote request_id when you "
			 "report it";
	if (kind == ERR_LIMIT || kind == ERR_BUSY || err->retry_after_s)
		reply_header(reply, "Retry-After", "%u",
			err->retry_after_s ? err->retry_after_s : (unsigned)BUSY_RETRY_S);
	if (kind == ERR_AUTH)
		reply_header(
			reply, "WWW-Authenticate", "Bearer realm=\"ccs\", ApiKey realm=\"ccs\"");

	strbuf_reset(&reply->body);
	put_object(&reply->body, NULL);
	reply_problem(reply, req, reply_status_of(kind),
		err->code ? err->code : err_kind_name(kind), detail);
	put_end(&reply->body, '}');
}
