/* The directory: SQL to private picture to segment. See directory.h. */
#include <stdlib.h>

#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/days.h"
#include "dispatcher/directory.h"
#include "dispatcher/facts.h"
#include "dispatcher/halt.h"
#include "dispatcher/health.h"
#include "dispatcher/hours.h"
#include "dispatcher/lookups.h"
#include "dispatcher/rates.h"
#include "dispatcher/recover.h"
#include "dispatcher/redial_rules.h"
#include "dispatcher/route.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/users.h"
#include "dispatcher/work.h"
#include "shm/directory.h"
#include "shm/hours.h"
#include "shm/network.h"
#include "shm/scope.h"
#include "shm/tenant.h"

#include "common/base.h"

/* An API key that is in the segment. */
struct known_key {
	struct digest digest;
	bool seen;
	UT_hash_handle hh;
};

struct client *client_find(struct dispatcher *d, uint64_t id)
{
	struct client *client;
	HASH_FIND(hh, d->clients, &id, sizeof(id), client);
	return client;
}

struct edge *edge_find(struct client *client, uint64_t server_id)
{
	struct edge *edge = client->edges;
	while (edge && edge->server->id != server_id)
		edge = edge->next_of_client;
	return edge;
}

/* ---- columns ---- */

/* By position in the SQL enum's labels; an unknown label (a newer schema) counts as the most careful one. */
static uint32_t by_name(struct str name, const char *const *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_eq(name, str_of(names[i])))
			return i;
	return n - 1;
}

static const char *const client_statuses[CLIENT_STATUS__N] = {"active", "paused", "suspended"};
static const char *const server_statuses[SERVER_STATUS__N] = {"active", "draining", "disabled"};

/* ---- clients ---- */

static void read_hours(
	struct dispatcher *d, const struct rows *rows, int i, struct shm_client *client)
{
	const struct hours_text text = {
		.opens_s = row_i64(rows, i, 16),
		.closes_s = row_i64(rows, i, 17),
		.calling_days = row_text(rows, i, 23),
		.callee_zone = row_bool(rows, i, 24),
		.holidays = row_text(rows, i, 25),
	};
	if (!hours_read(client, &text, d->now_us) || !zone_find(str_of(client->timezone)))
		log_error("directory.hours", "client=%llu timezone=%s why=%s do=%s",
			(unsigned long long)client->id, log_q(client->timezone),
			log_q("its calling hours or its zone cannot be read: it may call nobody"),
			log_q("set them again, or install tzdata"));
}

static bool read_client(struct dispatcher *d, const struct rows *rows, int i, struct shm_client *c)
{
	*c = (struct shm_client){
		.id = (uint64_t)row_i64(rows, i, 0),
		.allocated_channels = (uint32_t)row_i64(rows, i, 8),
		.rate_limit = (uint32_t)row_i64(rows, i, 9),
		.calls_per_second = (uint32_t)row_i64(rows, i, 10),
		.requests_per_minute = (uint32_t)row_i64(rows, i, 11),
		.weight = (uint32_t)MAX(row_i64(rows, i, 12), INT64_C(1)),
		.status = by_name(row_text(rows, i, 13), client_statuses, CLIENT_STATUS__N),
		.is_active = row_bool(rows, i, 14),
		.auto_dispatch = row_bool(rows, i, 15),
		.is_test = row_bool(rows, i, 26),
		.created_us = row_time(rows, i, 18),
		.updated_us = row_time(rows, i, 19),
	};
	/* What cannot be read allows nothing. */
	if (!number_check_read(row_text(rows, i, 20), &c->policy.check) ||
		!policy_read(&c->policy, row_text(rows, i, 21), row_text(rows, i, 22)))
		log_error("directory.policy", "client=%llu", (unsigned long long)c->id);
	if (!row_copy(rows, i, 6, c->timezone, sizeof(c->timezone)))
		return false;
	read_hours(d, rows, i, c);
	return row_copy(rows, i, 1, c->name, sizeof(c->name)) &&
	       row_copy(rows, i, 2, c->accountcode, sizeof(c->accountcode)) &&
	       row_copy(rows, i, 3, c->did, sizeof(c->did)) &&
	       row_copy(rows, i, 4, c->phone_number, sizeof(c->phone_number)) &&
	       row_copy(rows, i, 5, c->callbackurl, sizeof(c->callbackurl)) &&
	       row_copy(rows, i, 7, c->region, sizeof(c->region));
}

