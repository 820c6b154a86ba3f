/* What a transaction says of entries that are called again: table retry, and how often numbers are called on a day. */
#ifndef CCS_DISPATCHER_BATCH_REDIALS_H
#define CCS_DISPATCHER_BATCH_REDIALS_H

#include "dispatcher/batch.h"

/* Before the arms, of clients that limit the calls to one number on a day: whose number has had its calls is told in due_us. */
void batch_send_number_days(struct dispatcher *d, struct batch *batch);

/* Behind the details, of attempts that are not the last: when their entries are due. */
void batch_send_redials(struct dispatcher *d, const struct batch *batch);

/* Behind both: entries that waited to be called again, and do not any more. Another attempt of them is journalled, or they have
 * ended without one. */
void batch_send_settled(struct dispatcher *d, const struct batch *batch);

#endif
