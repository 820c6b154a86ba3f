/* Shared conditions: see fine.h. */
#include <arpa/inet.h>
#include <time.h>

#include "registry/fine.h"

#include "common/clock.h"
#include "shm/calling_time.h"
#include "shm/layout.h"
#include "shm/network.h"
#include "shm/redial.h"
#include "shm/scope.h"

#include "common/base.h"

static const char *const client_statuses[CLIENT_STATUS__N] = {
	[CLIENT_ACTIVE] = "active",
	[CLIENT_PAUSED] = "paused",
	[CLIENT_SUSPENDED] = "suspended",
};

static const char *const server_statuses[SERVER_STATUS__N] = {
	[SERVER_ACTIVE] = "active",
	[SERVER_DRAINING] = "draining",
	[SERVER_DISABLED] = "disabled",
};

static bool read_name(const char *const names[], uint32_t n, struct str name, uint32_t *value)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eq(name, str_of(names[i]))) {
			*value = i;
			return true;
		}
	return false;
}

bool client_status_read(struct str name, uint32_t *status)
{
	return read_name(client_statuses, CLIENT_STATUS__N, name, status);
}

bool server_status_read(struct str name, uint32_t *status)
{
	return read_name(server_statuses, SERVER_STATUS__N, name, status);
}

const char *client_status_name(uint32_t status)
{
	return status < CLIENT_STATUS__N ? client_statuses[status] : "unknown";
}

const char *server_status_name(uint32_t status)
{
	return status < SERVER_STATUS__N ? server_statuses[status] : "unknown";
}

bool fine_client_status(struct str text)
{
	uint32_t status;
	return client_status_read(text, &status);
}

bool fine_server_status(struct str text)
{
	uint32_t status;
	return server_status_read(text, &status);
}

static bool only(struct str text, const char *chars)
{
	for (size_t i = 0; i < text.n; i++)
		if (!text.p[i] || !strchr(chars, text.p[i]))
			return false;
	return true;
}

bool fine_digits(struct str text)
{
	return text.n > 0 && only(text, "0123456789*#+");
}

bool fine_phone(struct str text)
{
	if (text.n && text.p[0] == '+')
		text = (struct str){text.p + 1, text.n - 1};
	return text.n >= 1 && text.n <= 20 && only(text, "0123456789");
}

bool fine_region(struct str text)
{
	return text.n == 2 && only(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

bool fine_number_check(struct str text)
{
	uint32_t check;
	return number_check_read(text, &check);
}

bool fine_allowed_region(struct str text)
{
	struct shm_policy policy = {.check = 0};
	return policy_read(&policy, text, STR("default"));
}

bool fine_allowed_type(struct str text)
{
	struct shm_policy policy = {.check = 0};
	return policy_read(&policy, STR("all"), text);
}

bool fine_calling_day(struct str text)
{
	return calling_weekday_fine(text);
}

bool fine_daily_cap(struct str text)
{
	enum { CAP_MAX = 999999999 };
	struct str where;
	uint64_t calls;
	return str_split(&text, ':', &where) && text.p &&
	       (region_code(where) || str_eq(where, STR("other")) || str_eq(where, STR("all"))) &&
	       str_to_u64(text, 0, CAP_MAX, &calls);
}

bool fine_retry(struct str text)
{
	enum redial_outcome outcome;
	struct redial_rule rule;
	return redial_read_rule(text, &outcome, &rule);
}

static bool starts(struct str text, struct str with)
{
	return text.n > with.n && str_eq((struct str){text.p, with.n}, with);
}

bool fine_scope(struct str text)
{
	return scope_named(text) != SCOPE_NONE;
}

bool fine_path(struct str text)
{
	return starts(text, STR("/"));
}

bool fine_https(struct str text)
{
	struct str scheme = STR("https://");

	if (!starts(text, scheme) || memchr(text.p, ' ', text.n))
		return false;
	const char *host = text.p + scheme.n, *end = text.p + text.n;
	const char *p = host;
	while (p < end && !strchr("/?#", *p))
		p++;
	/* A login before '@' would be a secret where addresses are shown. */
	return p > host && *host != ':' && !memchr(host, '@', (size_t)(p - host));
}

bool fine_database(struct str text)
{
	return starts(text, STR("postgresql://")) ||
	       (starts(text, STR("postgresql+")) && memmem(text.p, text.n, "://", 3));
}

bool fine_network(struct str text)
{
	struct shm_network network;
	return net_read(text, &network);
}

static bool fine_proxy(struct str text)
{
	enum { IPV4_BITS = 32, IPV6_BITS = 128 };
	struct str address, bits = text;
	char terminated[INET6_ADDRSTRLEN];
	struct in6_addr any;
	uint64_t n;

	bool has_bits = str_split(&bits, '/', &address) && bits.p;
	if (!str_copy(terminated, sizeof(terminated), address))
		return false;
	uint64_t max = inet_pton(AF_INET, terminated, &any) == 1    ? IPV4_BITS
		       : inet_pton(AF_INET6, terminated, &any) == 1 ? IPV6_BITS
								    : 0;
	return max && (!has_bits || str_to_u64(bits, 0, max, &n));
}

bool fine_networks(struct str text)
{
	struct str one;

	while (str_split(&text, ' ', &one))
		if (one.n && !fine_proxy(one))
			return false;
	return true;
}

/* As browsers send it: small letters, no path, no standard port. */
static bool fine_origin(struct str text)
{
	struct str host, port, rest = text;
	uint64_t n;

	if (starts(text, STR("https://")))
		rest = (struct str){text.p + strlen("https://"), text.n - strlen("https://")};
	else if (starts(text, STR("http://")))
		rest = (struct str){text.p + strlen("http://"), text.n - strlen("http://")};
	else
		return false;
	port = rest;
	(void)str_split(&port, ':', &host);
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
			return false;
	}
	return host.n && (!port.p || str_to_u64(port, 1, UINT16_MAX, &n));
}

bool fine_origins(struct str text)
{
	struct str one;

	while (str_split(&text, ' ', &one))
		if (one.n && !fine_origin(one))
			return false;
	return true;
}

/* A 'd' in form is a digit; everything else stands for itself. */
static bool has_form(struct str text, const char *form)
{
	if (text.n != strlen(form))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		bool is_digit = text.p[i] >= '0' && text.p[i] <= '9';
		if (form[i] == 'd' ? !is_digit : text.p[i] != form[i])
			return false;
	}
	return true;
}

