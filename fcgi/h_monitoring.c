/* GET /monitoring/health and status: what anybody may know. */
#include "common/clock.h"
#include "fcgi/put.h"
#include "fcgi/router.h"

#include "common/base.h"

/* The dispatcher asks PostgreSQL something at least once a sweep; so long without an answer is
 * more than one lost turn. */
enum { DATABASE_SILENT_SWEEPS = 10, DATABASE_SILENT_MIN_MS = 10000 };

enum check { CHECK_SEGMENT, CHECK_DISPATCHER, CHECK_DATABASE, CHECK__N };

static const char *const check_names[CHECK__N] = {"segment", "dispatcher", "database"};

static bool database_answers(const struct app *app, const struct shm_status *status)
{
	int64_t silent_ms = MAX(app->conf->dispatcher_sweep_ms * DATABASE_SILENT_SWEEPS,
		(int64_t)DATABASE_SILENT_MIN_MS);
	int64_t last = atomic_load_explicit(&status->database_ok_mono_us, memory_order_relaxed);
	return clock_mono_us() - last < silent_ms * US_PER_MS;
}

/* What the dispatcher knows: no query of ours, so that a probe every second costs nothing. */
bool handle_health(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	const struct shm_status *status = seg_status(app->segment, NULL);
	bool ok[CHECK__N] = {
		[CHECK_SEGMENT] = status != NULL,
		[CHECK_DISPATCHER] = app->live,
		[CHECK_DATABASE] = status && database_answers(app, status),
	};
	bool healthy = ok[CHECK_SEGMENT] && ok[CHECK_DISPATCHER] && ok[CHECK_DATABASE];
	struct strbuf *sb = &reply->body;
	(void)err;

	put_object(sb, NULL);
	put_text(sb, "status", healthy ? STR("healthy") : STR("unhealthy"));
	if (!healthy) {
		put_object(sb, "checks");
		for (enum check c = 0; c < CHECK__N; c++)
			put_text(sb, check_names[c], ok[c] ? STR("ok") : STR("failing"));
		put_end(sb, '}');
		reply_header(reply, "Retry-After", "%d", 1);
		reply_problem(
			reply, req, 503, "unhealthy", "the system does not dial at the moment");
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
