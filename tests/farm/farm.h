/* ccs-farm: up to 1,000 simulated Asterisk servers in one process, each on an AMI port of its own.
 *
 *   server    a port, an account, a mood; its sessions and its channels
 *   session   one AMI connection
 *   channel   one call: what the number plan and the mood make of it, told in events
 *
 * Written after Asterisk 22.10 and 16.28 as measured, not after the dispatcher, of which it is to be an independent opinion:
 * it includes common/ only. One process, one loop, no waiting.
 */
#ifndef CCS_TESTS_FARM_FARM_H
#define CCS_TESTS_FARM_FARM_H

#include "common/poll.h"
#include "tests/farm/mood.h"
#include "tests/farm/record.h"
#include "tests/farm/timer.h"

struct server;
struct session;

/* What differs between the two versions of Asterisk. */
struct asterisk {
	const char *name, *ami_version, *version;
	bool ids_by_prefix;	/* a ChannelId that begins a living one counts as in use */
	bool tells_cause;	/* HangupRequest has the cause, both have the SIP status */
	uint32_t timeout_cause; /* of the Hangup when nobody answers in time */
	const char *timeout_cdr;
	int64_t answer_us; /* what the far end's Answer() adds to a call by waiting for the first sound */
	const char *forbidden; /* to an Originate with an Application */
};

struct farm {
	struct poll *poll;
	struct timers timers;
	struct record record;
	int64_t now_us; /* monotonic, read once a turn */
	bool ending;

	uint32_t speed; /* rings and talks so many times faster than the number says */
	uint64_t seed;
	bool all_events; /* also those that the sample's eventfilter keeps back */

	struct server *servers;
	size_t servers_n;
	struct session *unsent; /* have something to write at the end of this turn */
	struct session *dead;	/* closed, freed at the end of this turn */
	int control;		/* listens for commands; -1: nobody gives any */
	struct strbuf text;	/* where the message is made that is said next */
};

/* A time of the number plan, as long as it lasts here. */
static inline int64_t farm_pace(const struct farm *farm, int64_t us)
{
	return us / farm->speed;
}

#endif
