/* The sandbox: a server without a connection, whose calls are played here. What test accounts dial goes nowhere else: their only
 * server is this one (migration 0038, directory_allocations), and a server that is this one never gets a connection (server_start).
 *
 * A call goes as its number says (sandbox.def), told to call_message() in the words of Asterisk, so that all that follows is as
 * ever. How far it is follows from its slot alone, so a life that is killed is gone on with by the next. */
#ifndef CCS_DISPATCHER_PLAYER_H
#define CCS_DISPATCHER_PLAYER_H

#include "dispatcher/dispatcher.h"

enum { PLAY_RINGING_MS = 200, PLAY_OUTCOME_MS = 600 }; /* after the dial */

/* What becomes of a call to this number. */
struct play {
	bool rings;
	bool answers;
	uint32_t talks_s;	/* when it answers: 1 to 99 */
	uint32_t cause, reason; /* when it does not */
};
struct play play_of(const char *number);

/* Goes on with the calls of the sandbox, ten times a second while there are any. */
void player_turn(struct dispatcher *d);

/* When that is the next time; INT64_MAX: there are none. */
int64_t player_next_us(const struct dispatcher *d);

#endif
