/* Limits on trying passwords: see throttle.h. */
#include "shm/throttle.h"

#include <xxhash.h>

#include "common/clock.h"

/* Which word means what; makes hashes of the same text differ. */
enum kind { OF_USER, OF_NETWORK, OF_ALL };

/* The object's birth, in microseconds, keeps outsiders from looking for texts that share a word. */
static uint64_t hash_of(const struct segment *seg, enum kind kind, struct str text)
{
	return XXH64(text.p, text.n, seg->map[SHM_IN].created_us + kind);
}

void throttle_open(struct throttle *throttle, const struct segment *seg,
	const struct throttle_limits *limits, struct str user, struct str network)
{
	uint64_t both[] = {hash_of(seg, OF_USER, user), hash_of(seg, OF_NETWORK, network)};
	*throttle = (struct throttle){
		.seg = seg,
		.user = rate_per_minute(limits->user),
		.network = rate_per_minute(limits->network),
		.total = rate_per_minute(limits->total),
		.user_hash = both[0],
		.network_hash = both[1],
		.pair_hash = MAX(XXH64(both, sizeof(both), 0), UINT64_C(1)), /* 0 means free */
	};
}

/* What a right password costs of a turn: it, too, takes a core for a while, but tells its user nothing new. */
enum { RIGHT_PER_WRONG = 12 };

/* A word and what it is held to. */
struct limit {
	_Atomic int64_t *word;
	const struct rate *rate;
	int64_t kept_us; /* of the turn, when the password was right */
};

static void give_back(struct throttle *throttle, bool all)
{
	for (int i = 0; i < throttle->turns_n; i++) {
		struct throttle_turn *turn = &throttle->turns[i];
		atomic_fetch_sub_explicit(turn->word, turn->interval_us - (all ? 0 : turn->kept_us),
			memory_order_relaxed);
	}
	throttle->turns_n = 0;
}

static bool take(struct throttle *throttle, const struct limit *limit, int64_t now_us)
{
	int64_t tat = atomic_load_explicit(limit->word, memory_order_relaxed);
	do {
		if (!rate_check(limit->rate, tat, now_us))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(limit->word, &tat,
		rate_take(limit->rate, tat, now_us), memory_order_relaxed, memory_order_relaxed));
	throttle->turns[throttle->turns_n++] =
		(struct throttle_turn){limit->word, limit->rate->interval_us, limit->kept_us};
	return true;
}

/* Until none of the limits stands in the way: whoever waits so long is not sent away again by the next. */
static uint32_t wait_of(const struct limit *limits, int n, int64_t now_us)
{
	int64_t wait_us = 1;
	for (int i = 0; i < n; i++) {
		int64_t tat = atomic_load_explicit(limits[i].word, memory_order_relaxed);
		wait_us = MAX(wait_us, rate_next_us(limits[i].rate, tat) - now_us);
	}
	return (uint32_t)MIN((wait_us + US_PER_S - 1) / US_PER_S, INT64_C(3600));
}

/* One turn of each limit, or none. */
static bool take_all(struct throttle *throttle, const struct limit *limits, int n, int64_t now_us,
	uint32_t *wait_s)
{
	for (int i = 0; i < n; i++) {
		if (take(throttle, &limits[i], now_us))
			continue;
		give_back(throttle, true);
		*wait_s = wait_of(limits, n, now_us);
		return false;
	}
	return true;
}

static struct shm_familiar *familiar_of(const struct throttle *throttle)
{
	uint32_t n;
	struct shm_familiar *rows = seg_familiars(throttle->seg, &n);
	return n ? &rows[throttle->pair_hash % n] : NULL;
}

bool throttle_take(struct throttle *throttle, int64_t now_mono_us, uint32_t *wait_s)
{
	uint32_t n;
	struct shm_throttle *rows = seg_throttles(throttle->seg, &n);
	struct shm_familiar *familiar = familiar_of(throttle);

	if (n == 0 || !familiar || !throttle->seg->map[SHM_IN].writable)
		return true;
	if (atomic_load_explicit(&familiar->pair, memory_order_relaxed) == throttle->pair_hash)
		return take_all(throttle,
			&(struct limit){&familiar->tat_mono_us, &throttle->user,
				throttle->user.interval_us / RIGHT_PER_WRONG},
			1, now_mono_us, wait_s);
	/* Row 0 is everybody's. */
	const struct limit limits[] = {
		{&rows[1 + throttle->network_hash % (n - 1)].tat_mono_us, &throttle->network, 0},
		{&rows[1 + throttle->user_hash % (n - 1)].tat_mono_us, &throttle->user, 0},
		{&rows[0].tat_mono_us, &throttle->total, throttle->total.interval_us},
	};
	return take_all(throttle, limits, ARRAY_LEN(limits), now_mono_us, wait_s);
}

/* A kill between the two words leaves a word that somebody else has counted in: a delay. */
void throttle_right(struct throttle *throttle)
{
	struct shm_familiar *familiar = familiar_of(throttle);

	give_back(throttle, false);
	if (!familiar || !throttle->seg->map[SHM_IN].writable ||
		atomic_load_explicit(&familiar->pair, memory_order_relaxed) == throttle->pair_hash)
		return;
	atomic_store_explicit(&familiar->tat_mono_us, 0, memory_order_relaxed);
	atomic_store_explicit(&familiar->pair, throttle->pair_hash, memory_order_relaxed);
}
