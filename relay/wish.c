/* Filters: see wish.h. */
#include "relay/wish.h"

#include <string.h>

#include "common/str.h"

#include "common/base.h"

/* With what stands around a member's name. A quote inside a text has a backslash before it, so no text of a client's
 * looks like this; and ours stand before anything nested. */
static const struct filter {
	const char *name, *mark;
} filters[WISH_FILTER__N] = {
	[WISH_BATCH_ID] = {"batch_id", ",\"batch_id\":"},
	[WISH_SERVER_CODE] = {"server_code", ",\"server_code\":"},
	[WISH_PHONE_NUMBER] = {"phone_number", ",\"phone_number\":"},
};

const char *wish_filter_name(enum wish_filter filter)
{
	return filters[filter].name;
}

bool wish_is(const struct wish *a, const struct wish *b)
{
	return a->events == b->events && memcmp(a->value, b->value, sizeof(a->value)) == 0;
}

static bool has(struct str payload, struct str mark, struct str value)
{
	const char *at = memmem(payload.p, payload.n, mark.p, mark.n);
	if (!at)
		return false;
	at += mark.n;
	size_t left = (size_t)(payload.p + payload.n - at);
	return left > value.n && memcmp(at, value.p, value.n) == 0 &&
	       (at[value.n] == ',' || at[value.n] == '}');
}

bool wish_fits(const struct wish *wish, const struct event_copy *event)
{
	struct str payload = {event->payload, event->head.payload};
	if (event->head.type >= EVENT_TYPE__N || !(wish->events & 1U << event->head.type))
		return false;
	for (int i = 0; i < WISH_FILTER__N; i++)
		if (wish->value[i][0] &&
			!has(payload, str_of(filters[i].mark), str_of(wish->value[i])))
			return false;
	return true;
}
