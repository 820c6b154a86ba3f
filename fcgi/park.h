/* Requests that wait for the end of a call: GET /calls/{call_id}?wait=seconds.
 *
 *   sql pool    PostgreSQL knows no end yet  ── X-Accel-Redirect: @ccs_wait ──►  fast pool: parked
 *   fast pool   the event ring tells of its end, or time is over  ── @ccs_sql ──►  sql pool: answers
 *
 * So a request that waits holds a connection and some bytes of a fast worker, and never a process or
 * a session of PostgreSQL. An event is published after the commit of what it tells, so whoever has
 * seen it finds the end in PostgreSQL. What ended between the look there and the first look at the
 * ring is found by another look soon after; nginx counts these rounds, and allows few.
 */
#ifndef CCS_FCGI_PARK_H
#define CCS_FCGI_PARK_H

#include "common/err.h"
#include "shm/events.h"

enum {
	PARK_ROUNDS = 4,      /* how often one request may be parked: nginx allows 10 redirects */
	PARK_WAIT_MAX_S = 30, /* below the read timeout of nginx's @ccs_wait */
	PARK_MOST = 512,      /* of one worker */
	PARK_MOST_OF_CLIENT = 64,
};

/* One of them; lies in the worker's connection. */
struct parked {
	uint64_t entry_id;
	uint64_t client_id; /* 0: not known */
	uint32_t attempt;
	bool over; /* back to the sql pool with it */
	int64_t until_mono_us;
	struct parked *prev, *next;
};

/* Those of one worker. All zero = none. */
struct park {
	struct parked *list;
	unsigned n;
	struct event_cursor cursor;
	int64_t next_mono_us; /* when to look again */
};

/* How long the round with this number, from 1, waits at most, of what is left of the whole. */
int64_t park_round_us(unsigned round, int64_t left_us);

/* False when there is no room: the request goes back as it is. parked stays where it is until
 * park_remove. */
MUST_USE bool park_add(
	struct park *park, const struct segment *seg, struct parked *parked, int64_t mono_us);
void park_remove(struct park *park, struct parked *parked);

/* How long the loop may sleep; negative: for ever. */
int64_t park_pause_us(const struct park *park, int64_t mono_us);

/* Reads the ring and the clock, and marks those that are over. False: it is not time yet, and nothing was done. */
bool park_look(struct park *park, const struct segment *seg, int64_t mono_us);

#endif
