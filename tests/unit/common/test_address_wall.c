/* common/address_wall: addresses in every spelling, and what is let through. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "common/address_wall.h"

#include <cmocka.h> /* after ours: it makes a macro of fail */

#include "common/base.h"

static bool admits(const struct address_wall *wall, const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return wall_admits(wall, (const struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return wall_admits(wall, (const struct sockaddr *)&in6);
}

/* The first and the last address of each network that is not public, and its neighbours that are. */
static void only_public_addresses_are_reached(void **state)
{
	static const char *const refused[] = {"0.0.0.0", "0.255.255.255", "10.0.0.0",
		"10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1",
		"192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0",
		"198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.1.2.3",
		"240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
		"::ffff:10.1.2.3", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1",
		"100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001::1",
		"2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "3fff::1", "4000::1"};
	static const char *const fine[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "::ffff:1.1.1.1", "2606:4700::1111",
		"2a00:1450:4001::1", "2001:4860:4860::8888"};
	struct address_wall wall;

	(void)state;
	assert_true(wall_open(&wall, "", NULL));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (admits(&wall, refused[i]))
			fail_msg("%s is let through", refused[i]);
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (!admits(&wall, fine[i]))
			fail_msg("%s is refused", fine[i]);
	assert_false(wall_admits(&wall, &(struct sockaddr){.sa_family = AF_UNIX}));
}

static void what_the_operator_allows_is_reached_and_nothing_beside_it(void **state)
{
	struct address_wall wall;

	(void)state;
	assert_true(wall_open(&wall, "10.1.0.0/16  127.0.0.1 fd00:1::/32", NULL));
	assert_true(admits(&wall, "10.1.255.255") && admits(&wall, "::ffff:10.1.2.3"));
	assert_true(admits(&wall, "127.0.0.1") && admits(&wall, "fd00:1::7"));
	assert_false(admits(&wall, "10.2.0.0") || admits(&wall, "127.0.0.2") ||
		     admits(&wall, "fd00:2::7"));
}

static void a_list_that_is_none_is_refused(void **state)
{
	static const char *const wrong[] = {
		"10.0.0.0/33", "10.0.0/8", "fd00::/129", "everywhere", "10.0.0.0/", "10.0.0.0/8/8"};
	struct address_wall wall;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_false(wall_open(&wall, wrong[i], &err));
		assert_int_equal(err.kind, ERR_INPUT);
	}
}

static bool fine_url(const struct address_wall *wall, const char *url)
{
	struct err err;
	return wall_check_url(wall, "callbackurl", str_of(url), &err);
}

static void an_address_is_seen_in_every_spelling(void **state)
{
	static const char *const refused[] = {"https://127.0.0.1/", "https://127.1/",
		"https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/",
		"https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1./", "https://0/",
		"https://0.0.0.0:443/", "https://[::1]/", "https://[::]/",
		"https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/",
		"https://[0:0:0:0:0:0:0:1]:443/", "https://[64:ff9b::7f00:1]/",
		"https://[fe80::1%25eth0]/", "https://169.254.169.254/latest/meta-data/",
		"https://0xa9fea9fe/", "https://2852039166/", "https://[fd00:ec2::254]/",
		"https://10.0.0.1/", "https://012.0.0.1/", "https://172.16.0.1/",
		"https://192.168.1.1/", "https://100.64.0.1/", "https://localhost/",
		"https://LOCALHOST./", "https://a.localhost/", "https://metadata.google.internal/",
		"https://printer.local/", "https://intranet/"};
	struct address_wall wall;

	(void)state;
	assert_true(wall_open(&wall, "", NULL));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (fine_url(&wall, refused[i]))
			fail_msg("%s is let through", refused[i]);
}

static void a_name_may_be_left_to_resolution_and_an_address_not(void **state)
{
	static const char *const fine[] = {
		"host", "db.internal", "localhost", "example.com.", "1.1.1.1"};
	static const char *const refused[] = {
		"", ".", "a b", "127.0.0.1", "2130706433", "0x7f.1.", "::1"};
	struct address_wall wall;
	struct err err;

	(void)state;
	assert_true(wall_open(&wall, "", NULL));
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		assert_true(wall_check_address(&wall, str_of(fine[i]), &err));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_false(wall_check_address(&wall, str_of(refused[i]), &err));
}

static void a_url_is_read_in_one_way_only(void **state)
{
	static const char *const refused[] = {"http://example.com/", "HTTPS://example.com/",
		"gopher://example.com/", "file:///etc/passwd", "ftp://example.com/",
		"//example.com/", "https:/example.com/", "https://", "https:///path",
		"https://:443/", "https://user@example.com/", "https://user:password@example.com/",
		"https://example.com@127.0.0.1/", "https://127.0.0.1\\@example.com/",
		"https://example.com\\.evil.com/", "https://exa mple.com/",
		"https://example.com/ x", "https://example.com/\r\nHost: x",
		"https://exam\tple.com/", "https://ex%61mple.com/",
		"https://\xe2\x91\xa0\xe2\x91\xa1.com/", "https://example.com:22/",
		"https://example.com:25/", "https://example.com:80/", "https://example.com:0/",
		"https://example.com:65536/", "https://example.com:443x/", "https://example.com:/",
		"https://[::1/", "https://[]/", "https://[1.1.1.1]/", "https://[::1]x/"};
	static const char *const fine[] = {"https://example.com",
		"https://example.com/callback?a=b&c=%20", "https://your-domain.com/callback",
		"https://example.com:443/", "https://example.com:8443/x", "https://1.1.1.1/",
		"https://[2606:4700::1111]:8443/x", "https://xn--bcher-kva.example/x",
		"https://example.com/a@b", "https://example.com?url=https://127.0.0.1/"};
	struct address_wall wall;

	(void)state;
	assert_true(wall_open(&wall, "", NULL));
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (fine_url(&wall, refused[i]))
			fail_msg("%s is let through", refused[i]);
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (!fine_url(&wall, fine[i]))
			fail_msg("%s is refused", fine[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_public_addresses_are_reached),
		cmocka_unit_test(what_the_operator_allows_is_reached_and_nothing_beside_it),
		cmocka_unit_test(a_list_that_is_none_is_refused),
		cmocka_unit_test(an_address_is_seen_in_every_spelling),
		cmocka_unit_test(a_name_may_be_left_to_resolution_and_an_address_not),
		cmocka_unit_test(a_url_is_read_in_one_way_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
