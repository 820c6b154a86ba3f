/* Calling hours as time goes by: when a client's open or close, and when a number may be called where its own zone counts. */
#ifndef CCS_DISPATCHER_HOURS_H
#define CCS_DISPATCHER_HOURS_H

#include "dispatcher/dispatcher.h"

/* What was known of the client's hours is over: they are looked at anew, for the gates and for those who read the segment. */
void hours_turn_of(struct dispatcher *d, struct client *client);

/* hours_turn_of for all; once a second. */
void hours_turn(struct dispatcher *d);

#endif
