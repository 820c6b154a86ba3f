/* The segment's auditor: the runner, and the rules about objects, rows and the directory. See
 * check.h. */
#include "shm/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "shm/check_rules.h"
#include "shm/directory.h"
#include "shm/object.h"
#include "shm/row.h"
#include "shm/window.h"

/* A dispatcher at work changes several words in one step; what is wrong at every look is wrong. */
enum { LOOKS = 5, PAUSE_MS = 5 };

static const struct {
	const char *invariant;
	check_fn *fn;
} rules[] = {
	{"INV-1", check_headers},
	{"INV-2", check_names},
	{"INV-3", check_rows},
	{"INV-4", check_places},
	{"INV-5", check_texts},
	{"INV-6", check_references},
	{"INV-7", check_calls},
	{"INV-8", check_grants},
	{"INV-9", check_submits},
	{"INV-10", check_window},
	{"INV-11", check_ring},
	{"INV-12", check_tenants},
};

void found(struct findings *f, const char *subject, uint64_t id, const char *fmt, ...)
{
	if (f->n == FINDINGS_MAX)
		return;
	struct finding *one = &f->v[f->n++];
	one->invariant = f->invariant;
	(void)snprintf(
		one->subject, sizeof(one->subject), "%s %llu", subject, (unsigned long long)id);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(one->text, sizeof(one->text), fmt, ap);
	va_end(ap);
}

/* ---- INV-1, INV-2: objects ---- */

static const char *const object_names[SHM_OBJECT__N] = {".in", ".state", ".ev"};

void check_headers(const struct segment *seg, struct findings *f)
{
	for (int i = 0; i < SHM_OBJECT__N; i++) {
		const struct segment_map *map = &seg->map[i];
		const struct shm_header *header = object_header(map);
		if (!map->base)
			continue;
		if (header->layout_hash != shm_layout_hash() || header->bytes != map->bytes ||
			header->created_us != map->created_us ||
			memcmp(header->counts, map->counts, sizeof(map->counts)) != 0)
			found(f, object_names[i], 0,
				"the header has changed since it was attached");
		if (atomic_load_explicit(&header->state, memory_order_acquire) != SHM_READY)
			found(f, object_names[i], 0, "the object is not ready but retired");
	}
}

void check_names(const struct segment *seg, struct findings *f)
{
	for (int i = 0; i < SHM_OBJECT__N; i++) {
		const struct segment_map *map = &seg->map[i];
		dev_t dev;
		ino_t ino;
		if (!map->base)
			continue;
		if (!object_named(seg->node, (enum shm_object)i, &dev, &ino) || dev != map->dev ||
			ino != map->ino)
			found(f, object_names[i], 0,
				"its name does not lead to it: the segment is lost");
	}
}

/* ---- INV-3: no row stays half-written ---- */

/* The rows of one table: where each sequence lies. */
static void check_sequences(struct findings *f, const char *table, const void *rows, uint32_t n,
	size_t stride, size_t offset)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *at = (const char *)rows + (size_t)i * stride + offset;
		uint32_t seq;
		if (!row_read_begin((const void *)at, &seq))
			found(f, table, i, "its sequence %u is odd: a write was not finished", seq);
	}
}

#define CHECK_SEQUENCES(name, type, row)                                                           \
	check_sequences(f, #name " row", seg_##name(seg, NULL), seg->table[SHM_TABLE_##name].n,    \
		sizeof(struct type), offsetof(struct type, row))

void check_rows(const struct segment *seg, struct findings *f)
{
	CHECK_SEQUENCES(clients, shm_client_row, row);
	CHECK_SEQUENCES(users, shm_user_row, row);
	CHECK_SEQUENCES(keys, shm_key_row, row);
	CHECK_SEQUENCES(servers, shm_server_row, row);
	CHECK_SEQUENCES(servers, shm_server_row, error_row);
	CHECK_SEQUENCES(allocations, shm_allocation_row, row);
	CHECK_SEQUENCES(calls, shm_call, row);
	CHECK_SEQUENCES(window, shm_window, row);
}

/* ---- INV-4: every directory row is where a search for it ends ---- */

void check_places(const struct segment *seg, struct findings *f)
{
	static const struct {
		enum shm_table table;
		const char *name;
	} tables[] = {
		{SHM_TABLE_clients, "clients row"},
		{SHM_TABLE_users, "users row"},
		{SHM_TABLE_keys, "keys row"},
		{SHM_TABLE_servers, "servers row"},
		{SHM_TABLE_allocations, "allocations row"},
	};
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (uint32_t i = 0; i < seg->table[tables[t].table].n; i++)
			if (!dir_is_in_place(seg, tables[t].table, i))
				found(f, tables[t].name, i,
					"a search for its key does not find it: twice in the "
					"table, or cut off");
}

