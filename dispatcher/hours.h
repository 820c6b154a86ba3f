/* Calling hours as time goes by: when a client's open or close, and when a number may be called where its own zones count.
 *
 * What has been found out about numbers of the same zones and region is kept with the client until it changes, so that an
 * entry costs a look at a hash, and not the calendar of forty zones. */
#ifndef CCS_DISPATCHER_HOURS_H
#define CCS_DISPATCHER_HOURS_H

#include "dispatcher/dispatcher.h"

/* What was known of the client's hours is over: they are looked at anew, for the gates and for those who read the segment. */
void hours_turn_of(struct dispatcher *d, struct client *client);

/* hours_turn_of for all; once a second. */
void hours_turn(struct dispatcher *d);

/* Adds the statement to the load of the directory that is under way, behind the clients: holidays of regions. */
void hours_load(struct dispatcher *d);

/* May this number be called now, where the zones of numbers count? Open for clients whose own hours are meant. e164 without '+'
 * ("": not known, never open); region as in shm_plan. */
struct calling_time hours_of_number(
	struct dispatcher *d, struct client *client, const char *e164, uint16_t region);

static inline struct calling_time hours_of_waiting(struct dispatcher *d, const struct waiting *w)
{
	return hours_of_number(d, w->chunk->client, w->row->e164, w->row->plan.region);
}

static inline struct calling_time hours_of_slot(struct dispatcher *d, const struct slot *slot)
{
	return hours_of_number(d, slot->client, slot->call->e164, slot->call->plan.region);
}

/* The first moment from at_us on at which the client's calling hours let this number be called: in the zone of the client, or of
 * the number, whichever is meant. INT64_MAX: nobody knows one. For whoever plans ahead, as a retry; at its turn the gates ask
 * again. */
int64_t hours_next_us(struct dispatcher *d, const struct client *client, const char *e164,
	uint16_t region, int64_t at_us);

/* The client's rule is another: what waited for the old one may be looked at again. */
void hours_changed(struct dispatcher *d, struct client *client);

/* What is kept of the client's numbers is void. */
void hours_forget(struct client *client);

#endif
