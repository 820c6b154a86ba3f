/* See telling.h. */
#include "tests/farm/telling.h"
#include "tests/farm/event.h"

#include "common/base.h"

/* In so many of 10,000 calls, at 200 a second and, for mood shuffled, near saturation. */
enum {
	RESPONSE_FIRST = 15, /* OriginateResponse comes before Newchannel */
	RESPONSE_FIRST_SHUFFLED = 4000,
	RESPONSE_LAST = 1000,	       /* of failed calls: after Hangup */
	RESPONSE_LAST_SHUFFLED = 6500, /* of those where it was not the first */
};

struct moment {
	enum event events[16];
	size_t n;
};

static void add(struct moment *moment, enum event event)
{
	moment->events[moment->n++] = event;
}

/* Anywhere from place `from` on. */
static void add_somewhere(
	struct moment *moment, size_t from, size_t to, enum event event, struct dice *dice)
{
	size_t place = from + dice_roll(dice, (uint32_t)(to - from + 1));

	memmove(&moment->events[place + 1], &moment->events[place],
		(moment->n - place) * sizeof(moment->events[0]));
	moment->events[place] = event;
	moment->n++;
}

static void add_first_events(struct moment *moment, const struct channel *channel)
{
	add(moment, EVENT_NEWCHANNEL);
	if (channel->asked.account[0])
		add(moment, EVENT_NEW_ACCOUNT_CODE);
	if (channel->asked.caller[0]) {
		add(moment, EVENT_NEW_CALLERID);
		add(moment, EVENT_NEW_CONNECTED_LINE);
	}
	add(moment, EVENT_DIAL_BEGIN);
}

/* An inbound call has none: nobody has asked for it. */
static bool has_response(const struct channel *channel)
{
	return !channel->stranger || channel->asked.action_id[0];
}

static void tell(const struct channel *channel, const struct moment *moment)
{
	for (size_t i = 0; i < moment->n; i++)
		event_of_channel(channel, moment->events[i]);
}

/* An OriginateResponse that comes first brings what should have come before it behind itself. */
static bool begin_moment(struct channel *channel, struct moment *moment)
{
	moment->n = 0;
	if (!channel->unannounced)
		return false;
	channel->unannounced = false;
	add(moment, EVENT_ORIGINATE_RESPONSE);
	add_first_events(moment, channel);
	return true;
}

void tell_begin(struct channel *channel, bool decided_at_once)
{
	struct moment moment = {.n = 0};
	bool shuffled = channel->server->mood.on[MOOD_SHUFFLED];

	channel->unannounced =
		dice_chance(&channel->dice, shuffled ? RESPONSE_FIRST_SHUFFLED : RESPONSE_FIRST) &&
		decided_at_once && has_response(channel);
	if (channel->unannounced)
		return;
	add_first_events(&moment, channel);
	tell(channel, &moment);
}

void tell_ringing(struct channel *channel)
{
	bool dial_first = dice_roll(&channel->dice, 2);

	if (dial_first)
		event_of_channel(channel, EVENT_DIAL_STATE);
	channel->state = CHANNEL_RINGING;
	event_of_channel(channel, EVENT_NEWSTATE);
	if (!dial_first)
		event_of_channel(channel, EVENT_DIAL_STATE);
}

void tell_answer(struct channel *channel)
{
	struct moment moment;
	bool responded = begin_moment(channel, &moment);
	size_t from = moment.n;

	add(&moment, EVENT_NEWSTATE);
	add(&moment, EVENT_DIAL_END);
	if (!responded && has_response(channel))
		add_somewhere(&moment, from, moment.n, EVENT_ORIGINATE_RESPONSE, &channel->dice);
	if (channel->server->mood.on[MOOD_RESULTS] && !channel->stranger)
		add(&moment, EVENT_USER_EVENT);
	tell(channel, &moment);
}

/* The Cdr comes from another thread than the Hangup, and the OriginateResponse from a third. */
void tell_failure(struct channel *channel)
{
	struct moment moment;
	bool shuffled = channel->server->mood.on[MOOD_SHUFFLED];
	bool responded = begin_moment(channel, &moment);
	bool last = dice_chance(&channel->dice, shuffled ? RESPONSE_LAST_SHUFFLED : RESPONSE_LAST);

	if (channel->ended_by == BY_FAR_END)
		add(&moment, EVENT_HANGUP_REQUEST);
	if (channel->ended_by == BY_RESTART)
		add(&moment, EVENT_SOFT_HANGUP_REQUEST);
	size_t from = moment.n;
	if (channel->ended_by != BY_TIMEOUT)
		add(&moment, EVENT_DIAL_END);
	if (!last && !responded && has_response(channel))
		add_somewhere(&moment, from, moment.n, EVENT_ORIGINATE_RESPONSE, &channel->dice);
	add(&moment, EVENT_HANGUP);
	add_somewhere(&moment, from, moment.n, EVENT_CDR, &channel->dice);
	if (last && !responded && has_response(channel))
		add(&moment, EVENT_ORIGINATE_RESPONSE);
	tell(channel, &moment);
}

void tell_hangup(struct channel *channel)
{
	struct moment moment = {.n = 0};

	if (channel->ended_by == BY_FAR_END)
		add(&moment, EVENT_HANGUP_REQUEST);
	add(&moment, EVENT_SOFT_HANGUP_REQUEST);
	add(&moment, EVENT_HANGUP);
	add_somewhere(&moment, 0, moment.n, EVENT_CDR, &channel->dice);
	tell(channel, &moment);
}
