/* Hooks and their items in memory: who has something to send, and in which order. */
#ifndef CCS_COURIER_HOOK_H
#define CCS_COURIER_HOOK_H

#include "courier/courier.h"

/* Reads hooks from rows of WEBHOOK_LOAD; those that are not among them are gone. */
void hooks_take(struct courier *c, const struct rows *rows);

struct hook *hook_find(struct courier *c, uint64_t client_id);

/* Forgets everything, also what is under way. */
void hooks_forget(struct courier *c);

/* A new item at the end of the hook's events, or among those that are sent again. Its members are the caller's to fill; then
 * item_is_there. */
struct item *item_new(struct hook *hook, bool is_retry);

/* It is ready, or waits behind another of its call. */
void item_is_there(struct courier *c, struct item *item);

/* It has left: it is out of the list of what is ready. */
void item_took_off(struct courier *c, struct item *item);

/* It is done, whatever became of it: the next of its call is ready, unless they have moved. */
void item_is_done(struct courier *c, struct item *item);

/* Takes it out of every list. Not while it flies. */
void item_free(struct courier *c, struct item *item);

/* A flight has ended; a ghost whose last it was is freed. False: the hook is gone, and its item was freed. */
bool hook_landed(struct courier *c, struct item *item);

/* What has moved in a settlement that is committed by now need not be remembered. */
void chains_forget_moved(struct courier *c, unsigned settlement);

#endif
