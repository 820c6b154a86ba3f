/* The auditor: grants are what live slots hold, for every client, server, allocation and caller id; recounted all the time from the
 * segment's own tables, whatever the private picture says. What differs is repaired, logged and counted: it is a bug, but
 * not one that keeps a channel for ever.
 *
 * A round over all rows takes a second, in steps, because a directory of 10,000 clients is 20 ms of cache misses at once.
 */
#ifndef CCS_DISPATCHER_AUDIT_H
#define CCS_DISPATCHER_AUDIT_H

#include "dispatcher/dispatcher.h"

/* Every turn: looks at as many rows as time has passed for. Returns how many words were wrong. */
unsigned audit_step(struct dispatcher *d);

/* A whole round at once. */
unsigned audit_all(struct dispatcher *d);

#endif
