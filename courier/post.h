/* Requests under way, by libcurl's multi interface in our loop. Nothing here waits.
 *
 * Every address is held against the wall when its socket is made, so it does not matter what a name resolved to before, or
 * in which spelling. Redirects are not followed, no proxy is used, only https is spoken.
 */
#ifndef CCS_COURIER_POST_H
#define CCS_COURIER_POST_H

#include "courier/settle.h"

/* Called for each end, from inside poll_wait or post_turn. */
typedef void post_done_fn(struct courier *c, struct item *item, const struct attempt *attempt);

struct post *post_new(struct courier *c, post_done_fn *done);
void post_free(struct post *post);

/* Sends the item's body to its hook, which is flying from now on. */
void post_send(struct post *post, struct item *item);

/* Breaks off all that is under way; nothing is told. */
void post_abort(struct post *post);

int64_t post_deadline(const struct post *post); /* mono us; INT64_MAX = none */
void post_turn(struct post *post, int64_t mono_us);

#endif