/* In the segment at once, because its usage words are needed, but under generation 0, which nobody trusts: its tenant's
 * words were not read before its row. The next load, asked for here, does that in order. */
static struct client *client_add(struct dispatcher *d, const struct shm_client *facts)
{
	struct shm_client_row *row = dir_put_client(d->seg, facts);
	if (!row) {
		log_error("directory.full", "table=clients do=\"raise segment.clients\"");
		return NULL;
	}
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		die("memory.exhausted", "bytes=%zu", sizeof(*client));
	client->id = facts->id;
	client->usage = &row->usage;
	client->day.shown = &row->day;
	HASH_ADD(hh, d->clients, id, sizeof(client->id), client);
	d->directory_wanted = true;
	return client;
}

static void take_clients(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct shm_client facts;
		if (!read_client(d, rows, i, &facts)) {
			log_error("directory.client",
				"client=%llu why=\"a text is longer than the segment holds\"",
				(unsigned long long)facts.id);
			continue;
		}
		struct client *client = client_find(d, facts.id);
		if (client)
			facts.generation = client->generation_before;
		else
			client = client_add(d, &facts);
		if (!client)
			continue;
		client->seen = true;
		facts.halted = halt_holds(d, client);
		client_set_facts(d, client, &facts);
	}
}

/* What is done with their answered calls, and where these may go on. */
static void take_answering(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (struct client *c = d->clients; c; c = c->hh.next) {
		c->answering = 0;
		texts_free(&c->contexts);
	}
	for (int i = 0; i < rows->n; i++) {
		struct client *client = client_find(d, (uint64_t)row_i64(rows, i, 0));
		if (!client)
			continue;
		client->answering = (row_bool(rows, i, 1) ? (uint32_t)SEEN_RECORD : 0u) |
				    (row_bool(rows, i, 2) ? (uint32_t)SEEN_AMD : 0u);
		texts_read(rows, i, 3, &client->contexts);
	}
}

static void client_remove(struct dispatcher *d, struct client *client)
{
	work_forget_client(d, client);
	sched_forget_client(d, client);
	for (struct slot *slot = d->by_entry; slot; slot = slot->hh.next)
		if (slot->client == client) {
			ahead_orphan(d, slot);
			slot->client = NULL;
			slot->edge = NULL;
			slot->chunk = NULL;
		}
	dir_remove_client(d->seg, client->id);
	HASH_DEL(d->clients, client);
	day_free(client);
	heap_free(&client->again_batches);
	hours_forget(client);
	texts_free(&client->contexts);
	free(client);
}

/* ---- keys ---- */

static void take_keys(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct str digest = row_bytes(rows, i, 2);
		int64_t expires = row_time(rows, i, 3);
		struct shm_key key = {
			.id = (uint64_t)row_i64(rows, i, 0),
			.client_id = (uint64_t)row_i64(rows, i, 1),
			.expires_us = expires == INT64_MIN ? 0 : expires,
		};
		struct known_key *known;
		if (!scopes_read(row_text(rows, i, 4), ' ', &key.scopes))
			log_warn("directory.scope", "key=%llu why=%s", (unsigned long long)key.id,
				log_q("a newer schema has a scope that this version does not "
				      "know"));
		if (!net_list_read(row_text(rows, i, 5), &key))
			log_error("directory.networks", "key=%llu do=%s",
				(unsigned long long)key.id,
				log_q("it may be used from nowhere: make another one"));
		memcpy(key.digest.b, digest.p, MIN(digest.n, sizeof(key.digest.b)));
		if (!dir_put_key(d->seg, &key)) {
			log_error("directory.full", "table=keys do=\"raise segment.clients\"");
			continue;
		}
		HASH_FIND(hh, d->known_keys, &key.digest, sizeof(key.digest), known);
		if (!known) {
			known = calloc(1, sizeof(*known));
			if (!known)
				die("memory.exhausted", "bytes=%zu", sizeof(*known));
			known->digest = key.digest;
			HASH_ADD(hh, d->known_keys, digest, sizeof(known->digest), known);
		}
		known->seen = true;
	}
}

