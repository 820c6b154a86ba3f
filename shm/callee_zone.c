/* Zones of numbers: see callee_zone.h. */
#include "shm/callee_zone.h"

#include "shm/callee_zones.h"

#include "common/base.h"

/* The list of exactly this prefix, from 1; 0: there is none. */
static uint32_t list_of(uint32_t digits)
{
	size_t low = 0, high = ARRAY_LEN(prefixes);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (prefixes[middle].digits < digits)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ARRAY_LEN(prefixes) && prefixes[low].digits == digits ? prefixes[low].list + 1u
									   : 0;
}

uint32_t callee_zones_of(const char *e164)
{
	enum { PREFIX_DIGITS = 9 }; /* no longer one fits uint32_t, nor is there one */
	uint32_t digits = 0, found = CALLEE_ZONES_UNKNOWN;
	if (*e164 == '0')
		return CALLEE_ZONES_UNKNOWN;
	for (int i = 0; i < PREFIX_DIGITS && e164[i] >= '0' && e164[i] <= '9'; i++) {
		digits = digits * 10 + (uint32_t)(e164[i] - '0');
		uint32_t list = list_of(digits);
		if (list)
			found = list;
	}
	return found;
}

uint32_t callee_zones(uint32_t list, const struct zone *const **zones)
{
	static const struct zone *found[ZONES_MOST];
	if (list == CALLEE_ZONES_UNKNOWN || list > ZONE_LISTS)
		return 0;
	uint32_t n = 0;
	for (uint32_t i = list_at[list - 1]; i < list_at[list]; i++)
		found[n++] = zone_find(str_of(zone_names[zone_of_list[i]]));
	*zones = found;
	return n;
}
