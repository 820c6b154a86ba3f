/* Addresses of clients' databases: see client_url.h. */
#include "sql/client_url.h"

#include "common/base.h"

enum { URL_BYTES = 1100, FREE_PORTS = 1024 };

static const char SYSTEM_CA[] = "/etc/ssl/certs/ca-certificates.crt";
static const char NO_FILE[] = "/nonexistent/ccs";

/* Without SQLAlchemy's "+driver". */
static bool plain_url(struct str text, char out[URL_BYTES], struct err *err)
{
	static const char scheme[] = "postgresql";
	const char *rest = memmem(text.p, text.n, "://", 3);
	size_t head = sizeof(scheme) - 1;

	if (!rest || text.n < head || memcmp(text.p, scheme, head) != 0 ||
		(text.p[head] != '+' && text.p + head != rest))
		return fail(err, ERR_INPUT, "it must begin with postgresql://");
	size_t n = text.n - (size_t)(rest - text.p);
	if (head + n >= URL_BYTES || memchr(rest, '\0', n))
		return fail(err, ERR_INPUT, "it is too long, or has a NUL byte");
	memcpy(out, scheme, head);
	memcpy(out + head, rest, n);
	out[head + n] = '\0';
	return true;
}

static bool take(struct client_url *url, const PQconninfoOption *option, struct err *err)
{
	const struct {
		const char *keyword;
		char *out;
		size_t size;
	} known[] = {
		{"host", url->host, sizeof(url->host)},
		{"port", url->port, sizeof(url->port)},
		{"user", url->user, sizeof(url->user)},
		{"password", url->password, sizeof(url->password)},
		{"dbname", url->dbname, sizeof(url->dbname)},
		{"sslmode", url->sslmode, sizeof(url->sslmode)},
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(option->keyword, known[i].keyword) == 0)
			return str_copy(known[i].out, known[i].size, str_of(option->val)) ||
			       fail(err, ERR_INPUT, "its %s is too long", option->keyword);
	return fail(err, ERR_INPUT, "%s may not stand in it", option->keyword);
}

static bool has_port(const struct client_url *url, struct err *err)
{
	uint64_t port;
	return str_to_u64(str_of(url->port), FREE_PORTS, UINT16_MAX, &port) ||
	       fail(err, ERR_INPUT, "its port must be from 1024 to 65535");
}

/* A word in the port's place is a number still to come: registrations say ":port". */
static bool is_word(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static bool is_sound(const struct client_url *url, struct err *err)
{
	static const char *const modes[] = {"disable", "require", "verify-ca", "verify-full"};
	bool known_mode = false;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		known_mode |= strcmp(url->sslmode, modes[i]) == 0;
	if (!known_mode)
		return fail(err, ERR_INPUT,
			"its sslmode must be verify-full, verify-ca, require or disable");
	if (!url->host[0] || strpbrk(url->host, "/@,"))
		return fail(err, ERR_INPUT, "it must name one host");
	if (!is_word(url->port) && !has_port(url, err))
		return false;
	return (url->user[0] && url->dbname[0]) ||
	       fail(err, ERR_INPUT, "it must name a user and a database");
}

bool client_url_parse(struct str text, struct client_url *out, struct err *err)
{
	struct client_url url = {.port = "5432", .sslmode = "verify-full"};
	char plain[URL_BYTES], *why = NULL;

	if (!plain_url(text, plain, err))
		return false;
	PQconninfoOption *options = PQconninfoParse(plain, &why);
	explicit_bzero(plain, sizeof(plain));
	PQfreemem(why); /* it may repeat the password */
	if (!options)
		return fail(err, ERR_INPUT,
			"it is not written as postgresql://user:password@host:port/database");
	bool ok = true;
	for (const PQconninfoOption *o = options; ok && o->keyword; o++)
		ok = !o->val || !*o->val || take(&url, o, err);
	PQconninfoFree(options);
	if (!ok || !is_sound(&url, err))
		return false;
	*out = url;
	return true;
}

bool client_url_read(struct str text, struct client_url *out, struct err *err)
{
	return client_url_parse(text, out, err) && has_port(out, err);
}

bool client_url_same_database(const struct client_url *a, const struct client_url *b)
{
	return str_case_eq(str_of(a->host), str_of(b->host)) && strcmp(a->port, b->port) == 0 &&
	       strcmp(a->dbname, b->dbname) == 0;
}

bool client_url_is_verified(const struct client_url *url)
{
	return strcmp(url->sslmode, "verify-full") == 0;
}

void client_url_parameters(struct client_url_parameters *out, const struct client_url *url,
	const char *address, const char *ca_file)
{
	const char *const all[][2] = {
		{"host", url->host},
		{"hostaddr", address},
		{"port", url->port},
		{"user", url->user},
		{"password", url->password},
		{"dbname", url->dbname},
		{"sslmode", url->sslmode},
		{"sslrootcert", *ca_file ? ca_file : SYSTEM_CA},
		{"sslcert", NO_FILE},
		{"sslkey", NO_FILE},
		{"passfile", NO_FILE},
		{"gssencmode", "disable"},
		{"application_name", "ccs"},
		{"client_encoding", "UTF8"},
		{"connect_timeout", "5"},
		{"tcp_user_timeout", "10000"},
		{"target_session_attrs", "any"},
		{"options", ""},
	};
	_Static_assert(ARRAY_LEN(all) < CLIENT_URL_PARAMETERS, "and the end");
	size_t n = 0;
	for (; n < ARRAY_LEN(all); n++) {
		out->keywords[n] = all[n][0];
		out->values[n] = all[n][1];
	}
	out->keywords[n] = out->values[n] = NULL;
}