static bool key_is_seen(const struct dispatcher *d, const struct digest *digest)
{
	struct known_key *known;
	HASH_FIND(hh, d->known_keys, digest, sizeof(*digest), known);
	return known && known->seen;
}

/* Also those of an earlier life, which were revoked while no dispatcher ran. */
static void remove_unseen_keys(struct dispatcher *d)
{
	struct known_key *key, *next;
	uint32_t n;
	const struct shm_key_row *rows = seg_keys(d->seg, &n);

	for (uint32_t i = 0; i < n; i++) {
		struct digest digest = rows[i].data.digest;
		if (atomic_load_explicit(&rows[i].row.used, memory_order_relaxed) == ROW_USED &&
			!key_is_seen(d, &digest))
			(void)dir_remove_key(d->seg, &digest);
	}
	HASH_ITER (hh, d->known_keys, key, next) {
		if (key->seen)
			continue;
		HASH_DEL(d->known_keys, key);
		free(key);
	}
}

/* ---- servers ---- */

static const char too_long[] = "a text is longer than the segment holds";

static bool read_secret(const struct dispatcher *d, const struct rows *rows, int i,
	struct access *access, struct err *err)
{
	struct strbuf plain = STRBUF_INIT;
	bool ok = secret_open(&d->secret_key, row_bytes(rows, i, 5), &plain, err);
	if (ok && !str_copy(access->secret, sizeof(access->secret), strbuf_view(&plain)))
		ok = fail(err, ERR_INPUT, "%s", too_long);
	secret_wipe(plain.p, plain.n);
	strbuf_free(&plain);
	return ok || fail_context(err, "set its AMI secret again");
}

/* Every byte of it, also between its members. */
static bool read_access(const struct dispatcher *d, const struct rows *rows, int i,
	struct access *access, struct err *err)
{
	memset(access, 0, sizeof(*access));
	access->port = (uint32_t)row_i64(rows, i, 3);
	access->md5 = row_bool(rows, i, 6);
	access->tls = row_bool(rows, i, 17);
	access->is_sandbox = row_bool(rows, i, 22);
	access->trust.verify = row_bool(rows, i, 18);
	if (!row_copy(rows, i, 2, access->host, sizeof(access->host)) ||
		!row_copy(rows, i, 4, access->user, sizeof(access->user)) ||
		!row_copy(rows, i, 19, access->trust.ca, sizeof(access->trust.ca)) ||
		!row_copy(rows, i, 20, access->trust.name, sizeof(access->trust.name)))
		return fail(err, ERR_INPUT, "%s", too_long);
	return access->is_sandbox || read_secret(d, rows, i, access, err);
}

static bool read_facts(struct dispatcher *d, const struct rows *rows, int i, struct server *server,
	struct err *err)
{
	struct shm_server f = {
		.id = server->id,
		.port = (uint32_t)row_i64(rows, i, 3),
		.allowed_active_calls = (uint32_t)row_i64(rows, i, 8),
		.rate_limit = (uint32_t)row_i64(rows, i, 9),
		.calls_per_second = (uint32_t)row_i64(rows, i, 10),
		.status = by_name(row_text(rows, i, 16), server_statuses, SERVER_STATUS__N),
		.counts_foreign = row_bool(rows, i, 21),
	};
	if (!row_copy(rows, i, 1, f.server_code, sizeof(f.server_code)) ||
		!row_copy(rows, i, 2, f.host, sizeof(f.host)) ||
		!row_copy(rows, i, 7, server->channel_template, sizeof(server->channel_template)) ||
		!row_copy(rows, i, 13, server->extension, sizeof(server->extension)) ||
		!row_copy(rows, i, 23, server->recording_directory,
			sizeof(server->recording_directory)))
		return fail(err, ERR_INPUT, "%s", too_long);
	server_set_facts(d, server, &f);
	texts_read(rows, i, 11, &server->prefixes);
	texts_read(rows, i, 12, &server->contexts);
	caller_ids_read(d, rows, i, 14, &server->dids);
	texts_read(rows, i, 15, &server->endpoints);
	texts_read(rows, i, 24, &server->offered);
	return true;
}

