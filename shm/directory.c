/* The directory: five tables, one way of probing. See directory.h. */
#include "shm/directory.h"

#include <string.h>

#include "common/clock.h"
#include "shm/hash.h"
#include "shm/tenant.h"

/* The key of a row is the first bytes of its data. */
struct kind {
	enum shm_table table;
	size_t stride; /* bytes of a row */
	size_t data;   /* offset of its data in it */
	size_t size;   /* of the data */
	size_t key;    /* bytes at the start of the data that name the row */
	size_t words;  /* bytes between sequence and data that are zero in a new row */
};

#define KIND(name, type, key_bytes)                                                                \
	{SHM_TABLE_##name, sizeof(struct type), offsetof(struct type, data),                       \
		sizeof(((struct type *)0)->data), key_bytes,                                       \
		offsetof(struct type, data) - sizeof(struct shm_row)}

static const struct kind clients = KIND(clients, shm_client_row, sizeof(uint64_t));
static const struct kind users = KIND(users, shm_user_row, sizeof(uint64_t));
static const struct kind keys = KIND(keys, shm_key_row, DIGEST_BYTES);
static const struct kind servers = KIND(servers, shm_server_row, sizeof(uint64_t));
static const struct kind allocations = KIND(allocations, shm_allocation_row, 2 * sizeof(uint64_t));

enum { KEY_BYTES_MAX = DIGEST_BYTES, NOT_FOUND = UINT32_MAX };

/* A table as it is attached now. */
struct table {
	const struct kind *kind;
	uint8_t *rows;
	uint32_t n;
	uint32_t home; /* where the search for the key begins */
};

/* The first word decides where a row lives: a client's allocations lie in one run. */
static struct table table_of(const struct segment *seg, const struct kind *kind, const void *key)
{
	struct segment_table at = seg->table[kind->table];
	uint64_t first;
	memcpy(&first, key, sizeof(first));
	return (struct table){kind, at.rows, at.n, at.n ? (uint32_t)(hash_id(first) % at.n) : 0};
}

static uint8_t *place(const struct table *table, uint32_t step)
{
	return table->rows + (size_t)((table->home + step) % table->n) * table->kind->stride;
}

static struct shm_row *row_at(const struct table *table, uint32_t step)
{
	return (struct shm_row *)(void *)place(table, step);
}

static uint32_t use_of(const struct shm_row *row)
{
	return atomic_load_explicit(&row->used, memory_order_acquire);
}

static bool has_key(const struct table *table, uint32_t step, const void *key)
{
	uint64_t found[KEY_BYTES_MAX / sizeof(uint64_t)];
	row_load(found, place(table, step) + table->kind->data, table->kind->key);
	return memcmp(found, key, table->kind->key) == 0;
}

/* Steps from home to the row with this key, or NOT_FOUND; *vacant is the first place on the way
 * where it could be put. */
static uint32_t search(const struct table *table, const void *key, uint32_t *vacant)
{
	*vacant = NOT_FOUND;
	for (uint32_t step = 0; step < table->n; step++) {
		uint32_t use = use_of(row_at(table, step));
		if (use == ROW_USED && has_key(table, step, key))
			return step;
		if (use != ROW_USED && *vacant == NOT_FOUND)
			*vacant = step;
		if (use == ROW_FREE)
			break;
	}
	return NOT_FOUND;
}

/* ---- owner ---- */

/* Everything of a new row is there before it is in use. */
static void *put(struct segment *seg, const struct kind *kind, const void *data)
{
	struct table table = table_of(seg, kind, data);
	uint32_t vacant, step = search(&table, data, &vacant);
	bool fresh = step == NOT_FOUND;
	if (fresh && vacant == NOT_FOUND)
		return NULL;
	uint8_t *at = place(&table, fresh ? vacant : step);
	struct shm_row *row = (struct shm_row *)(void *)at;
	row_write_begin(row);
	if (fresh)
		row_clear(at + sizeof(*row), kind->words);
	row_store(at + kind->data, data, kind->size);
	row_write_end(row);
	row_use(row, ROW_USED);
	return at;
}

/* No search goes on behind a FREE row, so GONE rows just before one are free as well. */
static bool take_away(struct segment *seg, const struct kind *kind, const void *key)
{
	struct table table = table_of(seg, kind, key);
	uint32_t vacant, step = search(&table, key, &vacant);
	if (step == NOT_FOUND)
		return false;
	row_use(row_at(&table, step), ROW_GONE);
	if (use_of(row_at(&table, step + 1)) != ROW_FREE)
		return true;
	for (uint32_t back = step + table.n; use_of(row_at(&table, back)) == ROW_GONE; back--)
		row_use(row_at(&table, back), ROW_FREE);
	return true;
}

struct shm_client_row *dir_put_client(struct segment *seg, const struct shm_client *client)
{
	return put(seg, &clients, client);
}

