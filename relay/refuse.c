/* Errors before the upgrade: see refuse.h. */
#include "relay/refuse.h"

#include <libwebsockets.h>

#include "common/clock.h"
#include "common/err.h"

#include "common/base.h"

enum { RETRY_S = 2 };

static const struct status {
	int number;
	const char *text;
} statuses[ERR_KIND__N] = {
	[ERR_NONE] = {500, "Internal Server Error"},
	[ERR_INPUT] = {400, "Bad Request"},
	[ERR_AUTH] = {401, "Unauthorized"},
	[ERR_FORBIDDEN] = {403, "Forbidden"},
	[ERR_MISSING] = {404, "Not Found"},
	[ERR_METHOD] = {405, "Method Not Allowed"},
	[ERR_CONFLICT] = {409, "Conflict"},
	[ERR_TOO_LARGE] = {413, "Content Too Large"},
	[ERR_LIMIT] = {429, "Too Many Requests"},
	[ERR_BUSY] = {503, "Service Unavailable"},
	[ERR_INTERNAL] = {500, "Internal Server Error"},
};

/* nginx has made it, or has let a harmless one of the client's pass; it is in a header of ours, so we look again. */
static bool is_harmless(struct str id)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	for (size_t i = 0; i < id.n; i++)
		if (!memchr(allowed, id.p[i], sizeof(allowed) - 1))
			return false;
	return id.n <= 64;
}

void refuse_text(struct strbuf *sb, struct str request_id, const struct err *err, int64_t now_us)
{
	const struct status *status = &statuses[err->kind];
	struct strbuf body = STRBUF_INIT;
	char time[CLOCK_TEXT_BYTES];

	if (!is_harmless(request_id))
		request_id = STR("");
	strbuf_puts(&body, "{\"detail\":");
	strbuf_json(&body, str_of(err->text));
	strbuf_printf(&body,
		",\"status_code\":%d,\"timestamp\":\"%s\",\"code\":\"%s\",\"request_id\":\"",
		status->number, clock_utc(now_us, time),
		err->code ? err->code : err_kind_name(err->kind));
	strbuf_str(&body, request_id);
	strbuf_puts(&body, "\"}");

	strbuf_printf(sb,
		"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\nX-Request-Id: ",
		status->number, status->text, body.n);
	strbuf_str(sb, request_id);
	strbuf_puts(sb, "\r\n");
	if (err->kind == ERR_AUTH)
		strbuf_puts(sb, "WWW-Authenticate: Bearer realm=\"ccs\", ApiKey realm=\"ccs\"\r\n");
	if (err->kind == ERR_BUSY || err->kind == ERR_LIMIT)
		strbuf_printf(sb, "Retry-After: %d\r\n", RETRY_S);
	strbuf_puts(sb, "\r\n");
	strbuf_str(sb, strbuf_view(&body));
	strbuf_free(&body);
}

void refuse(struct lws *wsi, struct str request_id, const struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	(void)strbuf_room(&text, LWS_PRE);
	text.n = LWS_PRE;
	refuse_text(&text, request_id, err, clock_wall_us());
	/* A client that is gone needs no answer. */
	(void)lws_write(wsi, (uint8_t *)text.p + LWS_PRE, text.n - LWS_PRE, LWS_WRITE_HTTP_FINAL);
	strbuf_free(&text);
}