static bool read_server(
	struct dispatcher *d, const struct rows *rows, int i, struct server *server, bool *moved)
{
	struct access access;
	struct err err;
	bool ok = read_access(d, rows, i, &access, &err) && read_facts(d, rows, i, server, &err);
	if (ok) {
		*moved = memcmp(&access, &server->access, sizeof(access)) != 0;
		memcpy(&server->access, &access, sizeof(access));
	} else {
		struct str code = row_text(rows, i, 1);
		log_error("directory.server", "server=%.*s why=%s", (int)code.n, code.p,
			log_q(err.text));
	}
	secret_wipe(&access, sizeof(access));
	return ok;
}

static void server_free(struct dispatcher *d, struct server *server)
{
	texts_free(&server->prefixes);
	texts_free(&server->contexts);
	texts_free(&server->endpoints);
	texts_free(&server->offered);
	caller_ids_drop(d, &server->dids);
	free(server);
}

static void take_servers(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		uint64_t id = (uint64_t)row_i64(rows, i, 0);
		struct server *server = server_find(d, id);
		bool moved = false, new = !server;
		if (new) {
			server = calloc(1, sizeof(*server));
			if (!server)
				die("memory.exhausted", "bytes=%zu", sizeof(*server));
			server->id = id;
			server->d = d;
		}
		struct shm_server_row *row = NULL;
		if (read_server(d, rows, i, server, &moved)) {
			row = dir_put_server(d->seg, &server->facts);
			if (!row)
				log_error("directory.full",
					"table=servers do=\"raise segment.servers\"");
		}
		if (!row) {
			if (new)
				server_free(d, server);
			else
				server->seen = true;
			continue;
		}
		server->row = row;
		if (new)
			health_adopt(server);
		server->usage = &row->usage;
		server->ami = &row->ami;
		server->seen = true;
		if (new)
			HASH_ADD(hh, d->servers, id, sizeof(server->id), server);
		if (!new && moved)
			server_stop(server);
		if (!server->conn && d->recovered)
			server_start(d, server, -1);
	}
}

static void edge_remove(struct dispatcher *d, struct edge *edge);

static void server_remove(struct dispatcher *d, struct server *server)
{
	server_stop(server);
	for (struct client *c = d->clients; c; c = c->hh.next) {
		struct edge *edge = edge_find(c, server->id);
		if (edge)
			edge_remove(d, edge);
	}
	for (struct slot *slot = d->by_entry; slot; slot = slot->hh.next)
		if (slot->server == server) {
			ahead_orphan(d, slot);
			slot->server = NULL;
		}
	sched_forget_server(d, server);
	server_forget_turns(server);
	dir_remove_server(d->seg, server->id);
	HASH_DEL(d->servers, server);
	secret_wipe(&server->access, sizeof(server->access));
	server_free(d, server);
}

/* ---- allocations ---- */

static void edge_remove(struct dispatcher *d, struct edge *edge)
{
	struct edge **link = &edge->client->edges;
	sched_forget_edge(edge);
	while (*link != edge)
		link = &(*link)->next_of_client;
	*link = edge->next_of_client;
	for (struct slot *slot = d->by_entry; slot; slot = slot->hh.next)
		if (slot->edge == edge) {
			ahead_orphan(d, slot);
			slot->edge = NULL;
		}
	dir_remove_allocation(d->seg, edge->client->id, edge->server->id);
	caller_ids_drop(d, &edge->dids);
	free(edge);
}

static struct edge *edge_add(struct client *client, struct server *server)
{
	struct edge *edge = calloc(1, sizeof(*edge));
	if (!edge)
		die("memory.exhausted", "bytes=%zu", sizeof(*edge));
	edge->client = client;
	edge->server = server;
	struct edge **link = &client->edges;
	while (*link)
		link = &(*link)->next_of_client;
	*link = edge;
	return edge;
}

