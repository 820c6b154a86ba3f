/* Calls of which nothing more will be heard: see call.h. */
#include "dispatcher/call.h"
#include "dispatcher/slot.h"

#include "common/base.h"

/* What of a call's facts says that it was answered, whatever state it is in. */
static bool says_answered(const struct shm_call *call)
{
	enum { REASON_ANSWERED = 4 }; /* AST_CONTROL_ANSWER of Asterisk's frame.h */
	bool by_response =
		(call->seen & SEEN_ORIGINATE) && call->originate_reason == REASON_ANSWERED;
	bool by_hangup = (call->seen & SEEN_HANGUP) && (call->seen & SEEN_ESTIMATED);
	return call->answered_us || by_response || by_hangup;
}

bool call_take_answer(struct dispatcher *d, struct slot *slot)
{
	int64_t at_us = slot->call->answered_us;
	struct call_cause cause = {.at_us = at_us ? at_us : d->now_us};

	if (slot_state(slot) >= CALL_UP || !says_answered(slot->call))
		return false;
	(void)call_step(d, slot, EV_QUEUED, &cause);
	(void)call_step(d, slot, EV_ANSWERED, &cause);
	return true;
}

void call_gone(struct dispatcher *d, struct slot *slot)
{
	(void)call_take_answer(d, slot);
	(void)call_step(d, slot, EV_GONE, &(struct call_cause){.at_us = d->now_us});
}
