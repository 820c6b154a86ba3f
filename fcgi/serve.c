/* The frame around every handler: see serve.h. */
#include <inttypes.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/auth.h"
#include "fcgi/cors.h"
#include "fcgi/idempotency.h"
#include "fcgi/limit.h"
#include "fcgi/permit.h"
#include "fcgi/router.h"
#include "fcgi/serve.h"
#include "fcgi/vouch.h"
#include "sql/db.h"

#include "common/base.h"

enum { ALLOW_BYTES = 64, DRAIN_BYTES = 4096 };

/* nginx has the whole request before it connects, so a read that waits this long means that nginx
 * died in the middle. */
enum { READ_TIMEOUT_S = 5, WRITE_TIMEOUT_S = 10 };

static void set_timeout(int fd, int option, time_t seconds)
{
	struct timeval limit = {.tv_sec = seconds};
	(void)setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit));
}

/* libfcgi takes a connection that it has not accepted itself when its descriptor is put here, and
 * then keeps it open if nginx asks for that. */
void fcgx_take(FCGX_Request *fcgx, int fd)
{
	set_timeout(fd, SO_RCVTIMEO, READ_TIMEOUT_S);
	set_timeout(fd, SO_SNDTIMEO, WRITE_TIMEOUT_S);
	FCGX_InitRequest(fcgx, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	fcgx->ipcFd = fd;
	fcgx->keepConnection = 1;
}

/* libfcgi takes parameters that break off for ones that end, and notes an error. */
bool fcgx_accept(FCGX_Request *fcgx)
{
	return FCGX_Accept_r(fcgx) == 0 && FCGX_GetError(fcgx->in) == 0;
}

/* FCGX_GetStr takes an int, and fewer bytes than asked for mean that the stream has ended. */
static size_t body_take(FCGX_Stream *in, char *to, size_t n)
{
	size_t got = 0;
	while (got < n) {
		int k = FCGX_GetStr(to + got, (int)MIN(n - got, (size_t)INT32_MAX), in);
		if (k <= 0)
			break;
		got += (size_t)k;
	}
	return got;
}

static size_t body_limit(const struct app *app, const struct route *route)
{
	if (route->pool == ROUTE_LOAD)
		return (size_t)app->conf->api_max_load_bytes;
	return route->pool == ROUTE_BULK ? (size_t)app->conf->api_max_body_bytes
					 : (size_t)ROUTE_BODY_BYTES;
}

static bool broke_off(struct err *err)
{
	return fail(err, ERR_INPUT, "the body ended before the bytes that Content-Length says");
}

bool req_body(struct req *req, char *to, size_t n, size_t *got, struct err *err)
{
	size_t want = (size_t)MIN((uint64_t)n, req->body_left);

	*got = want ? body_take(req->body_stream, to, want) : 0;
	req->body_left -= *got;
	return *got == want || broke_off(err);
}

static bool body_read(struct app *app, struct req *req, FCGX_Stream *in, struct err *err)
{
	struct str text = req_header(req, "CONTENT_LENGTH");
	uint64_t length = 0;
	size_t limit = body_limit(app, req->route);

	if (text.n && !str_to_u64(text, 0, UINT64_MAX, &length))
		return fail(err, ERR_INPUT, "Content-Length is not a number");
	if (length > limit)
		return fail(err, ERR_TOO_LARGE,
			"the body has %" PRIu64 " bytes; at most %zu are taken", length, limit);
	req->body_stream = in;
	req->body_left = length;
	if (length == 0 || req->route->pool == ROUTE_LOAD)
		return true;
	char *body = arena_alloc(app->arena, length + 1);
	if (!body)
		return fail(err, ERR_TOO_LARGE, "the body needs too much memory");
	size_t got = body_take(in, body, length);
	if (got != length)
		return fail(err, ERR_INPUT,
			"the body ended after %zu bytes; Content-Length says %" PRIu64, got,
			length);
	body[length] = '\0';
	req->body = (struct str){body, length};
	return true;
}

static void body_drain(FCGX_Stream *in)
{
	char scrap[DRAIN_BYTES];
	while (body_take(in, scrap, sizeof(scrap)) == sizeof(scrap))
		;
}

/* What the fast pool cannot answer, and what would keep others of the call pool waiting, the sql pool does. */
static bool is_ours(const struct app *app, const struct route *route)
{
	enum pool home = route_home(route);
	return app->pool == home ||
	       (app->pool == POOL_SQL && (home == POOL_FAST || route->pool == ROUTE_BULK));
}

/* Counted as soon as we know whom to count it for, so that every later answer, errors too, says how
 * its client stands. */
static enum auth_verdict admit(
	struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	if (req->route->who == WHO_PUBLIC)
		return AUTH_OK;
	enum auth_verdict verdict = auth_check(app, req, err);
	if (verdict != AUTH_OK)
		return verdict;
	if (req->rounds > 0)
		limit_tell(app, req, reply);
	else if (!limit_take(app, req, reply, err))
		return AUTH_REFUSED;
	return permit(req, err) ? AUTH_OK : AUTH_REFUSED;
}

static bool answer(
	struct app *app, struct req *req, FCGX_Request *fcgx, struct reply *reply, struct err *err)
{
	char allow[ALLOW_BYTES];

	if (!req_read(req, fcgx->envp, app->arena, clock_wall_us(), err))
		return false;
	if (vouch_is_asked(req))
		return vouch(app, req, reply, err);
	if (!route_find(routes, routes_n, req, allow, sizeof(allow), err)) {
		if (allow[0])
			reply_header(reply, "Allow", "%s", allow);
		if (!allow[0] || req->method != METHOD_OPTIONS)
			return false;
		cors_options(app, req, allow, reply);
		return true;
	}
	if (app->pool == POOL_FAST && req->route->pool == ROUTE_WAIT)
		return call_park(app, req, reply);
	if (!is_ours(app, req->route))
		return reply_pass(reply, MAX(route_home(req->route), POOL_SQL));
	enum auth_verdict verdict = admit(app, req, reply, err);
	if (verdict == AUTH_ASK_SQL)
		return reply_pass(reply, POOL_SQL);
	/* A stranger's body is not worth our memory: only now. */
	if (verdict == AUTH_REFUSED || !idempotency_fits(req, err) ||
		!body_read(app, req, fcgx->in, err))
		return false;
	if (req->route->pool != ROUTE_FAST && !db_ready(app->db, err))
		return false;
	if (app->db)
		db_set_address(app->db, req_header(req, "REMOTE_ADDR"));
	if (idempotency_asked(req))
		return idempotency_answer(app, req, reply, err);
	return req->route->handler(app, req, reply, err);
}

static void send_to(const char *location, FCGX_Stream *out)
{
	FCGX_FPrintF(out, "X-Accel-Redirect: %s\r\n\r\n", location);
}

/* Every JSON object that answers a test account says so. */
static struct str test_mark(const struct req *req, const struct reply *reply)
{
	const struct strbuf *body = &reply->body;
	bool is_object = body->n >= 2 && body->p[0] == '{' && !reply->next_piece &&
			 str_eq(str_of(reply->content_type), STR("application/json"));

	if (!req->is_test || !is_object)
		return STR("");
	return body->p[1] == '}' ? STR("{\"test\":true") : STR("{\"test\":true,");
}

/* libfcgi gathers both in its buffer and writes once. */
static void send_reply(const struct req *req, struct reply *reply, FCGX_Stream *out)
{
	struct strbuf *head = &reply->head;
	struct str mark = test_mark(req, reply), body = strbuf_view(&reply->body);

	if (reply->pass_to) {
		send_to(reply->pass_to, out);
		return;
	}
	strbuf_reset(head);
	strbuf_printf(head,
		"Status: %d %s\r\nContent-Type: %s\r\nCache-Control: no-store\r\nX-Request-Id: "
		"%s\r\n",
		reply->status, reply_reason(reply->status), reply->content_type, req->request_id);
	if (!reply->next_piece)
		strbuf_printf(
			head, "Content-Length: %zu\r\n", mark.n ? body.n + mark.n - 1 : body.n);
	strbuf_str(head, strbuf_view(&reply->headers));
	strbuf_puts(head, "\r\n");
	FCGX_PutStr(head->p, (int)head->n, out);
	if (mark.n) { /* in the place of its brace */
		FCGX_PutStr(mark.p, (int)mark.n, out);
		body = (struct str){body.p + 1, body.n - 1};
	}
	FCGX_PutStr(body.p, (int)body.n, out);
}

/* What follows the body. Whoever hangs up in between is sent no more. */
static void send_pieces(
	struct app *app, const struct req *req, struct reply *reply, FCGX_Request *fcgx)
{
	struct err err;
	bool more = reply->next_piece != NULL;

	while (more && !FCGX_GetError(fcgx->out)) {
		strbuf_reset(&reply->body);
		if (!reply->next_piece(app, reply->piece_arg, &reply->body, &more, &err)) {
			log_warn("request.broken_off", "route=%s request_id=%s why=%s",
				req->route->name, req->request_id, log_q(err.text));
			(void)shutdown(fcgx->ipcFd, SHUT_RDWR);
			break;
		}
		FCGX_PutStr(reply->body.p, (int)reply->body.n, fcgx->out);
	}
	if (reply->next_piece)
		reply->after_pieces(app);
}

bool serve(struct app *app, FCGX_Request *fcgx, struct reply *reply)
{
	struct req req;
	struct err err = {.kind = ERR_NONE};

	app_turn(app);
	reply_reset(reply);
	if (!answer(app, &req, fcgx, reply, &err)) {
		if (vouch_is_asked(&req))
			vouch_explain(reply, &err);
		reply_error(reply, &req, &err);
	}
	body_drain(fcgx->in);
	if (reply->waits)
		return false;
	cors_add(app, &req, reply);
	send_reply(&req, reply, fcgx->out);
	send_pieces(app, &req, reply, fcgx);
	return true;
}

void serve_gathered(const struct app *app, struct gathered *one)
{
	cors_add(app, &one->req, &one->reply);
	send_reply(&one->req, &one->reply, one->fcgx->out);
}

void serve_parked(FCGX_Request *fcgx)
{
	struct reply reply = REPLY_INIT;
	(void)reply_pass(&reply, POOL_SQL);
	send_to(reply.pass_to, fcgx->out);
}