static void take_allocations(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct shm_allocation facts = {
			.client_id = (uint64_t)row_i64(rows, i, 0),
			.server_id = (uint64_t)row_i64(rows, i, 1),
			.allowed_active_calls = (uint32_t)row_i64(rows, i, 2),
			.rate_limit = (uint32_t)row_i64(rows, i, 3),
			.calls_per_second = (uint32_t)row_i64(rows, i, 4),
			.status = by_name(row_text(rows, i, 6), server_statuses, SERVER_STATUS__N),
		};
		struct client *client = client_find(d, facts.client_id);
		struct server *server = server_find(d, facts.server_id);
		if (!client || !server) { /* made between two of our reads */
			d->directory_wanted = true;
			continue;
		}
		struct shm_allocation_row *row = dir_put_allocation(d->seg, &facts);
		if (!row) {
			log_error("directory.full",
				"table=allocations do=\"raise segment.allocations\"");
			continue;
		}
		struct edge *edge = edge_find(client, server->id);
		bool is_new = !edge;
		if (is_new)
			edge = edge_add(client, server);
		edge->usage = &row->usage;
		edge->seen = true;
		edge_set_facts(d, edge, &facts);
		caller_ids_read(d, rows, i, 5, &edge->dids);
		if (is_new)
			rates_of_share(d, edge);
	}
}

/* ---- a load ---- */

static void remove_unseen(struct dispatcher *d)
{
	struct client *client, *next_client;
	struct server *server, *next_server;

	HASH_ITER (hh, d->clients, client, next_client) {
		for (struct edge *e = client->edges, *next; e; e = next) {
			next = e->next_of_client;
			if (!e->seen || !client->seen)
				edge_remove(d, e);
		}
		if (!client->seen)
			client_remove(d, client);
	}
	HASH_ITER (hh, d->servers, server, next_server)
		if (!server->seen)
			server_remove(d, server);
	users_end(d);
	remove_unseen_keys(d);
}

/* Last of all: a client's row carries the generation that makes its keys, users and allocations believed, so those that are
 * gone must be gone before. */
static void publish_clients(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next)
		(void)dir_put_client(d->seg, &c->facts); /* has its row already */
}

static void mark_unseen(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next) {
		c->seen = false;
		if (!tenant_generation(d->seg, c->id, &c->generation_before))
			c->generation_before = 0;
		for (struct edge *e = c->edges; e; e = e->next_of_client)
			e->seen = false;
	}
	for (struct server *s = d->servers; s; s = s->hh.next)
		s->seen = false;
	for (struct known_key *k = d->known_keys; k; k = k->hh.next)
		k->seen = false;
	users_begin(d);
}

static void loaded(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->directory_running = false;
	if (!ok) {
		lookups_pause(d);
		d->directory_wanted = true;
		d->recovering = false; /* a recovery under way begins again */
		return;
	}
	remove_unseen(d);
	halts_loaded(d);
	publish_clients(d);
	terms_settle_all(d);
	log_info("directory.loaded", "clients=%u servers=%u keys=%u", HASH_COUNT(d->clients),
		HASH_COUNT(d->servers), HASH_COUNT(d->known_keys));
	if (!d->recovered)
		recover_with_directory(d);
	else if (!d->directory_wanted)
		segment_set_ready(d->seg, true);
}

void directory_load(struct dispatcher *d)
{
	mark_unseen(d);
	d->directory_running = true;
	d->directory_wanted = false;
	stream_query(d->lookups, SQL_DIRECTORY_CLIENTS, NULL, take_clients, d);
	days_load(d);
	hours_load(d);
	halts_load(d);
	redial_rules_load(d);
	stream_query(d->lookups, SQL_DIRECTORY_ANSWERING, NULL, take_answering, d);
	stream_query(d->lookups, SQL_DIRECTORY_USERS, NULL, users_take, d);
	stream_query(d->lookups, SQL_DIRECTORY_KEYS, NULL, take_keys, d);
	stream_query(d->lookups, SQL_DIRECTORY_SERVERS, NULL, take_servers, d);
	stream_query(d->lookups, SQL_DIRECTORY_ALLOCATIONS, NULL, take_allocations, d);
	stream_end(d->lookups, loaded, d);
}

bool directory_is_behind(const struct dispatcher *d)
{
	uint64_t now;
	for (const struct client *c = d->clients; c; c = c->hh.next)
		if (c->usage && tenant_generation(d->seg, c->id, &now) &&
			now != c->facts.generation)
			return true;
	return false;
}
