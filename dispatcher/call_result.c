/* Results of calls: see call_result.h. */
#include "dispatcher/call_result.h"

#include <stdio.h>

#include "common/log.h"
#include "dispatcher/call.h"
#include "dispatcher/slot.h"
#include "shm/counters.h"
#include "shm/result.h"

#include "common/base.h"

enum { SHOWN_BYTES = 80 };

/* The beginning of a text, as a log shows it. */
static const char *shown(struct str text)
{
	char begin[SHOWN_BYTES + 1];
	(void)snprintf(begin, sizeof(begin), "%.*s", (int)MIN(text.n, (size_t)SHOWN_BYTES), text.p);
	return log_q(begin);
}

/* Values are not logged: what somebody has keyed in is his. */
static void refuse(struct server *server, struct str call_id, struct str name, const char *why)
{
	counter_add(server->d->seg, COUNTER_results_refused, 1);
	log_warn("call.result_refused", "server=%s call=%s name=%s why=%s",
		server->facts.server_code, shown(call_id), shown(name), log_q(why));
}

/* A call that has ended has its last event on the way: after a respawn what was said before its end is read again, and known. */
static bool is_known(const struct dispatcher *d, const struct slot *slot, struct user_event event)
{
	struct str log = result_log(d->seg, slot->index), name, value, holds;

	while (user_event_next(&event, &name, &value))
		if (!result_find(log, name, &holds) || !str_eq(holds, value))
			return false;
	return true;
}

void call_result_take(struct server *server, struct user_event *event)
{
	struct dispatcher *d = server->d;
	struct slot *slot = slot_of_call(server, event->call_id);
	struct str name, value;

	if (!slot || slot_state(slot) < CALL_SENT) {
		refuse(server, event->call_id, STR("-"), "no live call of this server");
		return;
	}
	if (slot_state(slot) == CALL_ENDED) {
		if (!is_known(d, slot, *event))
			refuse(server, event->call_id, STR("-"), "the call is over");
		return;
	}
	while (user_event_next(event, &name, &value)) {
		enum result_verdict verdict = result_add(d->seg, slot->index, name, value);
		if (verdict == RESULT_TAKEN)
			counter_add(d->seg, COUNTER_results, 1);
		else if (verdict != RESULT_KNOWN)
			refuse(server, event->call_id, name, result_verdict_words(verdict));
	}
}

void call_result_json(const struct dispatcher *d, const struct slot *slot, struct strbuf *out)
{
	struct str log = result_log(d->seg, slot->index);

	if (log.n)
		result_json(log, out);
	else
		strbuf_puts(out, "null");
}

const char *call_answered_by(const struct dispatcher *d, const struct slot *slot)
{
	struct str status;

	if (!result_find(result_log(d->seg, slot->index), STR("amd_status"), &status))
		return NULL;
	if (str_eq(status, STR("MACHINE")))
		return "machine";
	return str_eq(status, STR("HUMAN")) ? "human" : "unknown";
}
