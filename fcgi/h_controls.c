/* POST /controls/dispatch-calls and /controls/setup-channels: what a client tells the dispatcher.
 * Both may be repeated without harm. */
#include <time.h>

#include "common/clock.h"
#include "fcgi/announce.h"
#include "fcgi/auth.h"
#include "fcgi/permit.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "fcgi/servers.h"
#include "registry/setup.h"
#include "shm/explain.h"
#include "shm/view.h"
#include "sql/db.h"

#include "common/base.h"

/* The accountcode may come by query, by body, or not at all; if it comes twice, both must agree. */
static bool check_accountcode(const struct req *req, struct err *err)
{
	static const struct field fields[] = {
		{.name = "accountcode",
			.type = FIELD_TEXT,
			.min = 1,
			.max = 40,
			.chars = "_.-",
			.help = "your account code"},
	};
	struct str asked = req_query(req, "accountcode"), sent;

	if (!req_fields(req, fields, ARRAY_LEN(fields), &sent, err))
		return false;
	if (asked.p && sent.p && !str_eq(asked, sent))
		return fail(err, ERR_INPUT,
			"the query and the body name different accountcodes; send one");
	return own_accountcode(req, asked.p ? asked : sent, err);
}

/* Runs a statement that takes the client's id, and answers one row. */
static bool run(struct app *app, enum sql_query query, struct rows *rows, struct err *err)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_i64(&args, (int64_t)app->client.id);
	bool ok = db_query_as(app->db, app->client.id, query, &args, rows, err);
	args_free(&args);
	return ok;
}

/* ---- dispatch ---- */

struct dispatched {
	uint64_t control_id; /* 0: there was nothing to release */
	uint64_t released, unfinished, paused, active;
	const char *blocked; /* name of a gate, or NULL */
};

/* What keeps all calls of the client from starting now. */
static const char *blocking_gate(const struct app *app, const struct req *req)
{
	struct view view = view_of(app->segment, app->client.id);
	struct explained verdict;
	struct explain ex;

	if (!app->live || !explain_begin(&ex, &view, req->now_us, NULL))
		return gate_texts[GATE_server_down].name;
	return explain_verdict(&ex, &verdict) ? gate_texts[verdict.gate].name : NULL;
}

static uint64_t live_calls(const struct app *app)
{
	struct view view = view_of(app->segment, app->client.id);
	struct client_facts facts;
	return app->live && view_client(&view, &facts) ? facts.usage.channels : 0;
}

static bool dispatch(
	struct app *app, const struct req *req, struct dispatched *done, struct err *err)
{
	struct rows rows = ROWS_INIT;
	if (!run(app, SQL_DISPATCH_CALLS, &rows, err))
		return false;
	*done = (struct dispatched){.control_id = (uint64_t)row_i64(&rows, 0, 0),
		.released = (uint64_t)row_i64(&rows, 0, 1),
		.unfinished = (uint64_t)row_i64(&rows, 0, 2) + (uint64_t)row_i64(&rows, 0, 1),
		.paused = (uint64_t)row_i64(&rows, 0, 3),
		.active = live_calls(app)};
	rows_free(&rows);
	if (done->unfinished > done->active + done->paused)
		done->blocked = blocking_gate(app, req);
	else if (done->paused)
		done->blocked = gate_texts[GATE_paused].name;
	return true;
}

bool handle_dispatch_calls(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct strbuf *sb = &reply->body;
	struct dispatched done;

	if (!check_accountcode(req, err) || !dispatch(app, req, &done, err))
		return false;
	if (done.control_id)
		announce_control(app, done.control_id);
	put_object(sb, NULL);
	put_text(sb, "message", STR("Dispatch started"));
	put_text(sb, "status", STR("success"));
	put_text(sb, "accountcode", str_of(app->client.accountcode));
	put_u64(sb, "dispatched", done.released);
	put_u64(sb, "pending", done.unfinished - MIN(done.active, done.unfinished));
	put_u64(sb, "active", done.active);
	put_text(sb, "blocked_reason", str_of(done.blocked));
	put_end(sb, '}');
	return true;
}

/* ---- channels ---- */

/* The dispatcher reads a change within one of its turns. */
static const int64_t TAKEN_IN_US = US_PER_S;
static const struct timespec LOOK_AGAIN = {.tv_nsec = 5000000};

/* It has a row of the client that is not older than the change. Nobody waits for a dispatcher that is not there, nor for one that
 * cannot know yet, because this request commits later. */
static bool is_in_force(const struct app *app)
{
	int64_t began_us = clock_mono_us();
	struct shm_client row;

	while (app->live && !app->later && clock_mono_us() - began_us < TAKEN_IN_US) {
		if (dir_client(app->segment, app->client.id, &row) &&
			dir_current(app->segment, &row))
			return true;
		(void)nanosleep(&LOOK_AGAIN, NULL);
	}
	return false;
}

static uint64_t effective_channels(const struct setup *setup)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < setup->n; i++)
		if (setup->shares[i].takes_calls)
			sum += MIN(setup->shares[i].channels, setup->shares[i].server_channels);
	return MIN(sum, setup->allocated_channels);
}

static void put_shares(struct strbuf *sb, const struct setup *setup)
{
	put_array(sb, "shares");
	for (size_t i = 0; i < setup->n; i++) {
		const struct setup_share *share = &setup->shares[i];
		put_object(sb, NULL);
		put_text(sb, "server_code", str_of(share->server_code));
		put_u64(sb, "channels", share->channels);
		put_u64(sb, "rate_limit", share->rate);
		put_bool(sb, "automatic", share->automatic);
		put_u64(sb, "live", share->live);
		put_u64(sb, "draining", share->live - MIN(share->live, share->channels));
		put_text(sb, "reason", str_of(setup_why_name(share->why)));
		put_text(sb, "explanation", str_of(setup_why_sentence(share->why)));
		put_end(sb, '}');
	}
	put_end(sb, ']');
}

static bool put_setup(struct app *app, struct req *req, const struct setup *setup, bool dry_run,
	struct strbuf *sb, struct err *err)
{
	put_object(sb, NULL);
	put_text(sb, "message", dry_run ? STR("Nothing was changed") : STR("Channels set up"));
	put_text(sb, "status", STR("success"));
	put_text(sb, "accountcode", str_of(app->client.accountcode));
	put_u64(sb, "allocated_channels", setup->allocated_channels);
	put_u64(sb, "effective_channels", effective_channels(setup));
	if (!put_allocated_servers(app, req, sb, err))
		return false;
	put_u64(sb, "rate_limit", setup->rate_limit);
	put_shares(sb, setup);
	put_bool(sb, "in_force", !dry_run && is_in_force(app));
	put_end(sb, '}');
	return true;
}

bool handle_setup_channels(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	char actor[ACTOR_BYTES];
	bool dry_run = false;
	struct setup setup;

	if (!check_accountcode(req, err) || !req_query_bool(req, "dry_run", &dry_run, err))
		return false;
	bool ok = setup_channels(app->db, app->live ? app->segment : NULL, actor_of(req, actor),
		app->client.id, dry_run, &setup, err);
	if (ok && !dry_run) {
		app_client_changed(app, app->client.id);
		announce_control(app, setup.control_id);
	}
	req->source = AUTH_SQL; /* answer what is stored, which the directory may not know yet */
	ok = ok && put_setup(app, req, &setup, dry_run, &reply->body, err);
	setup_end(&setup);
	return ok;
}
