/* Addresses that are not the public internet's: see address_wall.h. */
#include "common/address_wall.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/base.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = 96, HTTPS_PORT = 443, FREE_PORTS = 1024 };

struct network {
	uint8_t b[16];
	unsigned bits;
};

/* IANA's registries of special-purpose addresses, and multicast. */
static const struct {
	uint8_t b[4];
	unsigned bits;
} refused4[] = {
	{{0, 0, 0, 0}, 8},
	{{10, 0, 0, 0}, 8},
	{{100, 64, 0, 0}, 10},
	{{127, 0, 0, 0}, 8},
	{{169, 254, 0, 0}, 16},
	{{172, 16, 0, 0}, 12},
	{{192, 0, 0, 0}, 24},
	{{192, 0, 2, 0}, 24},
	{{192, 88, 99, 0}, 24},
	{{192, 168, 0, 0}, 16},
	{{198, 18, 0, 0}, 15},
	{{198, 51, 100, 0}, 24},
	{{203, 0, 113, 0}, 24},
	{{224, 0, 0, 0}, 3},
};

/* All that is public lies in 2000::/3; these of it are not, or hide an IPv4 address. */
static const struct network public6 = {{0x20}, 3};
static const struct network refused6[] = {
	{{0x20, 0x01, 0x00}, 23},	/* Teredo and other protocols */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x20, 0x02}, 16},		/* 6to4 */
	{{0x3f, 0xff}, 20},		/* documentation */
};
static const struct network mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, MAPPED_BITS};

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	return memcmp(a, b, bytes) == 0 && (!rest || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

static bool is_public(const uint8_t address[16])
{
	if (same_bits(address, mapped.b, MAPPED_BITS)) {
		for (size_t i = 0; i < ARRAY_LEN(refused4); i++)
			if (same_bits(address + 12, refused4[i].b, refused4[i].bits))
				return false;
		return true;
	}
	if (!same_bits(address, public6.b, public6.bits))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(refused6); i++)
		if (same_bits(address, refused6[i].b, refused6[i].bits))
			return false;
	return true;
}

static void map(uint8_t out[16], const void *ipv4)
{
	memcpy(out, mapped.b, 12);
	memcpy(out + 12, ipv4, 4);
}

static bool read_network(struct str text, struct network *out)
{
	char terminated[INET6_ADDRSTRLEN];
	struct str bits = text, address;
	struct network network = {.bits = IPV6_BITS};
	struct in_addr ipv4;
	uint64_t n;

	bool has_bits = str_split(&bits, '/', &address) && bits.p;
	if (!str_copy(terminated, sizeof(terminated), address))
		return false;
	bool is_ipv4 = inet_pton(AF_INET, terminated, &ipv4) == 1;
	if (is_ipv4)
		map(network.b, &ipv4);
	else if (inet_pton(AF_INET6, terminated, network.b) != 1)
		return false;
	if (has_bits && !str_to_u64(bits, 0, is_ipv4 ? IPV4_BITS : IPV6_BITS, &n))
		return false;
	if (has_bits)
		network.bits = (unsigned)n + (is_ipv4 ? MAPPED_BITS : 0);
	*out = network;
	return true;
}

bool wall_open(struct address_wall *wall, const char *allowed, struct err *err)
{
	struct address_wall made = {.n = 0};
	struct str rest = str_of(allowed), one;

	while (str_split(&rest, ' ', &one)) {
		struct network network;
		if (!one.n)
			continue;
		if (made.n == WALL_ALLOWED_MAX || !read_network(one, &network))
			return fail(err, ERR_INPUT,
				"\"%.*s\" is no network as 10.1.0.0/16 or fd00::/8 (at most %d)",
				(int)MIN(one.n, (size_t)60), one.p, WALL_ALLOWED_MAX);
		memcpy(made.allowed[made.n].b, network.b, sizeof(network.b));
		made.allowed[made.n++].bits = network.bits;
	}
	*wall = made;
	return true;
}

static bool admits(const struct address_wall *wall, const uint8_t address[16])
{
	for (int i = 0; i < wall->n; i++)
		if (same_bits(address, wall->allowed[i].b, wall->allowed[i].bits))
			return true;
	return is_public(address);
}

bool wall_admits(const struct address_wall *wall, const struct sockaddr *address)
{
	uint8_t bytes[16];

	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		map(bytes, &in.sin_addr);
		return admits(wall, bytes);
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		return admits(wall, in6.sin6_addr.s6_addr);
	}
	return false;
}

/* ---- what can be seen in the text ---- */

static bool is_one_of(char c, const char *others)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(others, c));
}

static bool ends_with(struct str host, const char *domain)
{
	size_t n = strlen(domain);
	struct str end = {host.p + host.n - n, n};
	return host.n >= n && str_case_eq(end, str_of(domain)) && (host.n == n || end.p[-1] == '.');
}

