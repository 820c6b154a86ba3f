/* What is kept of a hash chain where nobody who may change the database can change it: a position and the hash of its link. A
 * chain cannot show by itself that its newest links were removed, or that all from some row on were made anew; held against an
 * anchor it does. The audit (registry/audit.h) and the decision ledger (registry/ledger.h) are such chains.
 */
#ifndef CCS_REGISTRY_ANCHOR_H
#define CCS_REGISTRY_ANCHOR_H

#include "common/err.h"
#include "common/str.h"
#include "common/token.h"

struct anchor {
	uint64_t position; /* 0: none; of a whole chain: it has no link */
	struct digest hash;
};

enum { ANCHOR_BYTES = 20 + 1 + 2 * DIGEST_BYTES + 1 };

/* "17:9f86d0...": how an anchor is printed, and read again. Reading fails with INPUT. */
void anchor_text(const struct anchor *anchor, char out[ANCHOR_BYTES]);
MUST_USE bool anchor_read(struct str text, struct anchor *anchor, struct err *err);

/* False when the link stands where the anchor's did and is another. */
bool anchor_fits(const struct anchor *known, const struct anchor *link);

/* CONFLICT when the chain ends before the anchor. */
MUST_USE bool anchor_is_reached(
	const struct anchor *known, const struct anchor *head, struct err *err);

#endif
