/* The request limit: see limit.h. */
#include <inttypes.h>

#include "common/clock.h"
#include "fcgi/limit.h"
#include "shm/tenant.h"

#include "common/base.h"

enum { WINDOW_S = 60 };

bool limit_take(struct app *app, const struct req *req, struct reply *reply, struct err *err)
{
	uint32_t limit = req->client->requests_per_minute;
	if (limit == 0)
		limit = (uint32_t)app->conf->api_requests_per_minute;

	uint32_t remaining = limit, reset_s = WINDOW_S;
	struct shm_tenant *words = tenant_find(app->segment, req->client->id, true);
	bool taken = !words || tenant_request(words, req->now_us, limit, &remaining, &reset_s);

	reply_header(reply, "X-RateLimit-Limit", "%" PRIu32, limit);
	reply_header(reply, "X-RateLimit-Remaining", "%" PRIu32, remaining);
	reply_header(reply, "X-RateLimit-Reset", "%" PRId64, req->now_us / US_PER_S + reset_s);
	if (taken)
		return true;
	fail(err, ERR_LIMIT,
		"your limit is %" PRIu32 " requests a minute; try again in %" PRIu32 " s", limit,
		reset_s);
	err->retry_after_s = MAX(reset_s, 1U);
	return false;
}
