/* Records for the dispatcher: see announce.h. */
#include "fcgi/announce.h"
#include "common/clock.h"

#include "common/base.h"

void announce_chunk(struct app *app, const struct announced_chunk *chunk)
{
	struct shm_submit work = {.kind = SUBMIT_CHUNK,
		.entries = chunk->entries,
		.id = chunk->id,
		.client_id = chunk->client_id,
		.committed_us = (uint64_t)clock_wall_us(),
		.queue_master_id = chunk->queue_master_id,
		.batch_id = chunk->batch_id,
		.settings_version = chunk->has_settings};
	const struct number *number = &chunk->first->number;
	bool fits = chunk->entries > 1 ||
		    (str_copy(work.number, sizeof(work.number), str_of(number->number)) &&
			    str_copy(work.e164, sizeof(work.e164), str_of(number->e164)) &&
			    str_copy(work.phone_number, sizeof(work.phone_number),
				    chunk->first->phone_number) &&
			    str_copy(work.did, sizeof(work.did), chunk->first->did));
	if (chunk->entries == 1)
		work.plan = number->plan;
	if (fits)
		app_announce(app, &work);
}

void announce_control(struct app *app, uint64_t control_id)
{
	struct shm_submit work = {.kind = SUBMIT_CONTROL,
		.id = control_id,
		.client_id = app->client.id,
		.committed_us = (uint64_t)clock_wall_us()};
	app_announce(app, &work);
}
