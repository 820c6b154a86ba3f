/* GET /monitoring/activecalls: the caller's calls that are on a line now, straight from the
 * segment. */
#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "fcgi/auth.h"
#include "fcgi/live.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "shm/view.h"

#include "common/base.h"

/* What a client is told about a call's state: NULL for calls that are not yet, or no longer, on a
 * line. */
static const char *const shown_states[CALL_STATE__N] = {
	[CALL_SENT] = "dialing",
	[CALL_DIALING] = "dialing",
	[CALL_RINGING] = "ringing",
	[CALL_UP] = "answered",
};

static int64_t state_since(const struct shm_call_view *view)
{
	if (view->state == CALL_UP)
		return view->call.answered_us;
	return view->state == CALL_RINGING ? view->call.ringing_us : view->call.sent_us;
}

static void put_call(struct strbuf *sb, const struct shm_call_view *view,
	const struct shm_server *server, int64_t now_us)
{
	char call_id[32];
	(void)snprintf(
		call_id, sizeof(call_id), "ccs-%014" PRIx64 "%02" PRIx32, view->entry_id, view->n);

	put_object(sb, NULL);
	put_text(sb, "call_id", str_of(call_id));
	if (view->call.batch_id)
		put_u64(sb, "batch_id", view->call.batch_id);
	else
		put_null(sb, "batch_id");
	put_u64(sb, "attempt", view->n);
	put_text(sb, "phone_number", str_of(view->call.phone_number));
	put_text(sb, "server_code", str_of(server->id ? server->server_code : NULL));
	put_text(sb, "did", str_of(view->call.did));
	put_text(sb, "state", str_of(shown_states[view->state]));
	put_time_ms(sb, "since", state_since(view));
	put_time_ms(sb, "started_at", view->call.sent_us);
	put_time_ms(sb, "answered_at", view->call.answered_us);
	put_tenth(sb, "duration", (double)MAX(now_us - view->call.sent_us, 0) / US_PER_S);
	put_end(sb, '}');
}

bool handle_active_calls(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct view view = view_of(app->segment, req->client->id);
	struct shm_call_view call;
	struct shm_server server = {.id = 0};
	struct strbuf *sb = &reply->body;
	uint64_t n = 0;

	if (!own_accountcode(req, req_query(req, "accountcode"), err) || !live_needed(app, err))
		return false;
	put_object(sb, NULL);
	put_text(sb, "accountcode", str_of(req->client->accountcode));
	put_time_ms(sb, "as_of", req->now_us);
	put_array(sb, "calls");
	for (uint32_t at = 0; view_next_call(&view, &at, &call);) {
		if (call.state >= CALL_STATE__N || !shown_states[call.state])
			continue;
		if (server.id != call.server_id &&
			!dir_server(app->segment, call.server_id, &server))
			server = (struct shm_server){.id = 0};
		put_call(sb, &call, &server, req->now_us);
		n++;
	}
	put_end(sb, ']');
	put_u64(sb, "active_calls", n);
	put_end(sb, '}');
	return true;
}