struct shm_user_row *dir_put_user(struct segment *seg, const struct shm_user *user)
{
	return put(seg, &users, user);
}

struct shm_key_row *dir_put_key(struct segment *seg, const struct shm_key *key)
{
	return put(seg, &keys, key);
}

struct shm_server_row *dir_put_server(struct segment *seg, const struct shm_server *server)
{
	return put(seg, &servers, server);
}

struct shm_allocation_row *dir_put_allocation(
	struct segment *seg, const struct shm_allocation *allocation)
{
	return put(seg, &allocations, allocation);
}

bool dir_remove_client(struct segment *seg, uint64_t client_id)
{
	return take_away(seg, &clients, &client_id);
}

bool dir_remove_user(struct segment *seg, uint64_t user_id)
{
	return take_away(seg, &users, &user_id);
}

bool dir_remove_key(struct segment *seg, const struct digest *digest)
{
	return take_away(seg, &keys, digest);
}

/* The error text is a row of its own: whoever takes the place must not inherit it. */
bool dir_remove_server(struct segment *seg, uint64_t server_id)
{
	struct table table = table_of(seg, &servers, &server_id);
	uint32_t vacant, step = search(&table, &server_id, &vacant);
	if (step != NOT_FOUND)
		row_use(&((struct shm_server_row *)(void *)place(&table, step))->error_row,
			ROW_FREE);
	return take_away(seg, &servers, &server_id);
}

bool dir_remove_allocation(struct segment *seg, uint64_t client_id, uint64_t server_id)
{
	uint64_t key[2] = {client_id, server_id};
	return take_away(seg, &allocations, key);
}

void dir_server_error(struct shm_server_row *server, const char *text, int64_t at_us)
{
	struct shm_server_error error = {.at_us = at_us};
	size_t n = MIN(strlen(text), sizeof(error.text) - 1);
	memcpy(error.text, text, n);
	row_write(&server->error_row, &server->error, &error, sizeof(error));
	row_use(&server->error_row, ROW_USED);
}

/* ---- readers ---- */

/* A consistent copy of the row with this key, and where it lies (NULL: not found). Between search
 * and copy the place may have been given to another key: the copy decides. */
static const void *find(
	const struct segment *seg, const struct kind *kind, const void *key, void *data)
{
	struct table table = table_of(seg, kind, key);
	uint32_t vacant, step = search(&table, key, &vacant);
	if (step == NOT_FOUND)
		return NULL;
	const uint8_t *at = place(&table, step);
	bool same = row_read(row_at(&table, step), data, at + kind->data, kind->size) &&
		    memcmp(data, key, kind->key) == 0;
	return same ? at : NULL;
}

bool dir_client(const struct segment *seg, uint64_t client_id, struct shm_client *client)
{
	return find(seg, &clients, &client_id, client) != NULL;
}

bool dir_user(const struct segment *seg, uint64_t user_id, struct shm_user *user)
{
	return find(seg, &users, &user_id, user) != NULL;
}

bool dir_key(const struct segment *seg, const struct digest *digest, struct shm_key *key)
{
	return find(seg, &keys, digest, key) != NULL;
}

bool dir_server(const struct segment *seg, uint64_t server_id, struct shm_server *server)
{
	return find(seg, &servers, &server_id, server) != NULL;
}

bool dir_current(const struct segment *seg, const struct shm_client *client)
{
	uint64_t generation;
	return tenant_generation(seg, client->id, &generation) && generation == client->generation;
}

/* The owner changes keys before it puts their client's row, so a key that is read after a current
 * client is current too; the first look only says whose client to read. */
bool dir_identify(const struct segment *seg, const struct digest *digest, struct shm_key *key,
	struct shm_client *client)
{
	return dir_key(seg, digest, key) && dir_client(seg, key->client_id, client) &&
	       dir_current(seg, client) && dir_key(seg, digest, key) &&
	       key->client_id == client->id;
}

/* The user of a current client, as dir_identify finds a key. */
static bool identify_user(
	const struct segment *seg, uint64_t id, struct shm_user *user, struct shm_client *client)
{
	return dir_user(seg, id, user) && dir_client(seg, user->client_id, client) &&
	       dir_current(seg, client) && dir_user(seg, id, user) && user->client_id == client->id;
}

enum dir_session dir_session(
	const struct segment *seg, const struct jwt_claims *token, struct shm_client *client)
{
	struct shm_user user;
	if (!identify_user(seg, token->user_id, &user, client) || token->version > user.version)
		return DIR_SESSION_UNSURE;
	if (token->version < user.version)
		return DIR_SESSION_ENDED;
	for (size_t i = 0; i < ARRAY_LEN(user.ended); i++)
		if (user.ended[i] == token->session_id)
			return DIR_SESSION_ENDED;
	if (user.unsure_until_us == 0 || token->session_id > user.unsure_up_to_id)
		return DIR_SESSION_GOOD;
	/* Issued by our clock, ended by PostgreSQL's. */
	int64_t late_s = token->issued_s - user.unsure_until_us / US_PER_S;
	if (late_s > JWT_LEEWAY_S)
		return DIR_SESSION_GOOD;
	return late_s > 0 ? DIR_SESSION_UNSURE : DIR_SESSION_OUTDATED;
}

