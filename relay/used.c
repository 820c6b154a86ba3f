/* Used tickets: see used.h. */
#include "relay/used.h"

#include <stdlib.h>

#include <uthash.h>

#include "common/clock.h"
#include "common/log.h"

#include "common/base.h"

struct used_ticket {
	uint8_t nonce[TICKET_NONCE_BYTES];
	int64_t until_us;
	UT_hash_handle hh;
};

/* In the order in which they were used, so what comes first is forgotten first, give or take a ticket's life. */
static void forget(struct used *used, int64_t now_us)
{
	struct used_ticket *ticket, *after;
	HASH_ITER (hh, used->tickets, ticket, after) {
		if (ticket->until_us > now_us)
			return;
		HASH_DELETE(hh, used->tickets, ticket);
		free(ticket);
	}
}

bool used_take(struct used *used, const struct ticket *ticket, int64_t now_us, struct err *err)
{
	struct used_ticket *found;
	forget(used, now_us);
	HASH_FIND(hh, used->tickets, ticket->nonce, sizeof(ticket->nonce), found);
	if (found || ticket->issued_us < used->since_us)
		return fail_code(err, ERR_AUTH, "ticket_used",
			"a ticket opens one connection; POST /auth/ws-ticket makes another");
	if (HASH_COUNT(used->tickets) >= USED_MOST)
		return fail(err, ERR_BUSY, "too many tickets at the moment; try again");
	found = calloc(1, sizeof(*found));
	if (!found)
		die("memory.exhausted", "bytes=%zu", sizeof(*found));
	memcpy(found->nonce, ticket->nonce, sizeof(found->nonce));
	found->until_us = now_us + TICKET_SECONDS * US_PER_S;
	HASH_ADD(hh, used->tickets, nonce, sizeof(found->nonce), found);
	return true;
}

void used_free(struct used *used)
{
	forget(used, INT64_MAX);
}
