/* What Asterisk says of our calls: call.h has what it does to them. */
#include "dispatcher/ahead.h"
#include "dispatcher/ami_outcome.h"
#include "dispatcher/call.h"
#include "dispatcher/call_id.h"
#include "dispatcher/call_result.h"
#include "dispatcher/dnc.h"
#include "dispatcher/health.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "shm/counters.h"

#include "common/base.h"

/* The server's own time where the clocks agree, so that a message read late still counts from when it was sent; else ours. */
static int64_t when(const struct dispatcher *d, const struct ami_message *msg)
{
	int64_t stamp = ami_timestamp_us(msg);
	int64_t apart = d->now_us - stamp;
	return stamp && apart > -CLOCKS_AGREE_US && apart < CLOCKS_AGREE_US ? MIN(stamp, d->now_us)
									    : d->now_us;
}

struct slot *slot_of_call(struct server *server, struct str id)
{
	uint64_t entry_id;
	uint32_t n;
	if (!call_id_parse(id, &entry_id, &n))
		return NULL;
	struct slot *slot = slot_of_entry(server->d, entry_id);
	bool same = slot && slot->head->n == n && slot->server == server;
	return same ? slot : NULL;
}

/* The first sign of life of a call says that its Originate was accepted, whatever order things come in. */
static void alive(struct dispatcher *d, struct slot *slot, int64_t at_us)
{
	if (slot_state(slot) == CALL_SENT)
		(void)call_step(d, slot, EV_QUEUED, &(struct call_cause){.at_us = at_us});
}

static void answered(struct dispatcher *d, struct slot *slot, int64_t at_us)
{
	alive(d, slot, at_us);
	(void)call_step(d, slot, EV_ANSWERED, &(struct call_cause){.at_us = at_us});
}

/* Over when both OriginateResponse and Hangup have been seen, or the Hangup of an answered call. With one of them only,
 * the other is given a moment: Asterisk sends them in either order, and a call without channel has no Hangup. */
static void maybe_over(struct dispatcher *d, struct slot *slot, int64_t at_us)
{
	uint32_t seen = slot->call->seen;
	bool both = (seen & SEEN_ORIGINATE) && (seen & SEEN_HANGUP);
	bool up_and_gone = slot_state(slot) == CALL_UP && (seen & SEEN_HANGUP);
	if (both || up_and_gone)
		(void)call_step(d, slot, EV_OVER, &(struct call_cause){.at_us = at_us});
	else
		slot->deadline_us = d->now_us + OUTCOME_GRACE_US;
}

static void on_response(struct server *server, const struct ami_message *msg)
{
	struct dispatcher *d = server->d;
	struct slot *slot = slot_of_call(server, ami_header(msg, AMI_H_ACTION_ID));
	if (!slot || slot_state(slot) < CALL_SENT)
		return;
	bool again = slot->call->seen & SEEN_RESPONSE;
	if (again && slot_state(slot) != CALL_SENT)
		return;
	if (!again) { /* else a kill came before what follows, and nobody waits for it any more */
		server_answered(server);
		call_see(d, slot, SEEN_RESPONSE);
	}
	struct call_cause cause = {d->now_us, ami_header(msg, AMI_H_MESSAGE)};
	if (ami_is_success(msg))
		health_prove(server, PROOF_HEARD);
	else
		health_fault(server, FAULT_REFUSED, cause.refusal);
	(void)call_step(d, slot, ami_is_success(msg) ? EV_QUEUED : EV_REFUSED, &cause);
}

static void on_originate_response(
	struct dispatcher *d, struct slot *slot, const struct ami_message *msg)
{
	int64_t at = when(d, msg);
	struct shm_call facts = *slot->call;
	facts.seen |= SEEN_ORIGINATE;
	facts.originate_reason = ami_number(msg, AMI_H_REASON, 0);
	call_update(d->seg, slot->index, &facts);
	if (ami_is_success(msg)) {
		answered(d, slot, at);
		if (facts.seen & SEEN_HANGUP)
			maybe_over(d, slot, at);
	} else {
		alive(d, slot, at);
		maybe_over(d, slot, at);
	}
}

