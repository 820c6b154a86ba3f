/* Calls that are played: see player.h. */
#include "dispatcher/player.h"
#include "common/clock.h"
#include "dispatcher/call.h"
#include "dispatcher/call_id.h"
#include "dispatcher/slot.h"

#include "common/base.h"

static const int64_t EACH_US = US_PER_S / 10;

struct play play_of(const char *number)
{
	size_t n = strlen(number);
	unsigned digits = 0;

	for (size_t i = n > 2 ? n - 2 : 0; i < n; i++)
		digits = digits * 10 +
			 (number[i] >= '0' && number[i] <= '9' ? (unsigned)(number[i] - '0') : 0);
	switch (digits) {
#define PLAY(ending, rings, cause, reason)                                                         \
	case ending:                                                                               \
		return (struct play){rings, false, 0, cause, reason};
#include "dispatcher/sandbox.def"
#undef PLAY
	default:
		return (struct play){true, true, MAX(digits, 1u), 0, 0};
	}
}

/* ---- in Asterisk's words ---- */

static void put(struct ami_message *msg, enum ami_header header, const char *value)
{
	msg->headers[header] = str_of(value);
	msg->seen |= UINT32_C(1) << header;
}

static void tell(struct server *server, const struct slot *slot, struct ami_message *msg)
{
	char id[AMI_CALL_ID_CHARS + 1];

	call_id_of(slot->entry_id, slot->head->n, id);
	put(msg, AMI_H_ACTION_ID, id);
	put(msg, AMI_H_UNIQUEID, id);
	call_message(server, msg);
}

static void tell_queued(struct server *server, const struct slot *slot)
{
	struct ami_message msg = {.kind = AMI_KIND_RESPONSE};
	put(&msg, AMI_H_RESPONSE, "Success");
	tell(server, slot, &msg);
}

static void tell_state(struct server *server, const struct slot *slot, const char *state)
{
	struct ami_message msg = {.kind = AMI_KIND_EVENT, .event = AMI_E_NEWSTATE};
	put(&msg, AMI_H_CHANNEL_STATE, state);
	tell(server, slot, &msg);
}

static void tell_originated(
	struct server *server, const struct slot *slot, bool answered, uint32_t reason)
{
	struct ami_message msg = {.kind = AMI_KIND_EVENT, .event = AMI_E_ORIGINATE_RESPONSE};
	char text[12];

	(void)snprintf(text, sizeof(text), "%u", reason);
	put(&msg, AMI_H_RESPONSE, answered ? "Success" : "Failure");
	put(&msg, AMI_H_REASON, text);
	tell(server, slot, &msg);
}

static void tell_hangup(
	struct server *server, const struct slot *slot, const char *state, uint32_t cause)
{
	struct ami_message msg = {.kind = AMI_KIND_EVENT, .event = AMI_E_HANGUP};
	char text[12];

	(void)snprintf(text, sizeof(text), "%u", cause);
	put(&msg, AMI_H_CHANNEL_STATE, state);
	put(&msg, AMI_H_CAUSE, text);
	tell(server, slot, &msg);
}

/* ---- one call, one step ---- */

static const char RINGING[] = "5", UP[] = "6";
enum { REASON_ANSWERED = 4 };

static void end_unanswered(
	struct server *server, const struct slot *slot, uint32_t cause, uint32_t reason)
{
	tell_hangup(server, slot, RINGING, cause);
	tell_originated(server, slot, false, reason);
}

/* Its client, or a deadline, wants it to end. */
static bool is_unwanted(const struct slot *slot)
{
	return slot->pressed || (slot->call->seen & SEEN_CALLED_OFF);
}

static void unanswered_step(struct server *server, const struct slot *slot, int64_t since_ms)
{
	struct play play = play_of(slot->call->number);

	if (is_unwanted(slot))
		end_unanswered(server, slot, CAUSE_NORMAL, 0);
	else if (since_ms < PLAY_RINGING_MS)
		return;
	else if (play.rings && slot_state(slot) == CALL_DIALING)
		tell_state(server, slot, RINGING);
	else if (since_ms < PLAY_OUTCOME_MS)
		return;
	else if (play.answers)
		tell_originated(server, slot, true, REASON_ANSWERED);
	else
		end_unanswered(server, slot, play.cause, play.reason);
}

static void step(struct dispatcher *d, struct server *server, struct slot *slot)
{
	const struct shm_call *call = slot->call;
	int64_t talks_us = (int64_t)play_of(call->number).talks_s * US_PER_S;

	switch (slot_state(slot)) {
	case CALL_SENT:
		tell_queued(server, slot);
		break;
	case CALL_DIALING:
	case CALL_RINGING:
		unanswered_step(server, slot, (d->now_us - call->sent_us) / US_PER_MS);
		break;
	case CALL_UP:
		if (is_unwanted(slot) || d->now_us >= call->answered_us + talks_us)
			tell_hangup(server, slot, UP, CAUSE_NORMAL);
		break;
	case CALL_FREE:
	case CALL_PLANNED:
	case CALL_ARMED:
	case CALL_ENDED:
	case CALL_STATE__N:
		break;
	}
}

int64_t player_next_us(const struct dispatcher *d)
{
	bool plays = d->sandbox &&
		     atomic_load_explicit(&d->sandbox->usage->channels, memory_order_relaxed) > 0;
	return plays ? d->next_play_us : INT64_MAX;
}

void player_turn(struct dispatcher *d)
{
	struct slot *slot, *next;

	if (d->now_us < player_next_us(d))
		return;
	d->next_play_us = d->now_us + EACH_US;
	HASH_ITER (hh, d->by_entry, slot, next)
		if (slot->server == d->sandbox)
			step(d, d->sandbox, slot);
}
