/* A worker's surroundings: see app.h. */
#include <malloc.h>

#include "common/clock.h"
#include "common/log.h"
#include "fcgi/app.h"
#include "fcgi/gather.h"
#include "registry/password.h"
#include "shm/bell.h"
#include "shm/segment.h"
#include "shm/submit.h"
#include "shm/tenant.h"
#include "sql/db.h"

#include "common/base.h"

enum { SLOT_PAUSE_S = 1 };

/* The segment's parts come and go with the dispatcher: what is missing now is tried again for each
 * request, at most once a second. */
static void attach(struct app *app)
{
	struct err err;
	if (!segment_open_in(app->segment, app->conf, &err))
		log_warn("api.no_segment", "object=in why=%s", log_q(err.text));
	if (!segment_attach_state(app->segment, &err))
		log_debug("api.no_segment", "object=state why=%s", log_q(err.text));
	if (app->pool == POOL_FAST && !segment_attach_events(app->segment, &err))
		log_debug("api.no_segment", "object=ev why=%s", log_q(err.text));
}

/* A slot is where ccsctl sees us and from where work is announced. It can be lacking while more workers roll than
 * segment.worker_slots has room for; work then waits for the dispatcher's sweep. */
static void take_slot(struct app *app)
{
	struct err err;
	int64_t now = clock_mono_us();
	if (now < app->slot_next_us || worker_slot_take(app->segment, app->pool, &err))
		return;
	log_warn("api.no_slot", "why=%s do=%s", log_q(err.text),
		log_q("work of this worker waits for the dispatcher's sweep"));
	app->slot_next_us = now + SLOT_PAUSE_S * US_PER_S;
}

/* Without keys nobody can sign in, but API keys work: no reason not to start. */
static void load_ring(struct app *app)
{
	struct err err;
	if (!jwt_ring_load(&app->ring, app->conf->common_jwt_key_file, &err))
		log_warn("jwt.no_keys", "why=%s", log_q(err.text));
}

/* The memory of a usual batch stays with the worker from request to request: pages that the kernel takes back are cleared
 * anew, one fault each. That of a large one goes. (glibc would raise both limits by itself, to 64 MiB.) */
static void keep_some_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

static const char *dsn_of(const struct conf *conf, enum pool pool)
{
	switch (pool) {
	case POOL_LOGIN:
		return conf->database_login_dsn;
	case POOL_ADMIN:
		return conf->database_admin_dsn;
	case POOL_FAST:
	case POOL_SQL:
	case POOL_CALL:
	case POOL__N:
		break;
	}
	return conf->database_api_dsn;
}

bool app_open(struct app *app, const struct conf *conf, enum pool pool, struct err *err)
{
	*app = (struct app){.pool = pool, .conf = conf};
	keep_some_memory();
	app->segment = &app->own_segment;
	if (!segment_init(app->segment, conf->common_node, err))
		return false;
	attach(app);
	load_ring(app);
	app->arena = arena_new((size_t)conf->api_request_memory_bytes);
	arena_serve_jansson(app->arena);
	take_slot(app);
	if (pool == POOL_FAST)
		return true;
	if (!bell_open(&app->own_bell, conf->common_run_dir, err))
		return false;
	app->bell = &app->own_bell;
	if (pool == POOL_CALL)
		app->gather = gather_new();
	app->db = db_new(dsn_of(conf, pool), "ccs-api", conf->database_statement_timeout_ms);
	if (pool == POOL_CALL)
		db_plan_once(app->db);
	if (pool == POOL_LOGIN)
		(void)password_of_nobody(); /* not at the first unknown name, who would wait longer */
	return true;
}

void app_close(struct app *app)
{
	worker_slot_release(app->segment);
	if (app->bell)
		bell_close(app->bell);
	db_free(app->db);
	gather_free(app->gather);
	arena_free(app->arena);
	jwt_ring_wipe(&app->ring);
	segment_close(app->segment);
}

void app_turn(struct app *app)
{
	(void)segment_check(app->segment);
	if (!worker_slot_held(app->segment))
		take_slot(app);
	app->live = segment_fresh(app->segment, clock_mono_us());
	if (!app->gather || app->gather->n == 0)
		arena_reset(app->arena);
	worker_count_request(app->segment);
}

/* ---- what follows a commit ---- */

/* In the order in which it was said; in the arena. Where that is full, a hint is lost, which the
 * dispatcher's sweep makes up for. */
struct told {
	struct shm_submit work;
	struct told *next;
};

struct later {
	struct told *first, **end;
	uint64_t changed_client; /* 0: none */
};

static void keep_for_later(struct app *app, const struct shm_submit *work)
{
	struct told *told = arena_alloc(app->arena, sizeof(*told));
	if (!told)
		return;
	*told = (struct told){.work = *work};
	*app->later->end = told;
	app->later->end = &told->next;
}

void app_announce(struct app *app, const struct shm_submit *work)
{
	if (app->later)
		keep_for_later(app, work);
	else
		(void)submit_send(app->segment, app->bell, work);
}

void app_client_changed(struct app *app, uint64_t client_id)
{
	if (app->later)
		app->later->changed_client = client_id;
	else
		(void)tenant_changed(app->segment, client_id);
}

void app_hold(struct app *app)
{
	static struct later later;
	later = (struct later){.end = &later.first};
	app->later = &later;
}

void app_release(struct app *app, bool tell)
{
	const struct later *later = app->later;
	app->later = NULL;
	if (!tell)
		return;
	if (later->changed_client)
		app_client_changed(app, later->changed_client);
	for (const struct told *told = later->first; told; told = told->next)
		app_announce(app, &told->work);
}