enum { STATE_RINGING = 5, STATE_UP = 6 }; /* channelstate.h of Asterisk */

static uint32_t channel_state(const struct ami_message *msg)
{
	return ami_number(msg, AMI_H_CHANNEL_STATE, 0);
}

static void on_hangup(struct dispatcher *d, struct slot *slot, const struct ami_message *msg)
{
	int64_t at = when(d, msg);
	struct shm_call facts = *slot->call;
	facts.seen |= SEEN_HANGUP | SEEN_CHANNEL;
	facts.hangup_cause = ami_number(msg, AMI_H_CAUSE, 0);
	facts.ended_us = at;
	bool was_up = channel_state(msg) == STATE_UP;
	if (was_up && !facts.answered_us) /* the answer came while nobody listened */
		facts.seen |= SEEN_ESTIMATED;
	call_update(d->seg, slot->index, &facts);
	if (was_up)
		answered(d, slot, at);
	alive(d, slot, at);
	maybe_over(d, slot, at);
}

static void on_newstate(struct dispatcher *d, struct slot *slot, const struct ami_message *msg)
{
	int64_t at = when(d, msg);
	if (channel_state(msg) == STATE_RINGING)
		(void)call_step(d, slot, EV_RINGING, &(struct call_cause){.at_us = at});
	else if (channel_state(msg) == STATE_UP)
		answered(d, slot, at);
}

static void on_dial_end(struct dispatcher *d, struct slot *slot, const struct ami_message *msg)
{
	struct shm_call facts = *slot->call;
	facts.dial_status = ami_dial_status(ami_header(msg, AMI_H_DIAL_STATUS));
	call_update(d->seg, slot->index, &facts);
}

static void on_event(struct server *server, const struct ami_message *msg)
{
	struct dispatcher *d = server->d;
	enum ami_header key = msg->event == AMI_E_ORIGINATE_RESPONSE ? AMI_H_ACTION_ID
			      : msg->event == AMI_E_DIAL_END	     ? AMI_H_DEST_UNIQUEID
								     : AMI_H_UNIQUEID;
	struct slot *slot = slot_of_call(server, ami_header(msg, key));
	if (!slot) {
		counter_add(d->seg, COUNTER_foreign_events, 1);
		return;
	}
	if (slot_state(slot) < CALL_SENT || slot_state(slot) == CALL_ENDED)
		return;
	if (msg->event == AMI_E_ORIGINATE_RESPONSE) {
		on_originate_response(d, slot, msg);
		return;
	}
	if (!(slot->call->seen & SEEN_CHANNEL)) {
		call_see(d, slot, SEEN_CHANNEL);
		health_prove(server, PROOF_CHANNEL);
		if (slot->call->seen & SEEN_CALLED_OFF) /* when there was nothing yet to hang up */
			server_hangup(server, slot, CAUSE_NORMAL);
	}
	alive(d, slot, when(d, msg));
	if (msg->event == AMI_E_HANGUP)
		on_hangup(d, slot, msg);
	else if (msg->event == AMI_E_NEWSTATE)
		on_newstate(d, slot, msg);
	else if (msg->event == AMI_E_DIAL_END)
		on_dial_end(d, slot, msg);
}

static void on_user_event(struct server *server, const struct ami_message *msg)
{
	struct user_event event = user_event_read(msg);

	if (event.kind == USER_EVENT_RESULT)
		call_result_take(server, &event);
	else if (event.kind == USER_EVENT_OPT_OUT)
		dnc_opt_out(server, &event);
}

void call_message(struct server *server, const struct ami_message *msg)
{
	if (msg->kind == AMI_KIND_RESPONSE)
		on_response(server, msg);
	else if (msg->event == AMI_E_USER_EVENT)
		on_user_event(server, msg);
	else if (msg->kind == AMI_KIND_EVENT && msg->event != AMI_E_OTHER &&
		 msg->event != AMI_E_CDR)
		on_event(server, msg);
	if (server->freed_mono_us)
		ahead_refill(server);
}
