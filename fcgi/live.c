/* What the segment says of one client's entries: see live.h. */
#include <stdlib.h>

#include "fcgi/live.h"
#include "shm/view.h"

#include "common/base.h"

/* A call whose outcome is being stored is shown as it was last. */
static enum state state_of(const struct shm_call_view *view)
{
	switch ((enum shm_call_state)view->state) {
	case CALL_SENT:
	case CALL_DIALING:
		return STATE_dialing;
	case CALL_RINGING:
		return STATE_ringing;
	case CALL_UP:
		return STATE_answered;
	case CALL_ENDED:
		if (view->n == 0)
			break; /* never dialled */
		if (view->call.answered_us)
			return STATE_answered;
		return view->call.ringing_us ? STATE_ringing : STATE_dialing;
	case CALL_FREE:
	case CALL_PLANNED:
	case CALL_ARMED:
	case CALL_STATE__N:
		break;
	}
	return STATE_queued;
}

static void fill(struct live_call *out, const struct shm_call_view *view)
{
	*out = (struct live_call){.entry_id = view->entry_id,
		.queue_master_id = view->call.queue_master_id,
		.server_id = view->server_id,
		.n = view->n,
		.state = state_of(view),
		.sent_us = view->call.sent_us,
		.answered_us = view->call.answered_us};
	_Static_assert(sizeof(out->did) == sizeof(view->call.did), "the same text");
	memcpy(out->did, view->call.did, sizeof(out->did) - 1);
}

static int by_entry(const void *a, const void *b)
{
	const struct live_call *x = a, *y = b;
	return (x->entry_id > y->entry_id) - (x->entry_id < y->entry_id);
}

bool live_load(struct app *app, uint64_t client_id, struct live *live, struct err *err)
{
	struct view view = view_of(app->segment, client_id);
	struct shm_call_view call;
	struct live_call *v = NULL;
	size_t n = 0, cap = 0;

	for (uint32_t at = 0; view_next_call(&view, &at, &call);) {
		if (n == cap) {
			cap = MAX(cap * 2, (size_t)64);
			struct live_call *more = arena_alloc(app->arena, cap * sizeof(*more));
			if (!more)
				return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
			if (n)
				memcpy(more, v, n * sizeof(*more));
			v = more;
		}
		fill(&v[n++], &call);
	}
	if (n)
		qsort(v, n, sizeof(*v), by_entry);
	*live = (struct live){v, n, seg_call_heads(app->segment, NULL) != NULL};
	return true;
}

bool live_needed(const struct app *app, struct err *err)
{
	if (app->live)
		return true;
	fail(err, ERR_BUSY,
		"live calls cannot be told at the moment: the dispatcher is starting or away");
	err->retry_after_s = 2;
	return false;
}

const struct live_call *live_find(const struct live *live, uint64_t entry_id)
{
	struct live_call key = {.entry_id = entry_id};
	return live->n ? bsearch(&key, live->v, live->n, sizeof(*live->v), by_entry) : NULL;
}

static int by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* What is not in memory yet waits for what the client waits for. */
void live_gates(
	struct app *app, uint64_t client_id, const uint64_t *ids, enum gate *gates, size_t n)
{
	struct view view = view_of(app->segment, client_id);
	struct client_facts facts;
	struct shm_window waiting;
	uint32_t gate = GATE_NONE;

	if (app->live && view_client(&view, &facts))
		gate = facts.usage.gate;
	for (size_t i = 0; i < n; i++)
		gates[i] = gate < GATE__N ? (enum gate)gate : GATE_NONE;
	for (uint32_t at = 0; app->live && n && view_next_waiting(&view, &at, &waiting);) {
		const uint64_t *id = bsearch(&waiting.entry_id, ids, n, sizeof(*ids), by_id);
		if (id && waiting.gate != GATE_NONE && waiting.gate < GATE__N)
			gates[id - ids] = (enum gate)waiting.gate;
	}
}
