/* The route table as JSON: see routes_print.h. */
#include "fcgi/routes_print.h"

#include "fcgi/put.h"
#include "fcgi/router.h"

#include "common/base.h"

static const char *const pool_names[] = {
	[ROUTE_FAST] = "FAST",
	[ROUTE_SQL] = "SQL",
	[ROUTE_BULK] = "BULK",
	[ROUTE_LOGIN] = "LOGIN",
};

static const char *const who_names[] = {
	[WHO_PUBLIC] = "PUBLIC",
	[WHO_CLIENT] = "CLIENT",
	[WHO_USER] = "USER",
};

void routes_print(struct strbuf *out)
{
	put_array(out, NULL);
	for (const struct route *route = routes; route < routes + routes_n; route++) {
		put_object(out, NULL);
		put_text(out, "method", str_of(method_name(route->method)));
		put_text(out, "path", str_of(route->pattern));
		put_text(out, "pool", str_of(pool_names[route->pool]));
		put_text(out, "who", str_of(who_names[route->who]));
		put_text(out, "name", str_of(route->name));
		put_text(out, "summary", str_of(route->summary));
		put_end(out, '}');
	}
	put_end(out, ']');
	strbuf_putc(out, '\n');
}
