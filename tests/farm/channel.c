/* The steps of a call: see channel.h. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/farm/event.h"
#include "tests/farm/telling.h"

#include "common/base.h"

enum {
	REACTION_US = 300, /* the far end's first answer, and as much again by chance */
	REACTION_CHANCE_US = 1700,
	FORCED_TALK_S = 3, /* mood answer: of numbers that would not be answered */
	STRANGER_TALK_S = 2,
};

/* ---- the end ---- */

static const char *cause_text(uint32_t cause)
{
	for (size_t i = 0; i < OUTCOME__N; i++)
		if (outcomes[i].cause == cause)
			return outcomes[i].cause_text;
	return "Unknown";
}

static const char *cdr_of(const struct channel *channel)
{
	if (channel->answered_us)
		return outcomes[OUTCOME_ANSWERED].cdr;
	if (channel->ended_by == BY_TIMEOUT)
		return channel->server->asterisk->timeout_cdr;
	if (channel->ended_by == BY_FAR_END)
		return outcomes[channel->plan.outcome].cdr;
	return outcomes[OUTCOME_UNAVAILABLE].cdr;
}

static void forget(struct channel *channel)
{
	struct server *server = channel->server;

	timer_stop(&server->farm->timers, &channel->timer);
	server->ids_of_length[strlen(channel->asked.id)]--;
	HASH_DEL(server->channels, channel);
	free(channel);
}

static void write_down(const struct channel *channel)
{
	static const char *const by[] = {[BY_FAR_END] = "far_end",
		[BY_TIMEOUT] = "timeout",
		[BY_HANGUP] = "hangup",
		[BY_LIMIT] = "limit",
		[BY_RESTART] = "restart"};
	struct farm *farm = channel->server->farm;
	int64_t up_us = channel->answered_us ? channel->answered_us : farm->now_us;

	if (channel->stranger)
		return;
	record_line(&farm->record, channel->server->name, "ended",
		"%s\t%s\t%s\t%s\t%d\t%u\t%lld\t%lld", channel->asked.id, channel->asked.number,
		outcomes[channel->plan.outcome].name, by[channel->ended_by],
		channel->answered_us != 0, channel->cause,
		(long long)(up_us - channel->dialled_us) / US_PER_MS,
		(long long)(farm->now_us - up_us) / US_PER_MS);
}

static void end(struct channel *channel, enum ended_by by, uint32_t cause, uint32_t sip)
{
	bool far_end = by == BY_FAR_END;

	channel->ended_by = by;
	channel->cause = cause;
	channel->cause_text = cause_text(cause);
	channel->sip = sip;
	channel->dial_status =
		outcomes[far_end ? channel->plan.outcome : OUTCOME_UNAVAILABLE].dial_status;
	channel->cdr = cdr_of(channel);
	channel->ended_wall_us = clock_wall_us();
	if (channel->answered_us)
		tell_hangup(channel);
	else
		tell_failure(channel);
	write_down(channel);
	forget(channel);
}

static void no_answer_in_time(void *arg)
{
	struct channel *channel = arg;
	end(channel, BY_TIMEOUT, channel->server->asterisk->timeout_cause,
		outcomes[OUTCOME_RINGS].sip);
}

static void limit_reached(void *arg)
{
	end(arg, BY_LIMIT, 0, 0);
}

static void far_end_hung_up(void *arg)
{
	end(arg, BY_FAR_END, outcomes[OUTCOME_ANSWERED].cause, 0);
}

/* ---- the steps ---- */

static void at(struct channel *channel, int64_t at_us, void (*step)(void *arg))
{
	timer_set(&channel->server->farm->timers, &channel->timer, at_us, step, channel);
}

