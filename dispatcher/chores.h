/* What the database needs done now and then, and nobody else is always there to do: partitions of the weeks to come, answers
 * that are good no more, an anchor of the audit in the log, numbers and events whose time is over. All on the look-up stream, in short statements. */
#ifndef CCS_DISPATCHER_CHORES_H
#define CCS_DISPATCHER_CHORES_H

#include "dispatcher/dispatcher.h"

/* Begins what is due. Once a second, while the look-up stream is up. */
void chores_turn(struct dispatcher *d);

#endif