/* ---- INV-5: contents are in range ---- */

static bool client_is_sane(const struct shm_client *c)
{
	return c->id != 0 && c->status < CLIENT_STATUS__N && c->weight > 0 && c->is_active <= 1 &&
	       c->auto_dispatch <= 1 && c->policy.check < NUMBER_CHECK__N && IS_TEXT(c->name) &&
	       IS_TEXT(c->accountcode) && IS_TEXT(c->did) && IS_TEXT(c->phone_number) &&
	       IS_TEXT(c->callbackurl) && IS_TEXT(c->timezone) && IS_TEXT(c->region);
}

static bool server_is_sane(const struct server_facts *s)
{
	return s->server.id != 0 && s->server.status < SERVER_STATUS__N &&
	       s->server.port <= 65535 && s->ami.state < AMI_STATE__N &&
	       s->health.breaker < BREAKER_STATE__N && s->health.fault < FAULT__N &&
	       IS_TEXT(s->server.server_code) && IS_TEXT(s->server.host) && IS_TEXT(s->error.text);
}

void check_texts(const struct segment *seg, struct findings *f)
{
	for (uint32_t i = 0; i < seg->table[SHM_TABLE_clients].n; i++) {
		struct client_facts facts;
		if (dir_client_at(seg, i, &facts) && !client_is_sane(&facts.client))
			found(f, "clients row", i, "a field is out of range, or a text has no end");
	}
	for (uint32_t i = 0; i < seg->table[SHM_TABLE_servers].n; i++) {
		struct server_facts facts;
		if (dir_server_at(seg, i, &facts) && !server_is_sane(&facts))
			found(f, "servers row", i, "a field is out of range, or a text has no end");
	}
}

/* ---- INV-6: what a row refers to is there ---- */

void check_references(const struct segment *seg, struct findings *f)
{
	struct shm_client client;
	struct shm_server server;
	uint32_t n;
	const struct shm_key_row *keys = seg_keys(seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		struct shm_key key;
		if (row_read(&keys[i].row, &key, &keys[i].data, sizeof(key)) &&
			!dir_client(seg, key.client_id, &client))
			found(f, "key", key.id, "client %llu is not in the directory",
				(unsigned long long)key.client_id);
	}
	const struct shm_user_row *users = seg_users(seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		struct shm_user user;
		if (row_read(&users[i].row, &user, &users[i].data, sizeof(user)) &&
			!dir_client(seg, user.client_id, &client))
			found(f, "user", user.id, "client %llu is not in the directory",
				(unsigned long long)user.client_id);
	}
	for (uint32_t i = 0; i < seg->table[SHM_TABLE_allocations].n; i++) {
		struct allocation_facts a;
		if (!dir_allocation_at(seg, i, &a))
			continue;
		if (!dir_client(seg, a.allocation.client_id, &client) ||
			!dir_server(seg, a.allocation.server_id, &server))
			found(f, "allocations row", i,
				"client %llu or server %llu is not in the directory",
				(unsigned long long)a.allocation.client_id,
				(unsigned long long)a.allocation.server_id);
	}
}

/* ---- the runner ---- */

static void look(const struct segment *seg, struct findings *f)
{
	f->n = 0;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		f->invariant = rules[i].invariant;
		rules[i].fn(seg, f);
	}
}

static bool has(const struct findings *f, const struct finding *one)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->v[i].invariant == one->invariant &&
			strcmp(f->v[i].subject, one->subject) == 0)
			return true;
	return false;
}

/* Keeps of the earlier findings what the later look found again. */
static void confirm(struct findings *earlier, const struct findings *later)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < earlier->n; i++)
		if (has(later, &earlier->v[i]))
			earlier->v[kept++] = earlier->v[i];
	earlier->n = kept;
}

uint32_t shm_check(const struct segment *seg, shm_report_fn *report, void *arg)
{
	struct findings *both = calloc(2, sizeof(*both));
	if (!both)
		die("memory.exhausted", "what=shm_check");
	struct findings *kept = &both[0], *again = &both[1];
	look(seg, kept);
	for (int i = 1; i < LOOKS && kept->n > 0; i++) {
		struct timespec pause = {.tv_nsec = PAUSE_MS * US_PER_MS * 1000};
		(void)nanosleep(&pause, NULL);
		look(seg, again);
		confirm(kept, again);
	}
	for (uint32_t i = 0; i < kept->n; i++) {
		char text[sizeof(kept->v->subject) + sizeof(kept->v->text) + 2];
		(void)snprintf(text, sizeof(text), "%s: %s", kept->v[i].subject, kept->v[i].text);
		report(arg, kept->v[i].invariant, text);
	}
	uint32_t n = kept->n;
	free(both);
	return n;
}
