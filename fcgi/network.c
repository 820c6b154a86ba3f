/* Neighbourhoods of addresses: see network.h. */
#include <arpa/inet.h>
#include <stdio.h>

#include "fcgi/network.h"

#include "common/base.h"

enum { IPV4_KEPT = 3, IPV6_KEPT = 8, IPV4_IN_IPV6 = 12 };

static bool cut(int family, const uint8_t *address, size_t size, size_t kept, char *out)
{
	uint8_t network[sizeof(struct in6_addr)] = {0};
	char text[INET6_ADDRSTRLEN];

	if (kept > size)
		return false;
	memcpy(network, address, kept);
	return inet_ntop(family, network, text, sizeof(text)) &&
	       snprintf(out, NETWORK_BYTES, "%s/%zu", text, 8 * kept) > 0;
}

struct str network_of(struct str address, char out[NETWORK_BYTES])
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;

	if (!str_copy(text, sizeof(text), address))
		text[0] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1 &&
		cut(AF_INET, (const uint8_t *)&v4, sizeof(v4), IPV4_KEPT, out))
		return str_of(out);
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
		if (mapped ? cut(AF_INET, v6.s6_addr + IPV4_IN_IPV6, sizeof(v4), IPV4_KEPT, out)
			   : cut(AF_INET6, v6.s6_addr, sizeof(v6), IPV6_KEPT, out))
			return str_of(out);
	}
	(void)snprintf(out, NETWORK_BYTES, "unknown");
	return str_of(out);
}
