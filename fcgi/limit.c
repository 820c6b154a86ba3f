/* Request limits: see limit.h. */
#include <inttypes.h>

#include "common/clock.h"
#include "fcgi/limit.h"
#include "fcgi/router.h"
#include "shm/minute.h"
#include "shm/tenant.h"

#include "common/base.h"

/* One limit that weighs on a request, and how it stands. */
struct level {
	const struct level_kind {
		const char *code, *whose, *of_what; /* of the refusal */
	} *kind;
	_Atomic uint64_t *word;
	_Atomic uint64_t alone; /* the word when there is no segment: never full */
	struct minute at;
};

/* The client's own first: of two that are equally tight it is the one to be told. */
enum { LEVEL_CLIENT, LEVEL_ENDPOINT, LEVEL_SYSTEM, LEVELS_MAX };

struct levels {
	struct level v[LEVELS_MAX];
	size_t n;
};

static void add(
	struct levels *levels, const struct level_kind *kind, _Atomic uint64_t *word, int64_t limit)
{
	struct level *level = &levels->v[levels->n];
	if (limit == 0)
		return;
	level->kind = kind;
	level->word = word ? word : &level->alone;
	level->alone = 0;
	level->at = (struct minute){.limit = (uint32_t)limit};
	levels->n++;
}

static void gather(struct levels *levels, const struct app *app, const struct req *req)
{
	static const struct level_kind kinds[] = {
		[MINUTE_REQUESTS] = {"too_many_requests", "your limit is", "requests"},
		[MINUTE_INSERTS] = {"too_many_inserts", "your limit is", "inserts"},
		[MINUTE_EXPORTS] = {"too_many_exports", "your limit is", "exports"},
	};
	static const struct level_kind system = {
		"system_limit", "the limit of all clients together is", "requests"};
	const struct conf *conf = app->conf;
	const int64_t of_class[SHM_MINUTES] = {
		[MINUTE_INSERTS] = conf->api_inserts_per_minute,
		[MINUTE_EXPORTS] = conf->api_exports_per_minute,
	};
	struct shm_tenant *words = tenant_find(app->segment, req->client->id, true);
	struct shm_shared *shared = seg_shared(app->segment, NULL);
	int64_t own = req->client->requests_per_minute;
	enum shm_minute class = route_class(req->route);

	levels->n = 0;
	add(levels, &kinds[MINUTE_REQUESTS], words ? &words->minutes[MINUTE_REQUESTS] : NULL,
		own ? own : conf->api_requests_per_minute);
	add(levels, &kinds[class], words ? &words->minutes[class] : NULL, of_class[class]);
	add(levels, &system, shared ? &shared->requests : NULL,
		conf->api_total_requests_per_minute);
}

/* Takes from all, or from none; the one that said no, or NULL. */
static const struct level *take(struct levels *levels, int64_t now_us)
{
	for (size_t i = 0; i < levels->n; i++) {
		struct level *level = &levels->v[i];
		if (minute_take(level->word, level->at.limit, now_us, &level->at))
			continue;
		while (i-- > 0)
			minute_give_back(levels->v[i].word, &levels->v[i].at);
		return level;
	}
	return NULL;
}

static const struct level *tightest(const struct levels *levels)
{
	const struct level *found = &levels->v[0];
	for (size_t i = 1; i < levels->n; i++)
		if (levels->v[i].at.remaining < found->at.remaining)
			found = &levels->v[i];
	return found;
}

static bool refused(const struct level *by, int64_t now_us, struct err *err)
{
	uint32_t wait_s = (uint32_t)((by->at.ends_us - now_us + US_PER_S - 1) / US_PER_S);

	fail_code(err, ERR_LIMIT, by->kind->code,
		"%s %" PRIu32 " %s a minute; try again in %" PRIu32 " s", by->kind->whose,
		by->at.limit, by->kind->of_what, wait_s);
	err->retry_after_s = MAX(wait_s, 1U);
	return false;
}

static void tell(const struct minute *at, struct reply *reply)
{
	reply_header(reply, "X-RateLimit-Limit", "%" PRIu32, at->limit);
	reply_header(reply, "X-RateLimit-Remaining", "%" PRIu32, at->remaining);
	reply_header(reply, "X-RateLimit-Reset", "%" PRId64, at->ends_us / US_PER_S);
}

void limit_tell(struct app *app, const struct req *req, struct reply *reply)
{
	struct levels levels;

	if (!req->client)
		return;
	gather(&levels, app, req);
	for (size_t i = 0; i < levels.n; i++) {
		struct level *level = &levels.v[i];
		level->at = minute_look(level->word, level->at.limit, req->now_us);
	}
	tell(&tightest(&levels)->at, reply);
}

bool limit_take(struct app *app, const struct req *req, struct reply *reply, struct err *err)
{
	struct levels levels;

	if (!req->client)
		return true;
	gather(&levels, app, req);
	const struct level *refusing = take(&levels, req->now_us);
	const struct level *told = refusing ? refusing : tightest(&levels);
	tell(&told->at, reply);
	return !refusing || refused(refusing, req->now_us, err);
}
