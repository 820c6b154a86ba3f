/* Chance that can be had again: what is decided about a call follows from the seed, the server's name and the call's id
 * alone, whatever else goes on at the same time. */
#ifndef CCS_TESTS_FARM_DICE_H
#define CCS_TESTS_FARM_DICE_H

#include "common/str.h"

struct dice {
	uint64_t state;
};

/* Two of the same seed and names roll alike. */
struct dice dice_of(uint64_t seed, struct str name, struct str id);

/* 0 to below - 1; 0 when below is 0. */
uint32_t dice_roll(struct dice *dice, uint32_t below);

/* True in so many of 10,000 cases. */
bool dice_chance(struct dice *dice, uint32_t in_10000);

#endif
