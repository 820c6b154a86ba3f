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

/* A worker answers a file when it has stored all of it. nginx has it in a file of its own by then. */
#define LOAD_TIMEOUTS " fastcgi_send_timeout 60s; fastcgi_read_timeout 600s;"

/* What stands before a path: a zone of nginx/ccs.conf.in, and whether bodies may be large. */
static const struct wall {
	const char *zone;
	size_t per_second;
	size_t body;	  /* option that says how large bodies may be; 0: small */
	const char *more; /* for what takes its time */
} walls[] = {
#define WALL(zone, option, ...) {zone, offsetof(struct conf, nginx_##option), __VA_ARGS__}
	[ROUTE_FAST] = WALL("ccs_reads", reads_per_second, 0, ""),
	[ROUTE_SQL] = WALL("ccs_reads", reads_per_second, 0, ""),
	[ROUTE_WAIT] = WALL("ccs_reads", reads_per_second, 0, ""),
	[ROUTE_EXPORT] = WALL("ccs_reads", reads_per_second, 0, ""),
	[ROUTE_CALL] = WALL("ccs_inserts", inserts_per_second, 0, ""),
	[ROUTE_BULK] = WALL(
		"ccs_inserts", inserts_per_second, offsetof(struct conf, api_max_body_bytes), ""),
	[ROUTE_LOAD] = WALL("ccs_inserts", inserts_per_second,
		offsetof(struct conf, api_max_load_bytes), LOAD_TIMEOUTS),
	[ROUTE_LOGIN] = WALL("ccs_logins", logins_per_second, 0, ""),
	[ROUTE_ADMIN] = WALL("ccs_reads", reads_per_second, 0, ""),
#undef WALL
};

/* A path whose methods belong to several pools goes to the first of them, which passes on what is not
 * its own. Its wall is that of the last. */
static enum pool pool_of(const struct route *route, enum route_pool *wall)
{
	enum pool first = POOL__N - 1;

	*wall = ROUTE_FAST;
	for (const struct route *r = routes; r < routes + routes_n; r++) {
		if (!same_pattern(r, route))
			continue;
		first = MIN(first, route_home(r));
		*wall = MAX(*wall, r->pool);
	}
	return first;
}

static void print_zone(
	struct strbuf *out, const struct conf *conf, const char *zone, int64_t per_second)
{
	strbuf_printf(out, " limit_req zone=%s burst=%" PRId64 " nodelay;", zone,
		per_second * conf->nginx_burst_seconds);
}

static int64_t option_at(const struct conf *conf, size_t offset)
{
	return *(const int64_t *)(const void *)((const char *)conf + offset);
}

static void print_wall(struct strbuf *out, const struct conf *conf, const struct wall *wall)
{
	print_zone(out, conf, wall->zone, option_at(conf, wall->per_second));
	print_zone(out, conf, "ccs_keys", conf->nginx_key_requests_per_second);
	if (!wall->body)
		return;
	strbuf_printf(out, " client_max_body_size %" PRId64 "; client_body_buffer_size %s;",
		option_at(conf, wall->body), BULK_BUFFER);
	strbuf_printf(
		out, " limit_conn ccs_address %" PRId64 ";", conf->nginx_connections_per_address);
	strbuf_printf(out, " limit_conn ccs_large_from %" PRId64 ";", conf->nginx_large_bodies);
	strbuf_printf(out, " limit_conn ccs_large_by %" PRId64 ";%s", conf->nginx_large_bodies,
		wall->more);
}

/* Also where an answer may be long: on a connection that is not to be kept, nginx takes its end for that of the answer,
 * however much of it is missing. */
static bool is_kept(enum pool pool, enum route_pool wall)
{
	return pool_keeps(pool) || wall == ROUTE_EXPORT;
}

static void print_body(struct strbuf *out, const struct conf *conf, const struct route *route)
{
	enum route_pool wall;
	enum pool pool = pool_of(route, &wall);

	strbuf_puts(out, " {");
	print_wall(out, conf, &walls[wall]);
	if (wall == ROUTE_BULK)
		strbuf_puts(out, " fastcgi_pass $ccs_batch_pool; fastcgi_keep_conn on; }\n");
	else
		strbuf_printf(out, " fastcgi_pass ccs_%s;%s }\n", pool_name(pool),
			is_kept(pool, wall) ? " fastcgi_keep_conn on;" : "");
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
	strbuf_puts(out, "location " API_PREFIX "/ {");
	print_wall(out, conf, &walls[ROUTE_FAST]);
	strbuf_puts(out, " fastcgi_pass ccs_fast; fastcgi_keep_conn on; }\n");
}
