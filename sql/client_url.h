/* The address of a client's own PostgreSQL database, which somebody else writes: what we take of it, and how we connect. */
#ifndef CCS_SQL_CLIENT_URL_H
#define CCS_SQL_CLIENT_URL_H

#include <libpq-fe.h>

#include "common/err.h"
#include "common/str.h"

struct client_url {
	char host[256];
	char port[8];
	char user[128];
	char password[256];
	char dbname[128];
	char sslmode[16];
};

/* postgresql://user:password@host:port/database?sslmode=verify-full, or postgresql+driver:// as SQLAlchemy writes it. One
 * host, by name or address; nothing of libpq's but host, port, user, password, dbname and sslmode (disable, require,
 * verify-ca or, by default, verify-full). INPUT, naming what is wrong, never with the password. */
MUST_USE bool client_url_parse(struct str text, struct client_url *out, struct err *err);

/* One to connect with: parse lets a word stand for the port, as in the onboarding document's "host:port", this does not. */
MUST_USE bool client_url_read(struct str text, struct client_url *out, struct err *err);

bool client_url_same_database(const struct client_url *a, const struct client_url *b);

/* May the connection do without a verified certificate? Only with one that the operator's own network protects. */
bool client_url_is_verified(const struct client_url *url);

enum { CLIENT_URL_PARAMETERS = 24 };

/* For PQconnectStartParams, with expand_dbname 0. address is where host was resolved to; ca_file "" = the system's. Points
 * into url and the other texts. Nothing of our own environment or files is used. */
struct client_url_parameters {
	const char *keywords[CLIENT_URL_PARAMETERS];
	const char *values[CLIENT_URL_PARAMETERS];
};
void client_url_parameters(struct client_url_parameters *out, const struct client_url *url,
	const char *address, const char *ca_file);

#endif
