/* The one mixing function of the segment's tables: ids are dense, their places should not be. */
#ifndef CCS_SHM_HASH_H
#define CCS_SHM_HASH_H

#include <stdint.h>

/* The finaliser of splitmix64. */
static inline uint64_t hash_id(uint64_t id)
{
	id = (id ^ id >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	id = (id ^ id >> 27) * UINT64_C(0x94d049bb133111eb);
	return id ^ id >> 31;
}

#endif