/* ---- facts: a row and the words beside it ---- */

static void read_ami(const struct shm_ami *ami, struct ami_facts *out)
{
	*out = (struct ami_facts){
		.state =
			(enum shm_ami_state)atomic_load_explicit(&ami->state, memory_order_relaxed),
		.unanswered = atomic_load_explicit(&ami->unanswered, memory_order_relaxed),
		.armed = atomic_load_explicit(&ami->armed, memory_order_relaxed),
		.window = atomic_load_explicit(&ami->window, memory_order_relaxed),
		.since_us = atomic_load_explicit(&ami->since_us, memory_order_relaxed),
		.lag_us = atomic_load_explicit(&ami->lag_us, memory_order_relaxed),
		.reconnects = atomic_load_explicit(&ami->reconnects, memory_order_relaxed),
	};
}

static void read_client_words(const struct shm_client_row *row, struct client_facts *out)
{
	out->usage = usage_read(&row->usage);
	out->day = day_read(&row->day);
}

static void read_server_words(const struct shm_server_row *row, struct server_facts *out)
{
	out->usage = usage_read(&row->usage);
	read_ami(&row->ami, &out->ami);
	out->health = health_read(&row->health);
	if (!row_read(&row->error_row, &out->error, &row->error, sizeof(out->error)))
		out->error = (struct shm_server_error){0};
}

bool dir_client_facts(const struct segment *seg, uint64_t client_id, struct client_facts *out)
{
	const struct shm_client_row *row = find(seg, &clients, &client_id, &out->client);
	if (row)
		read_client_words(row, out);
	return row;
}

bool dir_server_facts(const struct segment *seg, uint64_t server_id, struct server_facts *out)
{
	const struct shm_server_row *row = find(seg, &servers, &server_id, &out->server);
	if (row)
		read_server_words(row, out);
	return row;
}

bool dir_next_allocation(
	const struct segment *seg, uint64_t client_id, uint32_t *at, struct allocation_facts *out)
{
	struct table table = table_of(seg, &allocations, &client_id);
	while (*at < table.n) {
		uint32_t step = (*at)++;
		const struct shm_allocation_row *row = (const void *)place(&table, step);
		if (use_of(&row->row) == ROW_FREE)
			break;
		if (!row_read(&row->row, &out->allocation, &row->data, sizeof(out->allocation)))
			continue;
		out->usage = usage_read(&row->usage);
		if (out->allocation.client_id == client_id)
			return true;
	}
	*at = table.n;
	return false;
}

bool dir_client_at(const struct segment *seg, uint32_t i, struct client_facts *out)
{
	uint32_t n;
	const struct shm_client_row *rows = seg_clients(seg, &n);
	if (i >= n || !row_read(&rows[i].row, &out->client, &rows[i].data, sizeof(out->client)))
		return false;
	read_client_words(&rows[i], out);
	return true;
}

bool dir_server_at(const struct segment *seg, uint32_t i, struct server_facts *out)
{
	uint32_t n;
	const struct shm_server_row *rows = seg_servers(seg, &n);
	if (i >= n || !row_read(&rows[i].row, &out->server, &rows[i].data, sizeof(out->server)))
		return false;
	read_server_words(&rows[i], out);
	return true;
}

bool dir_allocation_at(const struct segment *seg, uint32_t i, struct allocation_facts *out)
{
	uint32_t n;
	const struct shm_allocation_row *rows = seg_allocations(seg, &n);
	if (i >= n ||
		!row_read(&rows[i].row, &out->allocation, &rows[i].data, sizeof(out->allocation)))
		return false;
	out->usage = usage_read(&rows[i].usage);
	return true;
}

bool dir_is_in_place(const struct segment *seg, enum shm_table which, uint32_t i)
{
	const struct kind *kind = which == SHM_TABLE_clients   ? &clients
				  : which == SHM_TABLE_users   ? &users
				  : which == SHM_TABLE_keys    ? &keys
				  : which == SHM_TABLE_servers ? &servers
							       : &allocations;
	const struct table all = {kind, seg->table[which].rows, seg->table[which].n, 0};
	uint64_t key[KEY_BYTES_MAX / sizeof(uint64_t)];
	if (use_of(row_at(&all, i)) != ROW_USED)
		return true;
	row_load(key, place(&all, i) + kind->data, kind->key);
	struct table table = table_of(seg, kind, key);
	uint32_t vacant, step = search(&table, key, &vacant);
	return step != NOT_FOUND && place(&table, step) == place(&all, i);
}
