/* New entries by binary COPY, straight into the leaf partition of entry that their ids belong to. */
#ifndef CCS_REGISTRY_ENTRY_COPY_H
#define CCS_REGISTRY_ENTRY_COPY_H

#include "registry/number.h"
#include "sql/db.h"

enum { BATCH_CHUNK_ENTRIES = 1024 };

struct batch_row {
	struct str phone_number;
	struct str custom_data; /* p NULL: none */
	struct str did;		/* that this one is to show; p NULL: its batch's */
	struct number number;
};

/* At most BATCH_CHUNK_ENTRIES entries of a batch, and the ids that they get: from id * BATCH_CHUNK_ENTRIES on. */
struct entry_chunk {
	uint64_t id;
	uint64_t client_id;
	uint64_t queue_master_id;
	uint32_t entries;
	const struct batch_row *rows; /* the first of them */
};

/* Copies the entries of all chunks inside the caller's transaction and, if it commits, ends it with the last. Chunks of one
 * partition in a row go by one COPY. */
MUST_USE bool entry_copy(
	struct db *db, const struct entry_chunk *chunks, size_t n, bool commits, struct err *err);

static inline struct str batch_e164(const struct number *number)
{
	return str_of(number->e164[0] ? number->e164 : NULL);
}

/* As entry.region has it; p NULL: not known. */
static inline struct str region_or_null(uint16_t code, char text[REGION_TEXT_BYTES])
{
	return str_of(code ? region_text(code, text) : NULL);
}

#endif
