/* A client's calling hours now: what its rule (calling_time.h) says, kept beside it so that a gate compares two numbers. */
#ifndef CCS_SHM_HOURS_H
#define CCS_SHM_HOURS_H

#include "shm/calling_time.h"
#include "shm/layout.h"

/* The columns of client_facts that make a rule. */
struct hours_text {
	int64_t opens_s, closes_s;
	struct str calling_days, holidays;
	bool callee_zone;
};

/* The client's rule, and what it says now, in its timezone. False when it cannot be read: then it is never open. */
bool hours_read(struct shm_client *client, const struct hours_text *text, int64_t now_us);

/* Sets window_open_us and window_close_us: open from one to the other; closed until the first of two equal moments, INT64_MAX
 * = for ever. Where the zones of the numbers count, each number has hours of its own, and the client itself is open. */
void hours_look(struct shm_client *client, int64_t now_us);

/* What hours_look said is over: look again. */
static inline bool hours_are_over(const struct shm_client *client, int64_t now_us)
{
	return now_us >= client->window_close_us && client->window_close_us != INT64_MAX;
}

#endif
