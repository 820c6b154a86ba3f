/* The route table and the search in it: see router.h. Some dozens of routes: a walk over the table
 * costs less than a microsecond, so there is no index. */
#include <stdio.h>

#include "common/log.h"
#include "common/str.h"
#include "fcgi/router.h"

#include "common/base.h"

enum { ID_MAX_BITS = 53 };

const struct route routes[] = {
#define ROUTE(method, pattern, pool, who, scope, name, summary)                                    \
	{METHOD_##method, pattern, ROUTE_##pool, WHO_##who, SCOPE_##scope, handle_##name, #name,   \
		summary},
#include "fcgi/routes.def"
#undef ROUTE
};
const size_t routes_n = ARRAY_LEN(routes);

enum pool route_home(const struct route *route)
{
	static const enum pool homes[] = {[ROUTE_FAST] = POOL_FAST,
		[ROUTE_SQL] = POOL_SQL,
		[ROUTE_WAIT] = POOL_SQL,
		[ROUTE_BULK] = POOL_CALL,
		[ROUTE_LOAD] = POOL_SQL,
		[ROUTE_CALL] = POOL_CALL,
		[ROUTE_EXPORT] = POOL_SQL,
		[ROUTE_LOGIN] = POOL_LOGIN,
		[ROUTE_ADMIN] = POOL_ADMIN};
	return homes[route->pool];
}

enum shm_minute route_class(const struct route *route)
{
	static const enum shm_minute classes[] = {[ROUTE_BULK] = MINUTE_INSERTS,
		[ROUTE_LOAD] = MINUTE_INSERTS,
		[ROUTE_CALL] = MINUTE_INSERTS,
		[ROUTE_EXPORT] = MINUTE_EXPORTS,
		[ROUTE_LOGIN] = MINUTE_REQUESTS,
		[ROUTE_ADMIN] = MINUTE_REQUESTS};
	return classes[route->pool];
}

static const char *const method_names[METHOD__N] = {
	[METHOD_GET] = "GET",
	[METHOD_POST] = "POST",
	[METHOD_PUT] = "PUT",
	[METHOD_PATCH] = "PATCH",
	[METHOD_DELETE] = "DELETE",
	[METHOD_OPTIONS] = "OPTIONS",
	[METHOD_OTHER] = "?",
};

const char *method_name(enum method method)
{
	return method_names[method];
}

enum method method_of(struct str text)
{
	if (str_eq(text, STR("HEAD")))
		return METHOD_GET;
	for (enum method m = METHOD_GET; m < METHOD_OTHER; m++)
		if (str_eq(text, str_of(method_names[m])))
			return m;
	return METHOD_OTHER;
}

/* The name and type of "{name:type}"; false when the segment is literal. */
static bool parameter(struct str segment, struct str *name, struct str *type)
{
	if (segment.n < 2 || segment.p[0] != '{')
		return false;
	*type = (struct str){segment.p + 1, segment.n - 2};
	return str_split(type, ':', name);
}

/* "clients/me/" and "clients/me" have the same segments. */
static struct str without_last_slash(struct str path)
{
	if (path.n && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

/* Compares segment by segment, path without its first slash, and notes the texts of parameters. */
static bool matches(const struct route *route, struct str path, struct str texts[REQ_PARAMS_MAX])
{
	struct str rest = str_of(route->pattern + 1), name, type, want, have;
	size_t n = 0;

	path = without_last_slash(path);
	while (str_split(&rest, '/', &want)) {
		if (!str_split(&path, '/', &have) || have.n == 0)
			return false;
		if (parameter(want, &name, &type))
			texts[n++] = have;
		else if (!str_eq(want, have))
			return false;
	}
	return !path.p;
}

size_t route_param(const struct route *route, const char *wanted)
{
	struct str rest = str_of(route->pattern), segment, name, type;
	size_t at = 0;
	while (str_split(&rest, '/', &segment)) {
		if (!parameter(segment, &name, &type))
			continue;
		if (str_eq(name, str_of(wanted)))
			return at;
		at++;
	}
	die("route.no_parameter", "route=%s parameter=%s", route->name, wanted);
}

/* Parameters of type id become numbers. What is no id is nobody's: 0, and 403 like all that is not the caller's. */
static void convert(struct req *req)
{
	struct str rest = str_of(req->route->pattern), segment, name, type;
	size_t at = 0;
	while (str_split(&rest, '/', &segment)) {
		if (!parameter(segment, &name, &type))
			continue;
		if (str_eq(type, STR("id")) &&
			!str_to_u64(req->param_text[at], 1, (UINT64_C(1) << ID_MAX_BITS) - 1,
				&req->param_id[at]))
			req->param_id[at] = 0;
		at++;
	}
}

static void allow_add(char *allow, size_t size, enum method method)
{
	size_t used = strlen(allow);
	(void)snprintf(allow + used, size - used, "%s%s", used ? ", " : "",
		method == METHOD_GET ? "GET, HEAD" : method_name(method));
}

bool route_find(const struct route *table, size_t n, struct req *req, char *allow,
	size_t allow_size, struct err *err)
{
	struct str path = req->path, prefix = STR(API_PREFIX "/");
	struct str texts[REQ_PARAMS_MAX] = {{NULL, 0}};

	allow[0] = '\0';
	if (path.n < prefix.n || memcmp(path.p, prefix.p, prefix.n) != 0)
		return fail(err, ERR_MISSING, "the API lives below %s/", API_PREFIX);
	path = (struct str){path.p + prefix.n, path.n - prefix.n};
	for (const struct route *route = table; route < table + n; route++) {
		if (!matches(route, path, texts))
			continue;
		if (route->method != req->method) {
			allow_add(allow, allow_size, route->method);
			continue;
		}
		req->route = route;
		memcpy(req->param_text, texts, sizeof(texts));
		convert(req);
		return true;
	}
	if (allow[0]) {
		allow_add(allow, allow_size, METHOD_OPTIONS);
		return fail(err, ERR_METHOD, "this address takes %s", allow);
	}
	return fail(err, ERR_MISSING, "there is nothing at this address");
}