static void answer(struct channel *channel)
{
	struct farm *farm = channel->server->farm;
	const struct originate *asked = &channel->asked;
	int64_t talk_us = channel->plan.talk_us, hangup_us = INT64_MAX, limit_us = INT64_MAX;

	channel->state = CHANNEL_UP;
	channel->answered_us = farm->now_us;
	channel->answered_wall_us = clock_wall_us();
	channel->dial_status = outcomes[OUTCOME_ANSWERED].dial_status;
	tell_answer(channel);
	if (!channel->stranger)
		record_line(&farm->record, channel->server->name, "answered", "%s\t%s", asked->id,
			asked->number);
	if (channel->plan.outcome == OUTCOME_ANSWERED)
		talk_us += channel->server->asterisk->answer_us;
	if (talk_us != PLAN_FOREVER)
		hangup_us = farm->now_us + farm_pace(farm, talk_us);
	if (asked->limit_us)
		limit_us = channel->dialled_us + farm_pace(farm, asked->limit_us);
	if (limit_us < hangup_us)
		at(channel, limit_us, limit_reached);
	else
		at(channel, hangup_us, far_end_hung_up);
}

/* It has rung as long as the number says. */
static void decide(void *arg)
{
	struct channel *channel = arg;
	const struct outcome_facts *outcome = &outcomes[channel->plan.outcome];

	if (outcome->answers) {
		answer(channel);
	} else if (channel->plan.outcome == OUTCOME_RINGS) {
		event_of_channel(channel, EVENT_DIAL_STATE);
		at(channel, channel->gives_up_us, no_answer_in_time);
	} else {
		end(channel, BY_FAR_END, outcome->cause, outcome->sip);
	}
}

static void ring(struct channel *channel)
{
	struct farm *farm = channel->server->farm;
	int64_t decides_us = farm->now_us + farm_pace(farm, channel->plan.ring_s * US_PER_S);

	tell_ringing(channel);
	if (channel->plan.ring_s == 0 || decides_us >= channel->gives_up_us)
		at(channel, channel->gives_up_us, no_answer_in_time);
	else
		at(channel, decides_us, decide);
}

/* The far end's first answer. */
static void react(void *arg)
{
	struct channel *channel = arg;

	if (channel->plan.ring_s > 0 || channel->plan.outcome == OUTCOME_RINGS)
		ring(channel);
	else
		decide(channel);
}

/* ---- the beginning ---- */

static void lower(char *out, const char *id)
{
	do
		*out++ = (char)tolower((unsigned char)*id);
	while (*id++);
}

/* Asterisk 22 compares as many bytes as the new id has, so the beginning of a living one is in use, too. Where no living id
 * is longer, that is the same as comparing all of it. */
static bool id_in_use(const struct server *server, const char *key)
{
	const struct channel *channel;
	uint32_t longer = 0;
	size_t n = strlen(key);

	HASH_FIND_STR(server->channels, key, channel);
	if (channel || !server->asterisk->ids_by_prefix)
		return channel != NULL;
	for (size_t i = n + 1; i <= CHANNEL_ID_BYTES; i++)
		longer += server->ids_of_length[i];
	if (!longer)
		return false;
	for (channel = server->channels; channel; channel = channel->hh.next)
		if (strncmp(channel->key, key, n) == 0)
			return true;
	return false;
}

static struct plan plan_in_mood(const struct server *server, const char *number)
{
	struct plan plan = plan_of(str_of(number));

	bool is_full = server->mood.on[MOOD_TRUNK] &&
		       HASH_COUNT(server->channels) >= server->mood.value[MOOD_TRUNK];

	if (server->mood.on[MOOD_BUSY])
		plan.outcome = OUTCOME_BUSY;
	if (server->mood.on[MOOD_ANSWER] && !outcomes[plan.outcome].answers) {
		plan.outcome = OUTCOME_ANSWERED;
		plan.talk_us = FORCED_TALK_S * US_PER_S;
	}
	if (is_full) {
		plan.outcome = OUTCOME_CONGESTION;
		plan.ring_s = 0;
	}
	return plan;
}

