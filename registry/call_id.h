/* The name of an attempt, which is also Asterisk's ChannelId: "ccs-", the entry id as 14 hex
 * digits, the attempt as 2. */
#ifndef CCS_REGISTRY_CALL_ID_H
#define CCS_REGISTRY_CALL_ID_H

#include <inttypes.h>
#include <stdio.h>

#include "common/str.h"

enum { CALL_ID_BYTES = 40, CALL_ID_CHARS = 20 };

static inline struct str call_id_text(uint64_t entry_id, uint64_t attempt, char out[CALL_ID_BYTES])
{
	(void)snprintf(out, CALL_ID_BYTES, "ccs-%014" PRIx64 "%02" PRIx64, entry_id, attempt);
	return str_of(out);
}

/* False when it is no name of an attempt: exactly as call_id_text writes it. */
static inline bool call_id_read(struct str text, uint64_t *entry_id, uint64_t *attempt)
{
	uint64_t value = 0;

	if (text.n != CALL_ID_CHARS || memcmp(text.p, "ccs-", 4) != 0)
		return false;
	for (size_t i = 4; i < CALL_ID_CHARS; i++) {
		char c = text.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*entry_id = value >> 8;
	*attempt = value & 0xff;
	return true;
}

#endif