/* Names that lead to whoever resolves them. */
static bool is_local_name(struct str host)
{
	static const char *const domains[] = {
		"localhost", "local", "internal", "localdomain", "home.arpa", "lan", "intranet"};
	for (size_t i = 0; i < ARRAY_LEN(domains); i++)
		if (ends_with(host, domains[i]))
			return true;
	return !memchr(host.p, '.', host.n);
}

/* A name, or an IPv4 address. */
static bool check_spelling(const struct address_wall *wall, struct str host, struct err *err)
{
	char terminated[256];
	struct in_addr ipv4;
	uint8_t bytes[16];

	for (size_t i = 0; i < host.n; i++)
		if (!is_one_of(host.p[i], "-._"))
			return fail(err, ERR_INPUT,
				"its host has a byte that is none of letters, digits, '-' and '.'");
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (!host.n || !str_copy(terminated, sizeof(terminated), host))
		return fail(err, ERR_INPUT, "its host is missing or too long");
	/* As a resolver would: 2130706433, 0x7f.1 and 0177.0.0.1 are addresses, too. */
	if (!inet_aton(terminated, &ipv4))
		return true;
	map(bytes, &ipv4);
	return admits(wall, bytes) ||
	       fail(err, ERR_INPUT, "its host is an address that is not public");
}

bool wall_check_address(const struct address_wall *wall, struct str host, struct err *err)
{
	char terminated[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (!host.n || !memchr(host.p, ':', host.n))
		return check_spelling(wall, host, err);
	if (!str_copy(terminated, sizeof(terminated), host) ||
		inet_pton(AF_INET6, terminated, bytes) != 1)
		return fail(err, ERR_INPUT, "its host is no IPv6 address");
	return admits(wall, bytes) ||
	       fail(err, ERR_INPUT, "its host is an address that is not public");
}

/* Digits, dots and hexadecimal are an address that has been looked at. */
static bool is_address(struct str host)
{
	char terminated[256];
	struct in_addr ipv4;
	return memchr(host.p, ':', host.n) ||
	       (str_copy(terminated, sizeof(terminated), host) && inet_aton(terminated, &ipv4));
}

bool wall_check_host(const struct address_wall *wall, struct str host, struct err *err)
{
	if (!wall_check_address(wall, host, err))
		return false;
	if (host.p[host.n - 1] == '.')
		host.n--;
	return wall->n || is_address(host) || !is_local_name(host) ||
	       fail(err, ERR_INPUT, "its host is no public name");
}

/* "host", "host:port", "[address]:port" */
static bool split_authority(struct str authority, struct str *host, struct str *port)
{
	*port = (struct str){NULL, 0};
	if (authority.n && authority.p[0] == '[') {
		const char *end = memchr(authority.p, ']', authority.n);
		if (!end || !memchr(authority.p, ':', (size_t)(end - authority.p)))
			return false;
		*host = (struct str){authority.p + 1, (size_t)(end - authority.p) - 1};
		struct str rest = {end + 1, authority.n - host->n - 2};
		if (rest.n && rest.p[0] != ':')
			return false;
		if (rest.n)
			*port = (struct str){rest.p + 1, rest.n - 1};
		return true;
	}
	const char *colon = memchr(authority.p, ':', authority.n);
	*host = (struct str){authority.p, colon ? (size_t)(colon - authority.p) : authority.n};
	if (colon)
		*port = (struct str){colon + 1, authority.n - host->n - 1};
	return true;
}

static bool has_plain_bytes(struct str url)
{
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~' || strchr("\\\"<>^`{|}", url.p[i]))
			return false;
	return true;
}

static bool check_parts(const struct address_wall *wall, struct str authority, struct err *err)
{
	struct str host, port;
	uint64_t n = HTTPS_PORT;

	if (memchr(authority.p, '@', authority.n))
		return fail(err, ERR_INPUT, "a login does not belong in it");
	if (!split_authority(authority, &host, &port))
		return fail(err, ERR_INPUT, "its host is no IPv6 address");
	if (port.p && (!str_to_u64(port, 1, UINT16_MAX, &n) || (n != HTTPS_PORT && n < FREE_PORTS)))
		return fail(err, ERR_INPUT, "its port must be 443, or from 1024 to 65535");
	return wall_check_host(wall, host, err);
}

bool wall_check_url(
	const struct address_wall *wall, const char *what, struct str url, struct err *err)
{
	struct str scheme = STR("https://");
	struct err why;

	if (url.n <= scheme.n || !str_eq((struct str){url.p, scheme.n}, scheme))
		return fail_code(
			err, ERR_INPUT, "invalid_field", "%s must begin with https://", what);
	if (!has_plain_bytes(url))
		return fail_code(err, ERR_INPUT, "invalid_field",
			"%s has bytes that a URL must write as %%XX", what);
	struct str authority = {url.p + scheme.n, 0};
	while (authority.n < url.n - scheme.n && !strchr("/?#", authority.p[authority.n]))
		authority.n++;
	if (check_parts(wall, authority, &why))
		return true;
	return fail_code(err, ERR_INPUT, "invalid_field", "%s: %s", what, why.text);
}
