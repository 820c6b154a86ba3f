/* Networks from which a key may be used: IPv4 and IPv6 alike as 16 bytes, an IPv4 address as IPv6 maps it (::ffff:a.b.c.d). */
#ifndef CCS_SHM_NETWORK_H
#define CCS_SHM_NETWORK_H

#include "common/str.h"
#include "shm/layout.h"

struct net_address {
	uint8_t b[16];
};

/* "192.0.2.17" or "2001:db8::1". */
MUST_USE bool net_address_read(struct str text, struct net_address *out);

/* "192.0.2.0/24"; without bits it is one address. False also when bits of the host are set: whoever writes
 * 192.0.2.17/24 may mean either. */
MUST_USE bool net_read(struct str text, struct shm_network *out);

/* All that stand between blanks. False when one of them is none, or there are more than fit: then nobody matches. */
bool net_list_read(struct str text, struct shm_key *key);

/* May the key be used from there? One without networks may, from anywhere. */
bool net_admits(const struct shm_key *key, struct str address);

#endif
