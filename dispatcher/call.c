/* The state machine of an attempt: call.def is the table, this is what its actions do. */
#include <string.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/ami_outcome.h"
#include "dispatcher/call.h"
#include "dispatcher/days.h"
#include "dispatcher/failover.h"
#include "dispatcher/health.h"
#include "dispatcher/journal.h"
#include "dispatcher/news.h"
#include "dispatcher/redial_rules.h"
#include "dispatcher/redials.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/work.h"
#include "shm/counters.h"
#include "shm/latency.h"

#include "common/base.h"

/* A change of the call's facts, seen whole by readers. */
static void store(struct dispatcher *d, struct slot *slot, const struct shm_call *facts)
{
	call_update(d->seg, slot->index, facts);
}

void call_see(struct dispatcher *d, struct slot *slot, uint32_t what)
{
	struct shm_call facts = *slot->call;
	facts.seen |= what;
	store(d, slot, &facts);
}

static int64_t us(int64_t seconds)
{
	return seconds * US_PER_S;
}

/* ---- actions ---- */

typedef void action_fn(struct dispatcher *d, struct slot *slot, const struct call_cause *cause);

static void enqueue(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	if (slot_is_ahead(slot)) /* stands in line since it was planned */
		return;
	if (slot->server) {
		DL_APPEND(slot->server->armed, slot);
		server_wants_flush(slot->server);
	}
	slot->deadline_us = d->now_us + us(NEVER_SENT_LIMIT_S);
}

static void enqueue_again(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	facts.sent_us = 0;
	store(d, slot, &facts);
	counter_add(d->seg, COUNTER_rearmed, 1);
	slot->server->armed_n++;
	slot->server->unanswered--;
	enqueue(d, slot, cause);
}

static void start_ringing_clock(
	struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	facts.sent_us = cause->at_us;
	store(d, slot, &facts);
	slot->deadline_us = d->now_us + us(d->conf->dispatcher_ring_seconds) + RESPONSE_GRACE_US;
}

static void announce_start(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	news_call(d, slot, EVENT_call_started, slot->call->sent_us, false);
}

static void note_ringing(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	facts.ringing_us = cause->at_us;
	store(d, slot, &facts);
	if (slot->server)
		health_through(slot->server, slot);
}

static void announce_answer(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	facts.answered_us = MAX(cause->at_us, facts.sent_us);
	store(d, slot, &facts);
	if (slot->server && !facts.ringing_us)
		health_through(slot->server, slot);
	slot->deadline_us =
		d->now_us + us(d->conf->dispatcher_max_call_seconds) + RESPONSE_GRACE_US;
	news_call(d, slot, EVENT_call_answered, facts.answered_us, false);
}

/* Too long in one state. A connected server is asked to hang up; one that is away is given until no call can live. */
static void press(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	int64_t last_us = slot->call->sent_us + us(d->conf->dispatcher_max_call_seconds) +
			  us(LOST_CALL_LIMIT_S);

	slot->deadline_us = d->now_us + RESPONSE_GRACE_US;
	if (!slot->server || !server_is_up(slot->server)) {
		slot->lost = d->now_us >= last_us;
	} else if (!slot->pressed) {
		server_hangup(slot->server, slot, CAUSE_NORMAL);
		slot->pressed = true;
	} else {
		slot->lost = true;
	}
}

static void end(struct dispatcher *d, struct slot *slot, struct shm_call *facts,
	enum disposition disposition, const char *reason, int64_t at_us)
{
	facts->disposition = disposition;
	facts->ended_us = MAX(at_us, MAX(facts->answered_us, facts->sent_us));
	redial_rules_judge(slot, facts);
	if (!str_copy(facts->reason, sizeof(facts->reason), str_of(reason)))
		die("call.reason", "text=%s why=\"outcome.def keeps reasons short\"",
			log_q(reason));
	store(d, slot, facts);
	enum shm_counter counter = disposition == DISPOSITION_COMPLETED	   ? COUNTER_completed
				   : disposition == DISPOSITION_UNKNOWN	   ? COUNTER_unknown
				   : disposition == DISPOSITION_SUPPRESSED ? COUNTER_suppressed
									   : COUNTER_not_answered;
	counter_add(d->seg, counter, 1);
	slot->deadline_us = INT64_MAX;
	if (slot->server && slot_state(slot) >= CALL_SENT && !(facts->seen & SEEN_RESPONSE))
		server_answered(slot->server); /* no Response will find the slot any more */
	grant_give(d, slot);
	news_call(d, slot,
		disposition == DISPOSITION_COMPLETED ? EVENT_call_ended : EVENT_call_failed,
		facts->ended_us, false);
	journal_finish(d->journal, slot);
}

