/* What is to be sent, read from PostgreSQL into the hooks' items. */
#ifndef CCS_COURIER_FEED_H
#define CCS_COURIER_FEED_H

#include "courier/courier.h"

/* Statements that the stream prepares; ended by SQL_QUERY__N. */
extern const enum sql_query feed_queries[];

/* Reads hooks, events and retries as far as it is time and there is room. Once a turn. */
void feed_turn(struct courier *c);

/* The moment (mono us) at which feed_turn has something to do by itself. */
int64_t feed_deadline(const struct courier *c);

/* Everything is to be read anew. */
void feed_reset(struct courier *c);

#endif
