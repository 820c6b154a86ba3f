/* The name of an attempt, which is also Asterisk's ChannelId: "ccs-", the entry id as 14 hex
 * digits, the attempt as 2. */
#ifndef CCS_FCGI_CALL_ID_H
#define CCS_FCGI_CALL_ID_H

#include <inttypes.h>
#include <stdio.h>

#include "common/str.h"

enum { CALL_ID_BYTES = 40 };

static inline struct str call_id_text(uint64_t entry_id, uint64_t attempt, char out[CALL_ID_BYTES])
{
	(void)snprintf(out, CALL_ID_BYTES, "ccs-%014" PRIx64 "%02" PRIx64, entry_id, attempt);
	return str_of(out);
}

#endif
