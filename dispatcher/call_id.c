/* Ids of attempts: see call_id.h. */
#include <stdio.h>

#include "dispatcher/call_id.h"

#include "common/base.h"

void call_id_of(uint64_t entry_id, uint32_t n, char out[AMI_CALL_ID_CHARS + 1])
{
	(void)snprintf(out, AMI_CALL_ID_CHARS + 1, "ccs-%014llx%02x",
		(unsigned long long)entry_id & 0xffffffffffffff, n & 0xff);
}

bool call_id_parse(struct str id, uint64_t *entry_id, uint32_t *n)
{
	if (!ami_is_call_id(id))
		return false;
	uint64_t v = 0;
	for (size_t i = 4; i < id.n; i++) {
		char c = id.p[i];
		uint64_t digit = (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
		if (i == id.n - 2) {
			*entry_id = v;
			v = 0;
		}
		v = v << 4 | digit;
	}
	*n = (uint32_t)v;
	return true;
}
