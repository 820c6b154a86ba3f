/* SplitMix64, begun from a hash of names: see dice.h. */
#include <xxhash.h>

#include "tests/farm/dice.h"

#include "common/base.h"

struct dice dice_of(uint64_t seed, struct str name, struct str id)
{
	return (struct dice){XXH64(id.p, id.n, XXH64(name.p, name.n, seed))};
}

static uint64_t next(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t dice_roll(struct dice *dice, uint32_t below)
{
	return (uint32_t)((next(dice) >> 32) * below >> 32);
}

bool dice_chance(struct dice *dice, uint32_t in_10000)
{
	return dice_roll(dice, 10000) < in_10000;
}
