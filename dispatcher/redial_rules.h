/* Is an attempt the last one of its entry? By the rules (shm/redial.h) that its batch has when it ends, or else its client. */
#ifndef CCS_DISPATCHER_REDIAL_RULES_H
#define CCS_DISPATCHER_REDIAL_RULES_H

#include "dispatcher/dispatcher.h"

/* Adds the statement that reads the clients' rules, and how often they call a number on a day, to the load of the directory that is under way, behind the clients. */
void redial_rules_load(struct dispatcher *d);

/* How many attempts its entry has at most. */
uint32_t redial_rules_budget(const struct slot *slot);

/* The attempt ends: facts have its disposition and ended_us. Unless it is the last one, they say so afterwards, and how many are
 * left; and when the next is due, unless another server takes it at once. */
void redial_rules_judge(const struct slot *slot, struct shm_call *facts);

#endif