static int two_digits(const char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

bool fine_date(struct str text)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (!has_form(text, "dddd-dd-dd"))
		return false;
	int century = two_digits(text.p), year = two_digits(text.p + 2);
	int month = two_digits(text.p + 5), day = two_digits(text.p + 8);
	bool is_leap = year % 4 == 0 && (year != 0 || century % 4 == 0);
	return century >= 20 && century <= 21 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= days[month - 1] && (month != 2 || day <= 28 || is_leap);
}

/* "Z", "+05:30": seconds ahead of UTC. */
static bool offset_read(struct str text, int64_t *seconds)
{
	enum { HOURS_MOST = 15 }; /* as PostgreSQL has it */
	*seconds = 0;
	if (str_eq(text, STR("Z")))
		return true;
	if (!has_form(text, "+dd:dd") && !has_form(text, "-dd:dd"))
		return false;
	int hours = two_digits(text.p + 1), minutes = two_digits(text.p + 4);
	*seconds = (*text.p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return hours <= HOURS_MOST && minutes <= 59;
}

/* ".123": up to six digits, in microseconds; cut off text. */
static bool fraction_read(struct str *text, int64_t *us)
{
	size_t n = 1;
	int64_t unit = 100000;
	*us = 0;
	if (!text->n || *text->p != '.')
		return true;
	for (; n < text->n && text->p[n] >= '0' && text->p[n] <= '9'; n++, unit /= 10)
		*us += (text->p[n] - '0') * unit;
	text->p += n;
	text->n -= n;
	return n > 1 && n <= 7;
}

bool instant_read(struct str text, int64_t *at_us)
{
	enum { DATE_BYTES = 10, WHOLE_BYTES = 19 }; /* "2026-12-01T09:00:00" */
	struct tm tm = {0};
	int64_t offset_s, fraction_us;
	if (text.n <= WHOLE_BYTES ||
		!has_form((struct str){text.p, WHOLE_BYTES}, "dddd-dd-ddTdd:dd:dd") ||
		!fine_date((struct str){text.p, DATE_BYTES}))
		return false;
	tm.tm_year = two_digits(text.p) * 100 + two_digits(text.p + 2) - 1900;
	tm.tm_mon = two_digits(text.p + 5) - 1;
	tm.tm_mday = two_digits(text.p + 8);
	tm.tm_hour = two_digits(text.p + 11);
	tm.tm_min = two_digits(text.p + 14);
	tm.tm_sec = two_digits(text.p + 17);
	if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 59)
		return false;
	struct str rest = {text.p + WHOLE_BYTES, text.n - WHOLE_BYTES};
	if (!fraction_read(&rest, &fraction_us) || !offset_read(rest, &offset_s))
		return false;
	*at_us = ((int64_t)timegm(&tm) - offset_s) * US_PER_S + fraction_us;
	return true;
}

bool fine_instant(struct str text)
{
	int64_t at_us;
	return instant_read(text, &at_us);
}

bool day_time_read(struct str text, char out[DAY_TIME_BYTES])
{
	enum { DATE_BYTES = 11 }; /* "2024-01-01T" */
	char time[DAY_TIME_BYTES] = "00:00:00";

	if (text.n > DATE_BYTES) {
		struct str date = {text.p, DATE_BYTES};
		if (!has_form(date, "dddd-dd-ddT") && !has_form(date, "dddd-dd-dd "))
			return false;
		text = (struct str){text.p + DATE_BYTES, text.n - DATE_BYTES};
	}
	if (!has_form(text, "dd:dd") && !has_form(text, "dd:dd:dd"))
		return false;
	memcpy(time, text.p, text.n);
	if (two_digits(time) > 23 || two_digits(time + 3) > 59 || two_digits(time + 6) > 59)
		return false;
	memcpy(out, time, sizeof(time));
	return true;
}

bool fine_day_time(struct str text)
{
	char out[DAY_TIME_BYTES];
	return day_time_read(text, out);
}
