/* The API workers of this node as ccsctl sees them: what the pools shall have, and what the segment's slots say. */
#ifndef CCS_CTL_WORKERS_H
#define CCS_CTL_WORKERS_H

#include "ctl/ctl.h"

struct pool_view {
	int wanted, serving, leaving;
	pid_t master; /* 0: none */
	bool is_wished, is_auto;
};

struct workers_view {
	struct pool_view pool[POOL__N];
	struct segment segment; /* .in, for reading */
	uint32_t slots, used;	/* slots 0: no worker can be seen, unseen says why */
	struct err unseen;
};

/* As it will be with these wishes: reads the numbers, finds the masters, attaches the segment, counts. INPUT when the numbers
 * do not fit. */
MUST_USE bool workers_view_open(struct workers_view *view, const struct ctl *ctl,
	const struct pool_wishes *wishes, struct err *err);
void workers_view_close(struct workers_view *view);

/* Counts anew. */
void workers_count(struct workers_view *view);

/* A JSON list of the pools. */
json_t *workers_pools(const struct workers_view *view);

#endif
