/* Telling the dispatcher what a request has committed: records for its submit ring. Hints for
 * speed only; what is not announced, its sweep finds. */
#ifndef CCS_FCGI_ANNOUNCE_H
#define CCS_FCGI_ANNOUNCE_H

#include "fcgi/app.h"
#include "fcgi/batch.h"

struct announced_chunk {
	uint64_t id, client_id;
	uint64_t queue_master_id, batch_id; /* 0: a quick call */
	uint32_t entries;
	bool has_settings; /* its batch */
	const struct batch_row
		*first; /* goes along if it is the only one, so that nobody need read it */
};

/* A chunk that may be dialled. */
void announce_chunk(struct app *app, const struct announced_chunk *chunk);

/* A row of control that concerns the caller. */
void announce_control(struct app *app, uint64_t control_id);

#endif
