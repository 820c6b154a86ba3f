/* Which addresses we connect to on behalf of a client, who names them: those of the public internet, and what the
 * operator allows. So nobody reaches our own network, this machine or a cloud's metadata through us.
 *
 * Names are checked twice: what can be seen in the text when it is stored, and the address itself, after resolution, when
 * a connection is made. Only the second check cannot be got around.
 */
#ifndef CCS_COMMON_ADDRESS_WALL_H
#define CCS_COMMON_ADDRESS_WALL_H

#include <sys/socket.h>

#include "common/err.h"
#include "common/str.h"

enum { WALL_ALLOWED_MAX = 32 };

struct address_wall {
	int n;
	struct {
		uint8_t b[16]; /* IPv4 as IPv6 maps it */
		unsigned bits;
	} allowed[WALL_ALLOWED_MAX];
};

/* allowed: addresses and networks as 10.1.0.0/16 or fd00::/8, separated by blanks, that are let through though they are not
 * public. INPUT when one of them is none. */
MUST_USE bool wall_open(struct address_wall *wall, const char *allowed, struct err *err);

/* May we connect there? False also for families that are neither IPv4 nor IPv6. */
bool wall_admits(const struct address_wall *wall, const struct sockaddr *address);

/* Of a URL or connection string, before it is stored: a name, or an address in any spelling (IPv6 without brackets). INPUT
 * when it is an address that wall_admits refuses, or neither. What a name resolves to is for wall_admits to see. */
MUST_USE bool wall_check_address(const struct address_wall *wall, struct str host, struct err *err);

/* The same; INPUT also for a name that only means something here, unless the operator allows anything. */
MUST_USE bool wall_check_host(const struct address_wall *wall, struct str host, struct err *err);

/* The same for a whole https:// URL. what names it in the error. Refuses a login, odd ports (443 and those from 1024 on are
 * not), bytes that programs read differently. */
MUST_USE bool wall_check_url(
	const struct address_wall *wall, const char *what, struct str url, struct err *err);

#endif