/* What the end of a call that was not answered says about its server. That it rang has been said already. */
static void judge_server(
	const struct slot *slot, const struct ami_fate *fate, const struct ami_outcome *outcome)
{
	struct server *server = slot->server;
	struct str why = str_of(outcome->reason);

	if (!fate->channel_seen)
		health_fault(server, FAULT_NO_CHANNEL, why);
	else if (outcome->disposition == DISPOSITION_CONGESTION)
		health_congested(server, slot, why);
	else if (!slot->call->ringing_us && (outcome->disposition == DISPOSITION_BUSY ||
						    outcome->disposition == DISPOSITION_REJECTED ||
						    outcome->disposition == DISPOSITION_INVALID))
		health_through(server, slot);
}

static void may_fail_over(
	const struct dispatcher *d, const struct slot *slot, struct shm_call *facts, bool elsewhere)
{
	if (elsewhere && failover_possible(d, slot))
		facts->seen |= SEEN_NOT_FINAL;
}

static void finish(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	struct ami_fate fate = {
		.answered = facts.answered_us != 0,
		.originate_seen = facts.seen & SEEN_ORIGINATE,
		.reason = facts.originate_reason,
		.channel_seen = facts.seen & SEEN_CHANNEL,
		.hangup_seen = facts.seen & SEEN_HANGUP,
		.cause = facts.hangup_cause,
		.dialed = (enum ami_dial_status)facts.dial_status,
		.ring_expired = slot->pressed,
	};
	struct ami_outcome outcome = ami_outcome(&fate);
	bool called_off = (facts.seen & SEEN_CALLED_OFF) && !fate.answered;
	if (called_off)
		outcome = (struct ami_outcome){
			DISPOSITION_CANCELED, "called off before it was answered", false};
	else if (slot->server && !fate.answered)
		judge_server(slot, &fate, &outcome);
	may_fail_over(d, slot, &facts, outcome.elsewhere && !fate.answered && !facts.ringing_us);
	end(d, slot, &facts, outcome.disposition, outcome.reason,
		facts.ended_us ? facts.ended_us : cause->at_us);
}

static void finish_refused(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	struct ami_fate fate = {.refused = true, .refusal = cause->refusal};
	struct ami_outcome outcome = ami_outcome(&fate);
	counter_add(d->seg, COUNTER_refused, 1);
	log_warn("call.refused", "server=%s why=%.*s",
		slot->server ? slot->server->facts.server_code : "-",
		(int)MIN(cause->refusal.n, (size_t)80), cause->refusal.p);
	may_fail_over(d, slot, &facts, outcome.elsewhere);
	end(d, slot, &facts, outcome.disposition, outcome.reason, cause->at_us);
}

static void leave_armed(struct slot *slot)
{
	if (slot_is_ahead(slot)) {
		ahead_leave(slot);
		return;
	}
	if (!slot->server)
		return;
	DL_DELETE(slot->server->armed, slot);
	slot->server->armed_n--;
}

static void finish_never_sent(
	struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	leave_armed(slot);
	may_fail_over(d, slot, &facts, true);
	end(d, slot, &facts, DISPOSITION_FAILED, "never sent: the server stayed away",
		cause->at_us);
}

static void finish_called_off(
	struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	leave_armed(slot);
	end(d, slot, &facts, DISPOSITION_CANCELED, "called off before it was dialled",
		cause->at_us);
}

static void finish_listed(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	leave_armed(slot);
	end(d, slot, &facts, DISPOSITION_SUPPRESSED, cause->refusal.p, cause->at_us);
}

static void note_called_off(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	call_see(d, slot, SEEN_CALLED_OFF);
}

/* A server that is away is told when it is back: by press, after this deadline. */
static void call_back(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	note_called_off(d, slot, cause);
	if (slot->server && server_is_up(slot->server))
		server_hangup(slot->server, slot, CAUSE_NORMAL);
	else
		slot->deadline_us = d->now_us + RESPONSE_GRACE_US;
}

static void finish_unknown(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	bool told = (facts.seen & SEEN_ORIGINATE) &&
		    facts.originate_reason != 0;  /* 0: look at the cause */
	if (told || (facts.seen & SEEN_HANGUP)) { /* one of the two says enough */
		finish(d, slot, cause);
		return;
	}
	end(d, slot, &facts, DISPOSITION_UNKNOWN, "outcome not seen", cause->at_us);
}

