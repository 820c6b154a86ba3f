/* One simulated Asterisk: its port, its account, its mood, what is connected and what is called. */
#ifndef CCS_TESTS_FARM_SERVER_H
#define CCS_TESTS_FARM_SERVER_H

#include "tests/farm/channel.h"
#include "tests/farm/session.h"

#define FARM_HOST     "127.0.0.1"
#define FARM_USER     "ccs"
#define FARM_ENDPOINT "farend"
#define FARM_CONTEXT  "ccs-answered"
#define FARM_SURVEY   "ccs-survey" /* has extension 100, too */

enum { SERVER_NAME_BYTES = 32, SERVER_SECRET_BYTES = 64 };

struct server {
	struct farm *farm;
	const struct asterisk *asterisk;
	char name[SERVER_NAME_BYTES];
	char secret[SERVER_SECRET_BYTES];
	uint16_t port;
	int listener; /* bound all its life, so that nobody else gets the port while it refuses */
	bool listening;
	bool stopping; /* its calls have ended, it takes no more, and is about to go */
	bool down;
	int64_t booted_us; /* monotonic */
	struct mood mood;
	struct dice dice;
	struct timer restart, noise;

	struct session *sessions;
	uint32_t sessions_made;
	struct channel *channels; /* by id */
	uint32_t ids_of_length[CHANNEL_ID_BYTES + 1];
	uint32_t channels_made;
	uint64_t boots;
};

/* Binds port, or any free one when it is 0, and listens. */
MUST_USE bool server_start(struct server *server, uint16_t port, struct err *err);
void server_stop(struct server *server);

void server_set_mood(struct server *server, const struct mood *mood);

/* Its end and, a moment later, its beginning: no calls, uptime 0. Orderly: tells its clients of every channel's end and of its
 * own; otherwise they see only the end of the stream. */
void server_restart(struct server *server, bool orderly);

/* Cuts all sessions; calls go on. */
void server_cut(struct server *server, const char *why);

/* An event for every session that has asked for its class. */
void server_tell(struct server *server, enum class class, struct str message);

#endif
