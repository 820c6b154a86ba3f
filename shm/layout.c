/* The layout's fingerprint: names, offsets and sizes of all that lies in the segment, and the names
 * whose order is a number there. */
#include "shm/layout.h"

#include <string.h>
#include <xxhash.h>

#include "shm/segment.h"

static const struct shm_field fields[] = {
#define STRUCT(type) {#type, 0, sizeof(struct type)},
#define FIELD(type, name)                                                                          \
	{#type "." #name, offsetof(struct type, name), sizeof(((struct type *)0)->name)},
#include "shm/fields.def"
#undef STRUCT
#undef FIELD
};

/* Numbers in the segment that mean a name. */
static const char *const names[] = {
#define TABLE(object, name, type, rows) #object "." #name " " #type,
#include "shm/tables.def"
#undef TABLE
#define COUNTER(name, unit, help) "counter " #name,
#include "shm/counters.def"
#undef COUNTER
#define GATE(name, asks, sentence, who) "gate " #name,
#include "shm/gate.def"
#undef GATE
#define EVENT(name, help) "event " #name,
#include "shm/events.def"
#undef EVENT
#define FAULT(constant, name, proof, words) "fault " #name,
#include "shm/fault.def"
#undef FAULT
#define NUMBER_TYPE(constant, name, how, help) "number type " #name,
#include "shm/number_type.def"
#undef NUMBER_TYPE
};

/* Enums without a table of names: a new member is a new layout. */
static const uint32_t enums[] = {
	SUBMIT_KIND__N,
	CLIENT_STATUS__N,
	SERVER_STATUS__N,
	AMI_STATE__N,
	BREAKER_STATE__N,
	CALL_STATE__N,
	LATENCY__N,
};

const struct shm_field *shm_fields(size_t *n)
{
	*n = ARRAY_LEN(fields);
	return fields;
}

uint64_t shm_layout_hash(void)
{
	uint64_t hash = XXH64(enums, sizeof(enums), 0);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		uint64_t place[2] = {fields[i].offset, fields[i].size};
		hash = XXH64(fields[i].name, strlen(fields[i].name), hash);
		hash = XXH64(place, sizeof(place), hash);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		hash = XXH64(names[i], strlen(names[i]), hash);
	return hash;
}
