/* Divides whole things among parts in proportion to their weights: channels or calls an hour among the servers of a client.
 *
 * The method of largest remainders (Hamilton's) with ceilings. A part whose due reaches its ceiling gets that, and the others
 * divide what is left anew; each of them gets the whole number below its due, and what then remains goes to the largest fractions,
 * one each; equal ones in the order of the parts. So
 *
 *   - the sum is exact: total, or all ceilings together where these are less;
 *   - nobody is above its ceiling, and nobody is more than one away from its due;
 *   - who weighs more and may have as much does not get less;
 *   - the same parts give the same answer.
 *
 * A greater total may take one from a part (the Alabama paradox): whoever divides anew says so to nobody's cost, because what is
 * in progress goes on. */
#ifndef CCS_REGISTRY_APPORTION_H
#define CCS_REGISTRY_APPORTION_H

#include <stddef.h>
#include <stdint.h>

struct part {
	uint64_t weight; /* 0: it gets nothing; at most 10^8 */
	uint64_t most;	 /* at most 10^8 */
	uint64_t given;	 /* the answer */
};

/* Sets given of each of n parts, at most 10^4; total is at most 10^8. Returns the sum of what was given. */
uint64_t apportion(struct part *parts, size_t n, uint64_t total);

#endif
