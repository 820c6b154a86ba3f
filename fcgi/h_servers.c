/* GET /monitoring/serverstatus: the caller's share of each server, and what happens there now. Limits come from the segment, or from PostgreSQL when only that is certain; what happens now comes
 * from the segment or is null. */
#include <stdlib.h>

#include "common/clock.h"
#include "fcgi/auth.h"
#include "fcgi/put.h"
#include "fcgi/router.h"
#include "registry/allocation.h"
#include "shm/view.h"

#include "common/base.h"

struct share {
	struct view_allocation row;
	bool live; /* usage, connection and last error are known */
};

struct shares {
	struct share *v; /* in the arena, by server code */
	size_t n, cap;
};

static bool share_add(struct shares *shares, struct arena *arena, const struct view_allocation *row,
	bool live, struct err *err)
{
	if (shares->n == shares->cap) {
		size_t cap = MAX(shares->cap * 2, (size_t)16);
		struct share *v = arena_alloc(arena, cap * sizeof(*v));
		if (!v)
			return fail(err, ERR_TOO_LARGE, "the answer needs too much memory");
		if (shares->n)
			memcpy(v, shares->v, shares->n * sizeof(*v));
		shares->v = v;
		shares->cap = cap;
	}
	shares->v[shares->n++] = (struct share){.row = *row, .live = live};
	return true;
}

static bool from_segment(struct app *app, uint64_t client_id, struct shares *out, struct err *err)
{
	struct view view = view_of(app->segment, client_id);
	struct view_allocation row;
	for (uint32_t at = 0; view_next_allocation(&view, &at, &row);)
		if (!share_add(out, app->arena, &row, true, err))
			return false;
	return true;
}

static bool from_rows(
	const struct rows *rows, struct arena *arena, struct shares *out, struct err *err)
{
	struct allocation_row read;
	for (int i = 0; i < rows->n; i++) {
		if (!allocation_from_row(rows, i, &read, err))
			return false;
		struct view_allocation row = {
			.allocation = read.allocation, .server.server = read.server};
		if (!share_add(out, arena, &row, false, err))
			return false;
	}
	return true;
}

static bool from_sql(struct app *app, uint64_t client_id, struct shares *out, struct err *err)
{
	struct rows rows = ROWS_INIT;
	if (!allocations_of_client(app->db, client_id, &rows, err))
		return false;
	bool done = from_rows(&rows, app->arena, out, err);
	rows_free(&rows);
	return done;
}

/* The directory may be out of date about this client; what its calls and servers do is not. */
static void add_live(const struct app *app, uint64_t client_id, struct shares *shares)
{
	struct view view = view_of(app->segment, client_id);
	struct view_allocation now;
	for (uint32_t at = 0; view_next_allocation(&view, &at, &now);)
		for (size_t i = 0; i < shares->n; i++) {
			struct share *share = &shares->v[i];
			if (share->row.server.server.id != now.server.server.id)
				continue;
			share->row.usage = now.usage;
			share->row.server.ami = now.server.ami;
			share->row.server.health = now.server.health;
			share->row.server.error = now.server.error;
			share->live = true;
		}
}

static int by_code(const void *a, const void *b)
{
	const struct share *x = a, *y = b;
	return strcmp(x->row.server.server.server_code, y->row.server.server.server_code);
}

static bool shares_load(struct app *app, const struct req *req, struct shares *out, struct err *err)
{
	*out = (struct shares){.n = 0};
	bool loaded = req->source == AUTH_SEGMENT ? from_segment(app, req->client->id, out, err)
						  : from_sql(app, req->client->id, out, err);
	if (!loaded)
		return false;
	if (req->source == AUTH_SQL && app->live)
		add_live(app, req->client->id, out);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_code);
	return true;
}

/* A share takes calls only while both sides of it do: the more closed of the two is what counts. */
static struct str share_status(const struct view_allocation *row)
{
	static const char *const names[SERVER_STATUS__N] = {
		[SERVER_ACTIVE] = "active",
		[SERVER_DRAINING] = "draining",
		[SERVER_DISABLED] = "disabled",
	};
	uint32_t status = MAX(row->allocation.status, row->server.server.status);
	return str_of(names[MIN(status, (uint32_t)SERVER_DISABLED)]);
}

static void put_connection(struct strbuf *sb, const struct ami_facts *ami)
{
	put_object(sb, "ami");
	put_bool(sb, "connected", ami->state == AMI_UP);
	put_time_ms(sb, "since", ami->since_us);
	put_tenth(sb, "lag_ms", (double)ami->lag_us / US_PER_MS);
	put_end(sb, '}');
}

static void put_last_error(struct strbuf *sb, const struct shm_server_error *error)
{
	if (!error->text[0]) {
		put_null(sb, "last_error");
		return;
	}
	put_object(sb, "last_error");
	put_text(sb, "text", str_of(error->text));
	put_time_ms(sb, "at", error->at_us);
	put_end(sb, '}');
}

/* In a server's own words, not in its numbers: those are shared with others. */
static void put_health(struct strbuf *sb, const struct health_facts *health)
{
	bool is_closed = health->breaker == BREAKER_CLOSED;
	const char *state = health->breaker == BREAKER_OPEN    ? "paused"
			    : health->breaker == BREAKER_TRIAL ? "trial"
			    : health->pace		       ? "slowed"
							       : "healthy";

	put_object(sb, "health");
	put_text(sb, "state", str_of(state));
	put_time_ms(sb, "since", health->since_us);
	if (is_closed) {
		put_null(sb, "why");
		put_null(sb, "next_try");
	} else {
		put_text(sb, "why", str_of(fault_words(health->fault)));
		put_time_ms(sb, "next_try", health->next_us);
	}
	put_end(sb, '}');
}

/* active and allowed are the caller's own: what others do on the server is not theirs to know. */
static void put_server(struct strbuf *sb, const struct share *share)
{
	const struct view_allocation *row = &share->row;

	put_object(sb, NULL);
	put_text(sb, "server_code", str_of(row->server.server.server_code));
	put_text(sb, "status", share_status(row));
	put_u64(sb, "allowed", row->allocation.allowed_active_calls);
	put_u64(sb, "rate_limit", row->allocation.rate_limit);
	if (row->allocation.calls_per_second)
		put_u64(sb, "calls_per_second", row->allocation.calls_per_second);
	else
		put_null(sb, "calls_per_second");
	if (share->live) {
		put_u64(sb, "active", row->usage.channels);
		put_connection(sb, &row->server.ami);
		put_health(sb, &row->server.health);
		put_last_error(sb, &row->server.error);
	} else {
		put_null(sb, "active");
		put_null(sb, "ami");
		put_null(sb, "health");
		put_null(sb, "last_error");
	}
	put_end(sb, '}');
}

bool handle_server_status(struct app *app, struct req *req, struct reply *reply, struct err *err)
{
	struct str wanted = req_query(req, "server_code");
	struct strbuf *sb = &reply->body;
	struct shares shares;
	uint64_t id;

	if (!own_accountcode(req, req_query(req, "accountcode"), err))
		return false;
	if (wanted.p && !own_server(app, req, wanted, &id, err))
		return false;
	if (!shares_load(app, req, &shares, err))
		return false;
	put_object(sb, NULL);
	put_time_ms(sb, "as_of", req->now_us);
	put_array(sb, "servers");
	for (size_t i = 0; i < shares.n; i++)
		if (!wanted.p || shares.v[i].row.server.server.id == id)
			put_server(sb, &shares.v[i]);
	put_end(sb, ']');
	put_end(sb, '}');
	return true;
}
