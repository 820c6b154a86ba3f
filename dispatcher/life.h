/* One life of the dispatcher's child, turn by turn. What it decides depends on the segment, on the clock, and on what comes
 * through poll_wait: PostgreSQL's answers and Asterisk's bytes. So a simulation (tests/sim) that brings its own clock, poll,
 * stream and sockets sees the decisions of the real one, and sees them again from the same seed. */
#ifndef CCS_DISPATCHER_LIFE_H
#define CCS_DISPATCHER_LIFE_H

#include "dispatcher/dispatcher.h"

/* d has its conf, secret key, segment, bells, poll and holder; what the holder kept has been given to recover_give. */
void life_begin(struct dispatcher *d);

/* Waits for something to happen, then does what follows from it. */
void life_turn(struct dispatcher *d);

/* No new plans; leave when nothing is in doubt. A second time: at once. */
void life_stop(struct dispatcher *d);

/* It has been stopped and may leave, or its segment is lost. */
bool life_is_over(const struct dispatcher *d);

#endif
