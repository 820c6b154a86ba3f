/* Counting by place: see neighbours.h. */
#include "relay/neighbours.h"

#include <stdlib.h>

#include <uthash.h>

#include "common/log.h"

#include "common/base.h"

enum { SUBNET_BYTES = 8 };

struct neighbourhood {
	struct net_address address;
	uint32_t n;
	UT_hash_handle hh;
};

static bool is_ipv4(const struct net_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(address->b, mapped, sizeof(mapped)) == 0;
}

static bool place_of(struct str text, struct net_address *place)
{
	if (!net_address_read(text, place))
		return false;
	if (!is_ipv4(place))
		memset(place->b + SUBNET_BYTES, 0, sizeof(place->b) - SUBNET_BYTES);
	return true;
}

struct neighbourhood *neighbours_enter(struct neighbourhood **all, struct str address)
{
	struct neighbourhood *found;
	struct net_address place;
	if (!place_of(address, &place))
		return NULL;
	HASH_FIND(hh, *all, &place, sizeof(place), found);
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (!found)
			die("memory.exhausted", "bytes=%zu", sizeof(*found));
		found->address = place;
		HASH_ADD(hh, *all, address, sizeof(found->address), found);
	}
	found->n++;
	return found;
}

void neighbours_leave(struct neighbourhood **all, struct neighbourhood *place)
{
	if (!place || --place->n > 0)
		return;
	HASH_DELETE(hh, *all, place);
	free(place);
}

uint32_t neighbours_count(struct neighbourhood *all, struct str address)
{
	struct neighbourhood *found;
	struct net_address place;
	if (!place_of(address, &place))
		return 0;
	HASH_FIND(hh, all, &place, sizeof(place), found);
	return found ? found->n : 0;
}
