/* Path and method to handler, by routes.def. nginx locations, router, 405s and the API document all
 * come from there. A trailing slash is accepted everywhere and never redirected. */
#ifndef CCS_FCGI_ROUTER_H
#define CCS_FCGI_ROUTER_H

#include "fcgi/app.h"
#include "fcgi/reply.h"
#include "fcgi/req.h"
#include "shm/scope.h"

#define API_PREFIX "/api/v1"

/* Each has a wall of its own in front of it: nginx_print.c. The last one wins where a path has several. BULK takes bodies up to [api] max_body_bytes, LOAD up to [api] max_load_bytes, all others ROUTE_BODY_BYTES. */
enum route_pool {
	ROUTE_FAST,
	ROUTE_SQL,
	ROUTE_WAIT,
	ROUTE_EXPORT,
	ROUTE_CALL,
	ROUTE_BULK,
	ROUTE_LOAD,
	ROUTE_LOGIN,
	ROUTE_ADMIN
};
enum { ROUTE_BODY_BYTES = 64 * 1024 };

enum route_who {
	WHO_PUBLIC, /* no credential is looked at */
	WHO_CLIENT, /* an active client */
	WHO_USER,  /* by a token: an active client's user, or an administrator, who has signed in */
	WHO_ADMIN, /* an administrator, by a token or by a key that is no client's */
	WHO_SERVER, /* an Asterisk server, by its key */
};

/* Reads its input, makes one call to segment or database, writes reply->body. On false err is
 * filled and nothing has been changed. */
typedef bool handler_fn(struct app *app, struct req *req, struct reply *reply, struct err *err);

struct route {
	enum method method;
	const char *pattern; /* "/clients/queue-masters/{client_id:id}" */
	enum route_pool pool;
	enum route_who who;
	uint32_t scope; /* enum shm_scope that a credential must have; 0: none */
	handler_fn *handler;
	const char *name;
	const char *summary;
};

extern const struct route routes[];
extern const size_t routes_n;

/* Every handler of routes.def: handle_<name>. */
#define ROUTE(method, pattern, pool, who, scope, name, summary) handler_fn handle_##name;
#include "fcgi/routes.def"
#undef ROUTE

/* What the fast pool does for a route that waits: ends in reply->waits, or gives the request back. */
bool call_park(struct app *app, struct req *req, struct reply *reply);

/* The pool whose business the route is. */
enum pool route_home(const struct route *route);

/* What a request of this route counts as, beside being a request. */
enum shm_minute route_class(const struct route *route);

/* Finds the route of path and method in a table and fills req->route and parameters. Fails with
 * MISSING or METHOD (allow says which would do: "GET, HEAD, OPTIONS"). */
MUST_USE bool route_find(const struct route *table, size_t n, struct req *req, char *allow,
	size_t allow_size, struct err *err);

/* The place of a pattern's parameter; a name that it does not have ends the process. */
size_t route_param(const struct route *route, const char *name);

/* "GET"; "?" for OTHER. */
const char *method_name(enum method method);
enum method method_of(struct str text);

#endif
