/* Calling hours: see hours.h. */
#include "dispatcher/hours.h"

#include "dispatcher/sched.h"
#include "shm/directory.h"
#include "shm/hours.h"

#include "common/base.h"

void hours_turn_of(struct dispatcher *d, struct client *client)
{
	if (!hours_are_over(&client->facts, d->now_us))
		return;
	hours_look(&client->facts, d->now_us);
	if (!d->directory_running) /* a load publishes its clients last of all */
		(void)dir_put_client(d->seg, &client->facts); /* has its row already */
}

void hours_turn(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next)
		if (hours_are_over(&c->facts, d->now_us)) {
			hours_turn_of(d, c);
			sched_client_ready(d, c);
		}
}
