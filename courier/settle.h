/* What became of deliveries, on its way to PostgreSQL: positions, what is sent again, the log, all in one transaction at a
 * time. */
#ifndef CCS_COURIER_SETTLE_H
#define CCS_COURIER_SETTLE_H

#include "courier/courier.h"

struct settle *settle_new(void);
void settle_free(struct settle *settle);

/* What an attempt brought. */
struct attempt {
	int64_t at_us; /* wall, when it began */
	int64_t ms;
	int status;		/* of the answer; 0: none came */
	const char *error;	/* NULL: none */
	int64_t retry_after_us; /* the receiver asked for so long a pause; 0: it did not */
};

/* Delivered. */
void settle_delivered(struct courier *c, struct item *item, const struct attempt *attempt);

/* Not delivered: sent again later or, after a day or a failed test, no more. */
void settle_failed(struct courier *c, struct item *item, const struct attempt *attempt);

/* Not delivered, and the receiver wants nothing any more (410). */
void settle_refused(struct courier *c, struct item *item, const struct attempt *attempt);

/* Never sent: cannot be. */
void settle_give_up(struct courier *c, struct item *item, const char *why);

/* Waits in webhook_retry behind one of its call. */
void settle_behind(struct courier *c, struct item *item);

/* Sends what has gathered, when nothing is on its way. Once a turn. */
void settle_turn(struct courier *c);

/* Nothing waits and nothing is on its way. */
bool settle_is_idle(const struct courier *c);

/* Forgets what has gathered. */
void settle_reset(struct courier *c);

#endif
