/* Anchors of hash chains: see anchor.h. */
#include "registry/anchor.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base.h"

void anchor_text(const struct anchor *anchor, char out[ANCHOR_BYTES])
{
	int n = snprintf(out, ANCHOR_BYTES, "%" PRIu64 ":", anchor->position);
	hex_encode(anchor->hash.b, DIGEST_BYTES, out + n);
}

bool anchor_read(struct str text, struct anchor *anchor, struct err *err)
{
	struct str rest = text, position;

	return (str_split(&rest, ':', &position) && rest.p &&
		       str_to_u64(position, 1, INT64_MAX, &anchor->position) &&
		       hex_decode(rest, anchor->hash.b, DIGEST_BYTES)) ||
	       fail(err, ERR_INPUT,
		       "an anchor is a position, ':' and 64 hex digits, as `verify' prints it");
}

bool anchor_fits(const struct anchor *known, const struct anchor *link)
{
	return link->position != known->position || digest_eq(&link->hash, &known->hash);
}

bool anchor_is_reached(const struct anchor *known, const struct anchor *head, struct err *err)
{
	return head->position >= known->position ||
	       fail(err, ERR_CONFLICT,
		       "the chain ends with position %" PRIu64 ", before the anchor's %" PRIu64
		       ": its end was removed",
		       head->position, known->position);
}
