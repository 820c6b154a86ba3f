/* Largest remainders with ceilings: see apportion.h. A sum of weights goes up to 10^12, its product with a total to 10^20: so
 * products are made in 128 bits. */
#include "registry/apportion.h"

#include "common/base.h"

__extension__ typedef unsigned __int128 wide;

/* Not yet settled: it has room, and a claim. */
static bool is_open(const struct part *part)
{
	return part->weight && part->given < part->most;
}

static uint64_t open_weight(const struct part *parts, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += is_open(&parts[i]) ? parts[i].weight : 0;
	return sum;
}

/* Those whose due reaches their ceiling get that. Returns what they took; 0: there is none of them. */
static uint64_t fill_to_ceilings(struct part *parts, size_t n, uint64_t left, uint64_t weights)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < n; i++) {
		struct part *part = &parts[i];
		if (is_open(part) && (wide)left * part->weight >= (wide)part->most * weights)
			taken += part->given = part->most;
	}
	return taken;
}

static uint64_t fraction(const struct part *part, uint64_t left, uint64_t weights)
{
	return (uint64_t)((wide)left * part->weight % weights);
}

/* One more for the largest fraction that has none yet. */
static void round_up_one(struct part *parts, size_t n, uint64_t left, uint64_t weights)
{
	struct part *best = NULL;

	for (size_t i = 0; i < n; i++) {
		struct part *part = &parts[i];
		if (is_open(part) &&
			part->given == (uint64_t)((wide)left * part->weight / weights) &&
			(!best || fraction(part, left, weights) > fraction(best, left, weights)))
			best = part;
	}
	if (best)
		best->given++;
}

/* Nobody's due reaches its ceiling any more, so one above the whole number below it fits, too. */
static void divide(struct part *parts, size_t n, uint64_t left, uint64_t weights)
{
	uint64_t given = 0;

	for (size_t i = 0; i < n; i++)
		if (is_open(&parts[i]))
			given += parts[i].given =
				(uint64_t)((wide)left * parts[i].weight / weights);
	for (; given < left; given++)
		round_up_one(parts, n, left, weights);
}

uint64_t apportion(struct part *parts, size_t n, uint64_t total)
{
	uint64_t left = total, weights, taken;

	for (size_t i = 0; i < n; i++)
		parts[i].given = 0;
	while ((weights = open_weight(parts, n)) > 0 &&
		(taken = fill_to_ceilings(parts, n, left, weights)) > 0)
		left -= taken;
	if (weights == 0)
		return total - left;
	divide(parts, n, left, weights);
	return total;
}
