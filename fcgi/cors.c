/* Pages of other origins: see cors.h. nginx says the same about its own errors: nginx/ccs.conf.in. */
#include "fcgi/cors.h"
#include "fcgi/put.h"

#include "common/base.h"

#define TAKEN_HEADERS                                                                              \
	"X-API-KEY, Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id"
#define SHOWN_HEADERS                                                                              \
	"X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Request-Id, " \
	"Idempotent-Replayed, ETag"

enum { PREFLIGHT_S = 600 }; /* so long a browser need not ask again */

/* As the configuration writes it, or p NULL. */
static struct str allowed_origin(const struct app *app, const struct req *req)
{
	struct str one, list = str_of(app->conf->api_allowed_origins),
			origin = req_header(req, "HTTP_ORIGIN");
	while (origin.n && str_split(&list, ' ', &one))
		if (str_eq(one, origin))
			return one;
	return (struct str){NULL, 0};
}

void cors_add(const struct app *app, const struct req *req, struct reply *reply)
{
	if (!app->conf->api_allowed_origins[0])
		return;
	struct str origin = allowed_origin(app, req);
	reply_header(reply, "Vary", "Origin");
	if (!origin.p)
		return;
	reply_header(reply, "Access-Control-Allow-Origin", "%.*s", (int)origin.n, origin.p);
	reply_header(reply, "Access-Control-Expose-Headers", SHOWN_HEADERS);
}

void cors_options(
	const struct app *app, const struct req *req, const char *allow, struct reply *reply)
{
	struct strbuf *sb = &reply->body;
	struct str rest = str_of(allow), method;

	put_object(sb, NULL);
	put_array(sb, "allow");
	while (str_split(&rest, ',', &method))
		put_text(sb, NULL, str_trim(method));
	put_end(sb, ']');
	put_end(sb, '}');
	if (!allowed_origin(app, req).p || !req_header(req, "HTTP_ACCESS_CONTROL_REQUEST_METHOD").p)
		return;
	reply_header(reply, "Access-Control-Allow-Methods", "%s", allow);
	reply_header(reply, "Access-Control-Allow-Headers", TAKEN_HEADERS);
	reply_header(reply, "Access-Control-Max-Age", "%d", PREFLIGHT_S);
}
