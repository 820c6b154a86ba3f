/* GET /clients/me/limits: every limit that the caller may run into, how much of it is used, and when
 * there is more. What other clients do on a server is not theirs to know. */
#include "common/clock.h"
#include "fcgi/batch.h"
#include "fcgi/live.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "shm/minute.h"
#include "shm/tenant.h"
#include "shm/view.h"

#include "common/base.h"

/* resets_us 0 or RATE_NEVER: not by waiting. */
static void put_limit(
	struct strbuf *sb, const char *name, uint32_t allowed, uint32_t used, int64_t resets_us)
{
	put_object(sb, name);
	put_u64(sb, "allowed", allowed);
	put_u64(sb, "used", used);
	put_time_ms(sb, "resets_at", resets_us == RATE_NEVER ? 0 : resets_us);
	put_end(sb, '}');
}

/* When the next call may start, if not at once. */
static int64_t more_at(const struct rate *rate, int64_t tat_us, int64_t now_us)
{
	return rate_check(rate, tat_us, now_us) ? 0 : rate_next_us(rate, tat_us);
}

struct quota {
	uint32_t channels, per_hour, per_second; /* per_second 0: no such limit */
};

static void put_calls(
	struct strbuf *sb, const struct quota *quota, const struct usage *usage, int64_t now_us)
{
	struct rate hourly = rate_per_hour(quota->per_hour);
	struct rate pace = rate_per_second(quota->per_second);

	put_limit(sb, "channels", quota->channels, usage->channels, 0);
	put_limit(sb, "calls_per_hour", quota->per_hour, usage->started,
		more_at(&hourly, usage->rate_us, now_us));
	if (quota->per_second == 0) {
		put_null(sb, "calls_per_second");
		return;
	}
	put_object(sb, "calls_per_second");
	put_u64(sb, "allowed", quota->per_second);
	put_time_ms(sb, "resets_at", more_at(&pace, usage->pace_us, now_us));
	put_end(sb, '}');
}

/* limit 0: there is none. words NULL: nobody counts. */
static void put_minute(struct strbuf *sb, const char *name, const struct shm_tenant *words,
	enum shm_minute which, int64_t limit, int64_t now_us)
{
	struct minute at = {.limit = (uint32_t)limit, .remaining = (uint32_t)limit};

	if (limit == 0) {
		put_null(sb, name);
		return;
	}
	if (words)
		at = minute_look(&words->minutes[which], (uint32_t)limit, now_us);
	put_limit(sb, name, at.limit, at.limit - at.remaining, at.ends_us);
}

static void put_requests(struct app *app, const struct req *req, struct strbuf *sb)
{
	const struct shm_tenant *words = tenant_find(app->segment, req->client->id, false);
	int64_t own = req->client->requests_per_minute;

	put_minute(sb, "requests_per_minute", words, MINUTE_REQUESTS,
		own ? own : app->conf->api_requests_per_minute, req->now_us);
	put_minute(sb, "inserts_per_minute", words, MINUTE_INSERTS,
		app->conf->api_inserts_per_minute, req->now_us);
	put_minute(sb, "exports_per_minute", words, MINUTE_EXPORTS,
		app->conf->api_exports_per_minute, req->now_us);
}

/* Region 0 is that of numbers of which none is known: only "all" has it. */
static void put_regions(struct strbuf *sb, const struct shm_policy *policy)
{
	char text[REGION_TEXT_BYTES];

	put_array(sb, "allowed_regions");
	if (policy_allows_region(policy, 0)) {
		put_text(sb, NULL, STR("all"));
	} else {
		for (uint16_t code = 1; code < REGION_CODES; code++)
			if (policy_allows_region(policy, code))
				put_text(sb, NULL, str_of(region_text(code, text)));
	}
	put_end(sb, ']');
}

/* Which numbers may be called. Checked by syntax, any. */
static void put_numbers(struct app *app, const struct shm_client *client, struct strbuf *sb)
{
	struct number_rules rules = rules_of(app, client);

	put_object(sb, "numbers");
	put_text(sb, "region", str_of(client->region));
	put_text(sb, "check", str_of(rules.check == NUMBER_CHECK_FULL ? "full" : "syntax"));
	put_regions(sb, &client->policy);
	put_array(sb, "allowed_types");
	for (uint32_t type = NUMBER_TYPE_UNCHECKED + 1; type < NUMBER_TYPE__N; type++)
		if (policy_allows_type(&client->policy, type))
			put_text(sb, NULL, str_of(number_type_name(type)));
	put_end(sb, ']');
	put_end(sb, '}');
}

static void put_servers(const struct view *view, struct strbuf *sb, int64_t now_us)
{
	struct view_allocation row;

	put_object(sb, "servers");
	for (uint32_t at = 0; view_next_allocation(view, &at, &row);) {
		struct quota quota = {row.allocation.allowed_active_calls,
			row.allocation.rate_limit, row.allocation.calls_per_second};
		put_name(sb, str_of(row.server.server.server_code));
		put_object(sb, NULL);
		put_calls(sb, &quota, &row.usage, now_us);
		put_end(sb, '}');
	}
	put_end(sb, '}');
}

bool handle_client_limits(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct view view = view_of(app->segment, req->client->id);
	const struct shm_client *client = req->client;
	struct quota quota = {
		client->allocated_channels, client->rate_limit, client->calls_per_second};
	struct strbuf *sb = &reply->body;
	struct client_facts facts;

	if (!live_needed(app, err))
		return false;
	if (!dir_client_facts(app->segment, client->id, &facts))
		facts.usage = (struct usage){.channels = 0}; /* registered a moment ago */
	put_object(sb, NULL);
	put_time_ms(sb, "as_of", req->now_us);
	put_calls(sb, &quota, &facts.usage, req->now_us);
	put_requests(app, req, sb);
	put_numbers(app, client, sb);
	put_servers(&view, sb, req->now_us);
	put_end(sb, '}');
	return true;
}
