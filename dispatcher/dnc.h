/* Numbers that must not be called: on everybody's list, their client's, or their batch's (migration 0032).
 *
 * The lists are PostgreSQL's; nothing of them is kept here. They are asked by key when a chunk is read, so that what is listed
 * by then ends without taking anybody's turn, and in the journal's own transaction, so that what was added a moment before is
 * not dialled. A listed entry ends as an attempt 0, suppressed. What was journalled before its number was added, and is not
 * written yet, is asked about again when a control row tells of the change: armed ahead, it is taken back; else it ends.
 */
#ifndef CCS_DISPATCHER_DNC_H
#define CCS_DISPATCHER_DNC_H

#include "dispatcher/dispatcher.h"
#include "dispatcher/user_event.h"

/* By the name that dnc_listed has for it; p NULL: on none. One that we do not know is a list all the same. */
enum dnc_list dnc_list_of(struct str name);

/* Why an entry ended. */
const char *dnc_reason(enum dnc_list list);

/* What the lists know a call by: digits. */
struct str dnc_number(const struct shm_call *call);

/* Ends the entry of a planned slot that the journal would not take. */
void dnc_suppress(struct dispatcher *d, struct slot *slot, enum dnc_list list);

/* The slot was listed while its commit was on its way: it is not written. */
void dnc_withdraw(struct dispatcher *d, struct slot *slot);

/* The dialplan says that who was called by this server wants no more calls. The number is that of our own call, whatever the
 * event says. */
void dnc_opt_out(struct server *server, const struct user_event *event);

/* An adopted call in which that was said: it may not have been stored. */
void dnc_opt_out_again(struct dispatcher *d, const struct slot *slot);

/* Some list has changed, or an earlier life may have left something undone: asks about what is not written yet. */
void dnc_changed(struct dispatcher *d);

/* Once a turn: asks, when there is something to ask about. */
void dnc_ask(struct dispatcher *d);

#endif
