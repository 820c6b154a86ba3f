/* What Asterisk says about calls and about itself, letter for letter as 16 and 22 do. */
#ifndef CCS_TESTS_FARM_EVENT_H
#define CCS_TESTS_FARM_EVENT_H

#include "tests/farm/server.h"

enum event {
#define EVENT(constant, ...) EVENT_##constant,
#include "tests/farm/event.def"
#undef EVENT
	EVENT__N
};

/* One of the channel's events, to all that want it. */
void event_of_channel(const struct channel *channel, enum event event);

/* The OriginateResponse of an Originate that made no channel. */
void event_no_channel(struct server *server, const struct originate *asked);

void event_shutdown(struct server *server);

/* To one session, after its login. */
void event_fully_booted(struct session *session);

/* An entry of the list that CoreShowChannels asks for, appended to out. */
void event_list_entry(
	const struct channel *channel, struct str action_id, int64_t now_us, struct strbuf *out);

#endif