static struct channel *begin(
	struct server *server, const struct originate *asked, const char *key, bool stranger)
{
	struct farm *farm = server->farm;
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		die("memory.exhausted", "bytes=%zu", sizeof(*channel));
	channel->server = server;
	channel->asked = *asked;
	channel->stranger = stranger;
	memcpy(channel->key, key, sizeof(channel->key));
	channel->plan = plan_in_mood(server, asked->number);
	channel->dice = dice_of(farm->seed, str_of(server->name), str_of(asked->id));
	(void)snprintf(channel->name, sizeof(channel->name), "PJSIP/" FARM_ENDPOINT "-%08x",
		server->channels_made++);
	channel->dialled_us = farm->now_us;
	channel->dialled_wall_us = clock_wall_us();
	channel->gives_up_us =
		asked->timeout_us ? farm->now_us + farm_pace(farm, asked->timeout_us) : INT64_MAX;
	HASH_ADD_STR(server->channels, key, channel);
	server->ids_of_length[strlen(asked->id)]++;
	return channel;
}

/* The far end will take a moment. */
static void announce(struct channel *channel)
{
	struct farm *farm = channel->server->farm;
	int64_t reaction_us = REACTION_US + dice_roll(&channel->dice, REACTION_CHANCE_US);

	tell_begin(channel, channel->plan.ring_s == 0 && channel->plan.outcome != OUTCOME_RINGS);
	at(channel, farm->now_us + farm_pace(farm, reaction_us), react);
}

const char *channel_dial(struct server *server, const struct originate *asked)
{
	char key[CHANNEL_ID_BYTES + 1];
	bool possible = asked->number[0] && !server->mood.on[MOOD_TRUNKLESS];

	lower(key, asked->id);
	if (possible && !id_in_use(server, key)) {
		announce(begin(server, asked, key, false));
		return "queued";
	}
	event_no_channel(server, asked);
	return possible ? "in_use" : "no_channel";
}

/* Half of them inbound, half of another dispatcher that counts its entries from far above ours. */
void channel_stranger(struct server *server)
{
	static const char *const numbers[] = {
		"9001020001", "9021000001", "9000010001", "9041000001"};
	struct originate asked = {.context = FARM_CONTEXT,
		.exten = "s",
		.caller = "911140000099",
		.timeout_us = STRANGER_TALK_S * US_PER_S};
	uint32_t serial = server->channels_made;
	char key[CHANNEL_ID_BYTES + 1];

	if (dice_roll(&server->dice, 2)) {
		(void)snprintf(asked.id, sizeof(asked.id), "%s-%lld.%u", server->name,
			(long long)(clock_wall_us() / US_PER_S), serial);
	} else {
		(void)snprintf(asked.id, sizeof(asked.id), "ccs-ff%012x01", serial);
		memcpy(asked.action_id, asked.id, sizeof(asked.id));
	}
	(void)snprintf(asked.number, sizeof(asked.number), "%s",
		numbers[dice_roll(&server->dice, ARRAY_LEN(numbers))]);
	(void)snprintf(
		asked.dialled, sizeof(asked.dialled), "PJSIP/%s@" FARM_ENDPOINT, asked.number);
	lower(key, asked.id);
	if (!id_in_use(server, key))
		announce(begin(server, &asked, key, true));
}

/* ---- from outside ---- */

struct channel *channel_find(struct server *server, struct str text)
{
	struct channel *channel, *next;

	HASH_ITER (hh, server->channels, channel, next)
		if (str_case_eq(str_of(channel->asked.id), text) ||
			str_case_eq(str_of(channel->name), text))
			return channel;
	return NULL;
}

void channel_hangup(struct channel *channel, uint32_t cause)
{
	end(channel, BY_HANGUP, cause, 0);
}

void channels_hang_up(struct server *server)
{
	struct channel *channel, *next;

	HASH_ITER (hh, server->channels, channel, next)
		if (channel->state == CHANNEL_UP)
			far_end_hung_up(channel);
}

void channels_end(struct server *server, bool tell)
{
	struct channel *channel, *next;

	HASH_ITER (hh, server->channels, channel, next) {
		if (tell) {
			end(channel, BY_RESTART, 0, 0);
			continue;
		}
		channel->ended_by = BY_RESTART;
		write_down(channel);
		forget(channel);
	}
}

const char *channel_state_name(enum channel_state state)
{
	switch (state) {
	case CHANNEL_DOWN:
		return "Down";
	case CHANNEL_RINGING:
		return "Ringing";
	case CHANNEL_UP:
		return "Up";
	}
	return "Unknown";
}