static void finish_estimated(
	struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	facts.seen |= SEEN_ESTIMATED;
	end(d, slot, &facts, DISPOSITION_COMPLETED, "answered; the end was not seen", cause->at_us);
}

/* The end of an entry that is not dialled: an attempt 0, without a server. */
static void finish_suppressed(
	struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	struct shm_call facts = *slot->call;
	end(d, slot, &facts, DISPOSITION_SUPPRESSED, cause->refusal.p, cause->at_us);
}

static void take_back(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	leave_armed(slot);
	journal_withdraw(d->journal, slot);
}

static void wait_again(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	day_give(slot);
	failover_undo(d, slot);
	slot_close(d, slot);
}

static void drop(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	(void)cause;
	if (slot_state(slot) == CALL_PLANNED) {
		day_give(slot);
		if (slot->call->seen & SEEN_WAITED) /* and may still do so */
			redials_note(d, slot->head->client_id, slot->call->queue_master_id,
				d->now_us + US_PER_S);
		if (slot->server && !slot_is_ahead(slot))
			slot->server->armed_n--;
	}
	slot_close(d, slot);
}

static void let_go(struct dispatcher *d, struct slot *slot, const struct call_cause *cause)
{
	failover_requeue(d, slot);
	drop(d, slot, cause);
}

/* ---- the table ---- */

static action_fn *const actions[] = {
#define CALL(state, event, next, action, sentence) action,
#include "dispatcher/call.def"
#undef CALL
};

const struct call_transition call_transitions[] = {
#define CALL(state, event, next, action, sentence)                                                 \
	{CALL_##state, EV_##event, CALL_##next, sentence},
#include "dispatcher/call.def"
#undef CALL
};
const size_t call_transitions_n = ARRAY_LEN(call_transitions);

bool call_step(struct dispatcher *d, struct slot *slot, enum call_event event,
	const struct call_cause *cause)
{
	enum shm_call_state state = slot_state(slot);
	for (size_t i = 0; i < call_transitions_n; i++) {
		const struct call_transition *t = &call_transitions[i];
		if (t->state != state || t->event != event)
			continue;
		log_debug("call.step", "entry=%llu n=%u from=%s to=%s what=\"%s\"",
			(unsigned long long)slot->entry_id, slot->head->n, call_state_name(state),
			call_state_name(t->next), t->sentence);
		actions[i](d, slot, cause);
		if (t->next != CALL_FREE && t->next != state) /* slot_close has freed it */
			call_state_set(d->seg, slot->index, t->next);
		return true;
	}
	return false;
}

void call_resume_armed(struct dispatcher *d, struct slot *slot)
{
	enqueue(d, slot, NULL);
}

int64_t call_deadline_us(const struct dispatcher *d, const struct slot *slot)
{
	const struct shm_call *call = slot->call;
	if (slot_state(slot) == CALL_UP)
		return call->answered_us + us(d->conf->dispatcher_max_call_seconds) +
		       RESPONSE_GRACE_US;
	if (call->seen & (SEEN_ORIGINATE | SEEN_HANGUP))
		return d->now_us + OUTCOME_GRACE_US;
	return call->sent_us + us(d->conf->dispatcher_ring_seconds) + RESPONSE_GRACE_US;
}

/* ---- deadlines ---- */

static void expire(struct dispatcher *d, struct slot *slot)
{
	struct call_cause cause = {.at_us = d->now_us};
	uint32_t seen = slot->call->seen;
	enum shm_call_state state = slot_state(slot);
	slot->deadline_us = INT64_MAX;
	if (call_take_answer(d, slot)) {
		if (seen & SEEN_HANGUP)
			(void)call_step(d, slot, EV_OVER, &cause);
		return;
	}
	if (state > CALL_SENT && (seen & (SEEN_ORIGINATE | SEEN_HANGUP)) && state != CALL_UP) {
		(void)call_step(d, slot, EV_OVER, &cause);
		return;
	}
	(void)call_step(d, slot, EV_OVERDUE, &cause);
	if (slot->lost && slot_state(slot) != CALL_ENDED)
		call_gone(d, slot);
}

/* A handful of calls a second has a deadline that passes; walking the live ones four times a second is cheaper than
 * keeping 4,000 timers in order for each event. */
void calls_expire(struct dispatcher *d)
{
	struct slot *slot, *next;
	if (d->now_us < d->next_expire_us)
		return;
	d->next_expire_us = d->now_us + US_PER_S / 4;
	HASH_ITER (hh, d->by_entry, slot, next)
		if (slot->deadline_us <= d->now_us)
			expire(d, slot);
}
