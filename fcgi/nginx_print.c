/* Location blocks: see nginx_print.h. */
#include <inttypes.h>

#include "fcgi/nginx_print.h"
#include "fcgi/router.h"

#include "common/base.h"

/* Whole batches pass through memory, not through files. */
#define BULK_BUFFER "1m"

static bool same_pattern(const struct route *a, const struct route *b)
{
	return str_eq(str_of(a->pattern), str_of(b->pattern));
}

static bool printed_before(const struct route *route)
{
	for (const struct route *r = routes; r < route; r++)
		if (same_pattern(r, route))
			return true;
	return false;
}

/* A path whose methods belong to several pools goes to the first of them, which passes on what is not
 * its own. */
static enum pool pool_of(const struct route *route, bool *bulk)
{
	enum pool first = POOL_LOGIN;
	*bulk = false;
	for (const struct route *r = routes; r < routes + routes_n; r++) {
		if (!same_pattern(r, route))
			continue;
		first = MIN(first, route_home(r));
		*bulk |= r->pool == ROUTE_BULK;
	}
	return first;
}

static void print_body(struct strbuf *out, const struct conf *conf, const struct route *route)
{
	bool bulk;
	enum pool pool = pool_of(route, &bulk);
	strbuf_puts(out, " {");
	if (bulk)
		strbuf_printf(out, " client_max_body_size %" PRId64 "; client_body_buffer_size %s;",
			conf->api_max_body_bytes, BULK_BUFFER);
	strbuf_printf(out, " fastcgi_pass ccs_%s;%s }\n", pool_name(pool),
		pool == POOL_FAST ? " fastcgi_keep_conn on;" : "");
}

static void print_regex(struct strbuf *out, const struct route *route)
{
	struct str rest = str_of(route->pattern), segment;
	strbuf_puts(out, "location ~ ^" API_PREFIX);
	(void)str_split(&rest, '/', &segment); /* what stands before the first slash: nothing */
	while (str_split(&rest, '/', &segment)) {
		strbuf_putc(out, '/');
		if (segment.n && segment.p[0] == '{')
			strbuf_puts(out, "[^/]+");
		else
			strbuf_str(out, segment);
	}
	strbuf_puts(out, "/?$");
}

void nginx_print(const struct conf *conf, struct strbuf *out)
{
	strbuf_puts(out,
		"# Made by `ccs-api --print-nginx` from fcgi/routes.def: make it again after "
		"every upgrade.\n");
	for (const struct route *route = routes; route < routes + routes_n; route++) {
		if (printed_before(route))
			continue;
		if (strchr(route->pattern, '{')) {
			print_regex(out, route);
			print_body(out, conf, route);
			continue;
		}
		for (int slash = 0; slash < 2; slash++) {
			strbuf_printf(out, "location = " API_PREFIX "%s%s", route->pattern,
				slash ? "/" : "");
			print_body(out, conf, route);
		}
	}
	/* What no route names is refused by a worker, in the envelope. */
	strbuf_puts(
		out, "location " API_PREFIX "/ { fastcgi_pass ccs_fast; fastcgi_keep_conn on; }\n");
}
