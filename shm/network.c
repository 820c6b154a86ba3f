/* Networks: see network.h. */
#include "shm/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/base.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BYTES = 12 };

/* Also says how many bits its kind has. */
static bool read_address(struct str text, struct net_address *out, uint32_t *bits)
{
	static const uint8_t mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
	char terminated[INET6_ADDRSTRLEN];
	struct net_address found;

	if (!str_copy(terminated, sizeof(terminated), text))
		return false;
	if (inet_pton(AF_INET6, terminated, found.b) == 1) {
		*bits = IPV6_BITS;
	} else if (inet_pton(AF_INET, terminated, found.b + MAPPED_BYTES) == 1) {
		memcpy(found.b, mapped, sizeof(mapped));
		*bits = IPV4_BITS;
	} else {
		return false;
	}
	*out = found;
	return true;
}

bool net_address_read(struct str text, struct net_address *out)
{
	uint32_t bits;
	return read_address(text, out, &bits);
}

/* The first bits of both are the same. */
static bool same_start(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	uint32_t whole = bits / 8, rest = bits % 8;
	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool has_host_bits(const struct shm_network *network)
{
	for (uint32_t bit = network->bits; bit < IPV6_BITS; bit++)
		if (network->address[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

bool net_read(struct str text, struct shm_network *out)
{
	struct str address, rest = text;
	struct net_address start;
	uint32_t most = 0;
	uint64_t bits;

	bool has_bits = str_split(&rest, '/', &address) && rest.p;
	if (!read_address(address, &start, &most))
		return false;
	bits = most;
	if (has_bits && !str_to_u64(rest, 0, most, &bits))
		return false;
	struct shm_network found = {.bits = (uint32_t)bits + IPV6_BITS - most};
	memcpy(found.address, start.b, sizeof(found.address));
	if (has_host_bits(&found))
		return false;
	*out = found;
	return true;
}

bool net_list_read(struct str text, struct shm_key *key)
{
	static const struct shm_network nowhere = {.bits = IPV6_BITS};
	struct str one;

	key->networks_n = 0;
	while (str_split(&text, ' ', &one)) {
		if (one.n == 0)
			continue;
		if (key->networks_n < SHM_KEY_NETWORKS &&
			net_read(one, &key->networks[key->networks_n])) {
			key->networks_n++;
			continue;
		}
		key->networks_n = 1;
		key->networks[0] = nowhere;
		return false;
	}
	return true;
}

bool net_admits(const struct shm_key *key, struct str address)
{
	struct net_address from;

	if (key->networks_n == 0)
		return true;
	if (!net_address_read(address, &from))
		return false;
	for (uint32_t i = 0; i < key->networks_n && i < SHM_KEY_NETWORKS; i++)
		if (same_start(key->networks[i].address, from.b, key->networks[i].bits))
			return true;
	return false;
}
