/* Names resolved beside our loop, by glibc's own threads: asked again after a while, never waited for. */
#ifndef CCS_COURIER_LOOKUP_H
#define CCS_COURIER_LOOKUP_H

#include "common/address_wall.h"

enum { LOOKUP_TEXT_BYTES = 64 };

struct lookup;

enum lookup_state { LOOKUP_PENDING, LOOKUP_FOUND, LOOKUP_FAILED };

/* Begins; host is copied. */
struct lookup *lookup_start(const char *host);

/* FOUND: address is the first of the name's addresses that the wall admits, is_private if only because the operator allows it.
 * FAILED: err says why; one refused address among several refuses all. */
enum lookup_state lookup_ask(const struct lookup *lookup, const struct address_wall *wall,
	char address[LOOKUP_TEXT_BYTES], bool *is_private, struct err *err);

/* Ends it, also before it is done. */
void lookup_drop(struct lookup *lookup);

#endif
