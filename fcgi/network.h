/* Which addresses count as one neighbourhood, because who has one of them often has all: an IPv4 /24,
 * an IPv6 /64. */
#ifndef CCS_FCGI_NETWORK_H
#define CCS_FCGI_NETWORK_H

#include "common/str.h"

enum { NETWORK_BYTES = 72 };

/* "192.0.2.17" -> "192.0.2.0/24", terminated. What is no address is one neighbourhood: "unknown". */
struct str network_of(struct str address, char out[NETWORK_BYTES]);

#endif
