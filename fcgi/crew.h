/* Who works: the master's list of workers, and what has to be done so that each pool has as many as it shall have.
 *
 * Each worker is of a roll, the count of configurations. Those of the newest roll count as current; the others stay as long
 * as the pool needs them, so new workers come first, and an old one goes for each new one that takes connections. A new
 * configuration with which no worker can start costs nothing but the attempts.
 */
#ifndef CCS_FCGI_CREW_H
#define CCS_FCGI_CREW_H

#include <sys/types.h>

#include "common/pool.h"

enum { CREW_MAX = 1024 }; /* what segment.worker_slots can be */

struct member {
	pid_t pid; /* 0: no member */
	enum pool pool;
	uint32_t roll;
	bool ready;   /* takes connections */
	bool leaving; /* was told to */
	int64_t since_us;
	int64_t kill_at_us; /* once it is leaving */
};

struct crew {
	struct member member[CREW_MAX];
	uint32_t roll;
};

/* What one pool needs. */
struct crew_need {
	int missing; /* new workers */
	int old;     /* of an earlier roll that may go */
	int surplus; /* current ones that shall go */
};

/* A worker that has just been forked. NULL when there are too many already. */
struct member *crew_join(struct crew *crew, pid_t pid, enum pool pool, int64_t now_us);

struct member *crew_find(struct crew *crew, pid_t pid);

/* All that live, leaving or not. */
int crew_size(const struct crew *crew);

struct crew_need crew_need(const struct crew *crew, enum pool pool, int wanted);

/* Who goes next: the eldest of the pool that stays so far, of an earlier roll or current. NULL when there is none. */
struct member *crew_eldest(struct crew *crew, enum pool pool, bool current);

#endif
