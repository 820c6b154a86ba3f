/* The loop of ccs-courier. */
#ifndef CCS_COURIER_LIFE_H
#define CCS_COURIER_LIFE_H

#include "courier/courier.h"

/* Runs until SIGTERM or SIGINT; the status to end with. */
int courier_run(const struct conf *conf);

/* Forgets what is in memory and breaks off what is under way; all of it is read again from PostgreSQL. */
void life_forget(struct courier *c);

#endif
