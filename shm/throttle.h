/* How often passwords may be tried: for one user, from one network, in total. Each limit is one word
 * of .in (GCRA, shm/rate.h), shared by all workers; users and networks find theirs by hash, and who
 * shares a word is slowed down by the other, never let through.
 *
 * A limit delays and does not lock out. A network from which the user has signed in before has a
 * word of its own for him: no flood from elsewhere keeps him out there.
 */
#ifndef CCS_SHM_THROTTLE_H
#define CCS_SHM_THROTTLE_H

#include "common/str.h"
#include "shm/rate.h"
#include "shm/segment.h"

/* Passwords a minute, half of them in a burst. */
struct throttle_limits {
	uint32_t user, network, total;
};

enum { THROTTLE_TURNS_MAX = 3 };

/* One password that somebody wants to try. */
struct throttle {
	const struct segment *seg;
	struct rate user, network, total;
	uint64_t user_hash, network_hash, pair_hash;
	struct throttle_turn { /* taken */
		_Atomic int64_t *word;
		int64_t interval_us;
		int64_t kept_us; /* of it, when the password was right */
	} turns[THROTTLE_TURNS_MAX];
	int turns_n;
};

/* user and network are any text: who does not exist is slowed down like everybody. */
void throttle_open(struct throttle *throttle, const struct segment *seg,
	const struct throttle_limits *limits, struct str user, struct str network);

/* Takes a turn. False, and the seconds to wait, when it is not the time; nothing is taken then. The wait
 * suffices for all limits, whichever it was that said no.
 * Without .in there is no limit: better than no service. */
MUST_USE bool throttle_take(struct throttle *throttle, int64_t now_mono_us, uint32_t *wait_s);

/* The password was right: gives the turns of user and network back, and remembers the network. Where the
 * network is known, a twelfth of the turn stays. */
void throttle_right(struct throttle *throttle);

#endif
