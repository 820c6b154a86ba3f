/* One request, as a handler sees it: already routed, authenticated and within its limits.
 *
 * Everything here lives until the answer is sent: texts are borrowed from libfcgi or lie in the
 * request's arena. The frame (serve.c) fills it; handlers only read.
 */
#ifndef CCS_FCGI_REQ_H
#define CCS_FCGI_REQ_H

#include <jansson.h>

#include "common/arena.h"
#include "common/err.h"
#include "registry/field.h"
#include "shm/layout.h"

struct jwt_claims;
struct route;

/* HEAD counts as GET: nginx drops the body. OPTIONS and OTHER are in no route. */
enum method {
	METHOD_GET,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_OTHER,
	METHOD__N
};

/* Where the client's row came from. SEGMENT also says: the directory is fresh, a handler may answer
 * from it. */
enum auth_source { AUTH_NONE, AUTH_SEGMENT, AUTH_SQL };

enum {
	REQ_PARAMS_MAX = 4,
	REQ_QUERY_MAX = 32,
	REQ_ID_BYTES = 65, /* with its terminator */
};

struct req_query {
	struct str name, value; /* percent-decoded, valid UTF-8, no NUL */
};

struct req {
	enum method method;
	struct str path; /* decoded by nginx, with API_PREFIX, as it was asked for */
	const struct route *route;
	struct str param_text[REQ_PARAMS_MAX]; /* in the order of the route's pattern */
	uint64_t param_id[REQ_PARAMS_MAX];     /* of {name:id} parameters; 0: nobody's id */

	struct req_query query[REQ_QUERY_MAX];
	size_t query_n;
	char *const *env; /* CGI variables, NULL at the end: req_header */

	struct str
		body; /* whole; empty when there is none, or when the handler reads it: body_stream */
	struct FCGX_Stream *body_stream;
	uint64_t body_left;  /* bytes of it */
	struct arena *arena; /* jansson's memory too: nothing needs to be freed, NULL = too much */

	int64_t now_us; /* wall time at which the request was read: the only "now" of a handler */
	char request_id[REQ_ID_BYTES];
	int64_t age_us;	 /* since nginx has begun to read it, to a millisecond */
	unsigned rounds; /* how often it has been parked (fcgi/park.h) */

	const struct shm_client
		*client; /* who asks; NULL on PUBLIC routes, and for an administrator or a server */
	const struct jwt_claims *token;	  /* by which, or NULL */
	const struct digest *certificate; /* by which, or NULL */
	uint64_t key_id;		  /* by which API key; 0: by one of the two above */
	uint64_t server_id; /* whose key that is: an Asterisk server's; 0: it is not */
	enum auth_source source;
	uint32_t scopes; /* enum shm_scope */
	bool is_test;	 /* of a test account */
};

/* ---- the frame ---- */

/* Starts a request from CGI variables: method, path, query, id. What it borrows from env and takes
 * from arena lives as long as they do. On failure the id and now_us are set all the same, so that
 * the error can be answered. */
MUST_USE bool req_read(
	struct req *req, char *const *env, struct arena *arena, int64_t now_us, struct err *err);

/* ---- handlers ---- */

/* A query parameter, or p NULL when it is absent. "?a=" is present and empty. */
struct str req_query(const struct req *req, const char *name);

/* A whole number in [min, max]; absent = *value stays as it is. Fails with INPUT, naming it. */
MUST_USE bool req_query_u64(const struct req *req, const char *name, uint64_t min, uint64_t max,
	uint64_t *value, struct err *err);

/* "1", "true" or empty = true; "0", "false" = false; absent = *value stays as it is. */
MUST_USE bool req_query_bool(const struct req *req, const char *name, bool *value, struct err *err);

/* A request header by its CGI name ("HTTP_X_API_KEY"), or p NULL. Only those that nginx/ccs.conf.in
 * passes on exist. */
struct str req_header(const struct req *req, const char *cgi_name);

/* Of a LOAD route: the next bytes of the body, at most n; 0: there are no more. Fails with INPUT when it ends too early. */
MUST_USE bool req_body(struct req *req, char *to, size_t n, size_t *got, struct err *err);

/* The value of a {name:type} parameter of the route's pattern; a wrong name is our own bug. */
struct str req_param(const struct req *req, const char *name);
uint64_t req_param_id(const struct req *req, const char *name);

/* The body as a JSON object. An empty body is an empty object. Fails with INPUT, saying line and
 * column. Borrowed: lies in the arena. */
MUST_USE bool req_json(const struct req *req, json_t **object, struct err *err);

/* The members of the body that a table names, typed and within their limits (registry/field.h says
 * what into looks like; members that are absent stay "not given"). Fails with INPUT, naming the
 * member. Members that no field names are ignored. */
MUST_USE bool req_fields(
	const struct req *req, const struct field *fields, size_t n, void *into, struct err *err);

/* The same for a body that may be JSON or a form (application/x-www-form-urlencoded), whose values
 * are text. */
MUST_USE bool req_fields_or_form(
	const struct req *req, const struct field *fields, size_t n, void *into, struct err *err);

#endif
