/* Entries that are called again (shm/redial.h says when): where they wait, and how they come back.
 *
 * They wait in PostgreSQL, in table retry, with the moment at which they are due: written in the transaction of the detail
 * that was not final, deleted in that of the next attempt's journal. Here is one line for each batch that has any, and one for
 * the quick calls of a client: it knows when its first one is due, asks for the next REDIALS_AT_ONCE of them then, and keeps
 * at most a few more than that in the window. So nothing here grows with how many wait.
 *
 * A chunk of which nothing is left but such entries leaves memory, too: it rests (chunk.rests), and no sweep finds it. The
 * statement that asks for what is due wakes it.
 *
 * A line is asked for on the commit stream, although it is a look-up: PostgreSQL then has carried out every journal entry that
 * we have been told of, and none that we have not, so that what it answers is in a slot here, or waits, or is to be called.
 */
#ifndef CCS_DISPATCHER_REDIALS_H
#define CCS_DISPATCHER_REDIALS_H

#include "dispatcher/dispatcher.h"

enum {
	REDIALS_AT_ONCE = 128, /* entries that a line brings */
	REDIALS_LOW = 64,      /* a line with fewer in the window may bring more */
	REDIALS_WAITING =
		256, /* of a client, in the window: more are brought by none of its lines */
};

/* An entry of this line (0: quick calls) waits, due then. */
void redials_note(
	struct dispatcher *d, uint64_t client_id, uint64_t queue_master_id, int64_t due_us);

/* What that line has may be called now, perhaps: it was paused. Nothing when there is no such line. */
void redials_look(struct dispatcher *d, uint64_t client_id, uint64_t queue_master_id);

/* The same of all lines of the client. */
void redials_resume(struct dispatcher *d, uint64_t client_id);

/* An entry that a line had brought has left the window. */
void redials_gone(struct dispatcher *d, struct redial_line *line);

/* It must not be called before then, and leaves the window until that moment. */
void redials_postpone(struct dispatcher *d, struct waiting *w, int64_t due_us);

void redials_forget_client(struct dispatcher *d, uint64_t client_id);

/* Lines that are due are asked for. Once a turn. */
void redials_turn(struct dispatcher *d);

/* When redials_turn has something to do (wall), INT64_MAX = nothing is known. */
int64_t redials_next_us(const struct dispatcher *d);

#endif
