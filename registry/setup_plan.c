/* Who gets how much, and why: see setup.h. */
#include "registry/setup.h"

#include "common/base.h"

static const struct {
	const char *name, *sentence;
} whys[] = {
#define WHY(name, sentence) [SETUP_##name] = {#name, sentence},
#include "registry/setup.def"
#undef WHY
};

const char *setup_why_name(enum setup_why why)
{
	return whys[why].name;
}

const char *setup_why_sentence(enum setup_why why)
{
	return whys[why].sentence;
}

static bool is_any_up(const struct setup *setup)
{
	for (size_t i = 0; i < setup->n; i++)
		if (setup->shares[i].automatic && setup->shares[i].takes_calls &&
			!setup->shares[i].is_down)
			return true;
	return false;
}

/* What administrators' shares leave of it. */
static uint64_t left_of(uint64_t total, uint64_t kept)
{
	return total > kept ? total - kept : 0;
}

static bool takes_part(const struct setup_share *share, bool heed_down)
{
	return share->automatic && share->takes_calls && !(heed_down && share->is_down);
}

/* Of those that take part: first what is free on them, then what others have, too. */
static void divide_channels(struct setup *setup, struct part *parts, bool heed_down)
{
	uint64_t kept = 0, left;

	for (size_t i = 0; i < setup->n; i++) {
		const struct setup_share *s = &setup->shares[i];
		uint64_t is_free = left_of(s->server_channels, s->of_others);
		kept += s->automatic ? 0 : s->channels;
		parts[i].weight = parts[i].most = takes_part(s, heed_down) ? is_free : 0;
	}
	left = left_of(setup->allocated_channels, kept);
	left -= apportion(parts, setup->n, left);
	for (size_t i = 0; i < setup->n; i++) {
		struct setup_share *s = &setup->shares[i];
		if (!s->automatic)
			continue;
		s->channels = parts[i].given;
		parts[i].weight = takes_part(s, heed_down) ? s->server_channels : 0;
		parts[i].most = left_of(s->server_channels, s->channels);
	}
	apportion(parts, setup->n, left);
	for (size_t i = 0; i < setup->n; i++)
		if (setup->shares[i].automatic)
			setup->shares[i].channels += parts[i].given;
}

static void divide_rate(struct setup *setup, struct part *parts)
{
	uint64_t kept = 0;

	for (size_t i = 0; i < setup->n; i++) {
		const struct setup_share *s = &setup->shares[i];
		kept += s->automatic ? 0 : s->rate;
		parts[i].weight = s->automatic ? s->channels : 0;
		parts[i].most = s->server_rate;
	}
	apportion(parts, setup->n, left_of(setup->rate_limit, kept));
	for (size_t i = 0; i < setup->n; i++)
		if (setup->shares[i].automatic)
			setup->shares[i].rate = parts[i].given;
}

static enum setup_why why(const struct setup_share *share, bool heed_down)
{
	if (!share->automatic)
		return SETUP_by_hand;
	if (!share->takes_calls)
		return SETUP_closed;
	if (heed_down && share->is_down)
		return SETUP_down;
	if (share->channels > left_of(share->server_channels, share->of_others))
		return SETUP_crowded;
	if (share->channels == share->server_channels)
		return SETUP_whole_server;
	return share->channels == 0 ? SETUP_nothing_left : SETUP_part;
}

void setup_plan(struct setup *setup)
{
	bool heed_down = is_any_up(setup);

	setup->changed = 0;
	for (size_t i = 0; i < setup->n; i++) {
		setup->shares[i].channels = setup->shares[i].had_channels;
		setup->shares[i].rate = setup->shares[i].had_rate;
	}
	divide_channels(setup, setup->parts, heed_down);
	divide_rate(setup, setup->parts);
	for (size_t i = 0; i < setup->n; i++) {
		struct setup_share *share = &setup->shares[i];
		share->why = why(share, heed_down);
		setup->changed +=
			share->channels != share->had_channels || share->rate != share->had_rate;
	}
}
