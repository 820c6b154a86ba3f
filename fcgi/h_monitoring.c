/* GET /monitoring/health and status: what anybody may know. */
#include "common/clock.h"
#include "fcgi/put.h"
#include "fcgi/router.h"

#include "common/base.h"

/* The dispatcher asks PostgreSQL something every second; a connection that was lost comes back sooner. */
static const int64_t DATABASE_SILENT_US = 5 * US_PER_S;

enum check { CHECK_SEGMENT, CHECK_DISPATCHER, CHECK_DATABASE, CHECK__N };
enum verdict { VERDICT_OK, VERDICT_FAILING, VERDICT_UNKNOWN };

static const struct {
	const char *name;
	const char *failing; /* for people */
} checks[CHECK__N] = {
	[CHECK_SEGMENT] = {"segment", "there is no shared memory: the dispatcher has not started"},
	[CHECK_DISPATCHER] = {"dispatcher", "the dispatcher gives no sign of life"},
	[CHECK_DATABASE] = {"database", "PostgreSQL does not answer"},
};
static const char *const verdicts[] = {
	[VERDICT_OK] = "ok", [VERDICT_FAILING] = "failing", [VERDICT_UNKNOWN] = "unknown"};

static bool database_answers(const struct shm_status *status)
{
	int64_t last = atomic_load_explicit(&status->database_ok_mono_us, memory_order_relaxed);
	return clock_mono_us() - last < DATABASE_SILENT_US;
}

/* What the dispatcher knows: no query of ours, so that a probe every second costs nothing. Of what stands
 * behind a part that fails nobody knows. */
static enum check look(const struct app *app, enum verdict verdict[CHECK__N])
{
	const struct shm_status *status = seg_status(app->segment, NULL);
	bool ok[CHECK__N] = {
		[CHECK_SEGMENT] = status != NULL,
		[CHECK_DISPATCHER] = app->live,
		[CHECK_DATABASE] = status && database_answers(status),
	};
	enum check first = CHECK__N;

	for (enum check c = 0; c < CHECK__N; c++) {
		verdict[c] = ok[c] ? VERDICT_OK : VERDICT_FAILING;
		if (first < CHECK__N)
			verdict[c] = VERDICT_UNKNOWN;
		else if (!ok[c])
			first = c;
	}
	return first;
}

bool handle_health(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	enum verdict verdict[CHECK__N];
	enum check failing = look(app, verdict);
	struct strbuf *sb = &reply->body;
	(void)err;

	put_object(sb, NULL);
	put_text(sb, "status", failing == CHECK__N ? STR("healthy") : STR("unhealthy"));
	if (failing < CHECK__N) {
		put_object(sb, "checks");
		for (enum check c = 0; c < CHECK__N; c++)
			put_text(sb, checks[c].name, str_of(verdicts[verdict[c]]));
		put_end(sb, '}');
		reply_header(reply, "Retry-After", "%d", 1);
		reply_problem(reply, req, 503, "unhealthy", checks[failing].failing);
	}
	put_end(sb, '}');
	return true;
}

bool handle_status(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	(void)req;
	(void)err;
	put_object(&reply->body, NULL);
	put_text(&reply->body, "status", STR("running"));
	put_text(&reply->body, "version", STR(CCS_VERSION));
	put_text(&reply->body, "environment", str_of(app->conf->common_environment));
	put_end(&reply->body, '}');
	return true;
}
