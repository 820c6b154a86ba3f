/* A call: dialled by an Originate, rings, is answered or not, ends. Each step is told in events, in the orders that were
 * measured on Asterisk. */
#ifndef CCS_TESTS_FARM_CHANNEL_H
#define CCS_TESTS_FARM_CHANNEL_H

#include <uthash.h>

#include "tests/farm/dice.h"
#include "tests/farm/farm.h"
#include "tests/farm/plan.h"

enum {
	CHANNEL_ID_BYTES = 149, /* longest ChannelId */
	CHANNEL_TEXT_BYTES = 80,
	CHANNEL_NUMBER_BYTES = 64,
	CHANNEL_DIALLED_BYTES = 256,
};

enum channel_state {
	CHANNEL_DOWN = 0,
	CHANNEL_RINGING = 5,
	CHANNEL_UP = 6
}; /* Asterisk's numbers */

enum ended_by { BY_FAR_END, BY_TIMEOUT, BY_HANGUP, BY_LIMIT, BY_RESTART };

/* What an Originate has asked for. Terminated texts; what was longer is cut, as Asterisk does. */
struct originate {
	char id[CHANNEL_ID_BYTES + 1];
	char action_id[CHANNEL_ID_BYTES + 1];
	char dialled[CHANNEL_DIALLED_BYTES]; /* Technology/number@endpoint */
	char number[CHANNEL_NUMBER_BYTES];   /* empty: no endpoint of ours */
	char context[CHANNEL_TEXT_BYTES], exten[CHANNEL_TEXT_BYTES];
	char caller[CHANNEL_TEXT_BYTES], account[CHANNEL_TEXT_BYTES];
	int64_t timeout_us; /* of ringing; 0: none */
	int64_t limit_us;   /* of the whole call; 0: none */
};

struct channel {
	UT_hash_handle hh;
	char key[CHANNEL_ID_BYTES + 1]; /* the id in lower case: Asterisk compares without case */
	struct server *server;
	struct originate asked;
	char name[CHANNEL_TEXT_BYTES];
	struct plan plan;
	struct dice dice;
	enum channel_state state;
	bool stranger;			 /* no Originate to this farm made it */
	bool unannounced;		 /* its first events come after its OriginateResponse */
	int64_t dialled_us, answered_us; /* monotonic; answered 0 = not */
	int64_t gives_up_us;		 /* when Asterisk has let it ring long enough */
	int64_t dialled_wall_us, answered_wall_us, ended_wall_us;
	struct timer timer; /* its next step */

	/* Once it has ended: */
	enum ended_by ended_by;
	uint32_t cause, sip; /* sip 0: no final answer came */
	const char *cause_text, *dial_status, *cdr;
};

/* Does what a queued Originate does: a channel, or at once a failed OriginateResponse. Returns the record's verdict. */
const char *channel_dial(struct server *server, const struct originate *asked);

/* By id or by name, whole. */
struct channel *channel_find(struct server *server, struct str text);

void channel_hangup(struct channel *channel, uint32_t cause);

/* A call that the session knows nothing about: inbound, or another dispatcher's. */
void channel_stranger(struct server *server);

/* The called parties of all answered calls hang up. */
void channels_hang_up(struct server *server);

/* All end with their server, which tells of it or has no time to. */
void channels_end(struct server *server, bool tell);

const char *channel_state_name(enum channel_state state);

#endif
