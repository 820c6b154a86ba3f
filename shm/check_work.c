/* The auditor's rules about work: calls, grants, submit rings, waiting entries, events, tenant
 * words. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/pool.h"
#include "shm/calls.h"
#include "shm/check_rules.h"
#include "shm/directory.h"
#include "shm/events.h"
#include "shm/gate.h"
#include "shm/result.h"
#include "shm/tenant.h"
#include "shm/window.h"

/* Who is at which place, as two ids: sorted, so that counting is a search. */
struct pair {
	uint64_t first, second;
};

struct pairs {
	struct pair *v;
	uint32_t n;
};

static struct pairs pairs_new(uint32_t most)
{
	struct pairs pairs = {calloc(most ? most : 1, sizeof(struct pair)), 0};
	if (!pairs.v)
		die("memory.exhausted", "what=shm_check");
	return pairs;
}

static void pairs_add(struct pairs *pairs, uint64_t first, uint64_t second)
{
	pairs->v[pairs->n++] = (struct pair){first, second};
}

static int compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->second > y->second) - (x->second < y->second);
}

static void pairs_sort(struct pairs *pairs)
{
	qsort(pairs->v, pairs->n, sizeof(struct pair), compare);
}

/* How many are below (first, second). */
static uint32_t pairs_below(const struct pairs *pairs, uint64_t first, uint64_t second)
{
	uint32_t low = 0, high = pairs->n;
	struct pair key = {first, second};
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (compare(&pairs->v[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t pairs_count_first(const struct pairs *pairs, uint64_t first)
{
	return pairs_below(pairs, first + 1, 0) - pairs_below(pairs, first, 0);
}

static uint32_t pairs_count(const struct pairs *pairs, uint64_t first, uint64_t second)
{
	return pairs_below(pairs, first, second + 1) - pairs_below(pairs, first, second);
}

/* ---- INV-7: calls ---- */

static bool call_is_sane(const struct shm_call_view *v)
{
	bool is_dialled = v->n > 0 && v->server_id != 0;
	bool is_withheld = v->n == 0 && v->server_id == 0 &&
			   (v->state == CALL_PLANNED || v->state == CALL_ENDED);
	return v->state < CALL_STATE__N && (is_dialled || is_withheld) && v->entry_id != 0 &&
	       v->client_id != 0 && IS_TEXT(v->call.number) && IS_TEXT(v->call.e164) &&
	       IS_TEXT(v->call.phone_number) && IS_TEXT(v->call.did) && IS_TEXT(v->call.prefix) &&
	       IS_TEXT(v->call.context) && IS_TEXT(v->call.extension) &&
	       IS_TEXT(v->call.endpoint) && IS_TEXT(v->call.reason);
}

void check_calls(const struct segment *seg, struct findings *f)
{
	uint32_t n;
	(void)seg_call_heads(seg, &n);
	struct pairs entries = pairs_new(n);
	for (uint32_t slot = 0; slot < n; slot++) {
		struct shm_call_view view;
		if (!call_read(seg, slot, &view))
			continue;
		if (!call_is_sane(&view))
			found(f, "call slot", slot,
				"a field is out of range, or a text has no end");
		if (!result_is_sane(seg, slot))
			found(f, "result of call slot", slot,
				"is longer than it can be, or has no end");
		pairs_add(&entries, view.entry_id, slot);
	}
	pairs_sort(&entries);
	for (uint32_t i = 1; i < entries.n; i++)
		if (entries.v[i].first == entries.v[i - 1].first)
			found(f, "entry", entries.v[i].first, "is in call slots %llu and %llu",
				(unsigned long long)entries.v[i - 1].second,
				(unsigned long long)entries.v[i].second);
	free(entries.v);
}

/* ---- INV-8: grants are what the slots hold; a rule for a dispatcher at work ---- */

static void expect(
	struct findings *f, const char *what, uint64_t id, uint32_t said, uint32_t counted)
{
	if (said != counted)
		found(f, what, id, "says %u, but %u are counted", said, counted);
}

static void compare_grants(const struct segment *seg, struct findings *f,
	const struct pairs *by_client, const struct pairs *by_server)
{
	for (uint32_t i = 0; i < seg->table[SHM_TABLE_clients].n; i++) {
		struct client_facts c;
		if (dir_client_at(seg, i, &c))
			expect(f, "channels of client", c.client.id, c.usage.channels,
				pairs_count_first(by_client, c.client.id));
	}
	for (uint32_t i = 0; i < seg->table[SHM_TABLE_servers].n; i++) {
		struct server_facts s;
		if (dir_server_at(seg, i, &s))
			expect(f, "channels of server", s.server.id, s.usage.channels,
				pairs_count_first(by_server, s.server.id));
	}
	for (uint32_t i = 0; i < seg->table[SHM_TABLE_allocations].n; i++) {
		struct allocation_facts a;
		if (dir_allocation_at(seg, i, &a))
			expect(f, "channels of allocations row", i, a.usage.channels,
				pairs_count(
					by_client, a.allocation.client_id, a.allocation.server_id));
	}
}

void check_grants(const struct segment *seg, struct findings *f)
{
	if (!segment_fresh(seg, clock_mono_us()))
		return;
	uint32_t n;
	(void)seg_call_heads(seg, &n);
	struct pairs by_client = pairs_new(n), by_server = pairs_new(n);
	for (uint32_t slot = 0; slot < n; slot++) {
		struct shm_call_view view;
		if (!call_read(seg, slot, &view) ||
			!call_holds_grant((enum shm_call_state)view.state, view.call.seen))
			continue;
		pairs_add(&by_client, view.client_id, view.server_id);
		pairs_add(&by_server, view.server_id, view.client_id);
	}
	pairs_sort(&by_client);
	pairs_sort(&by_server);
	compare_grants(seg, f, &by_client, &by_server);
	free(by_client.v);
	free(by_server.v);
}

/* ---- INV-9: submit rings ---- */

void check_submits(const struct segment *seg, struct findings *f)
{
	uint32_t n, heads_n;
	const struct shm_worker *workers = seg_workers(seg, &n);
	const struct shm_submit_head *heads = seg_heads(seg, &heads_n);
	for (uint32_t i = 0; i < MIN(n, heads_n); i++) {
		/* Head first: it can only come nearer to a tail that is read later. */
		uint64_t head = atomic_load_explicit(&heads[i].head, memory_order_acquire);
		uint64_t tail = atomic_load_explicit(&workers[i].tail, memory_order_acquire);
		if (tail - head > SHM_RING_RECORDS)
			found(f, "worker slot", i, "tail %llu and head %llu are not one ring apart",
				(unsigned long long)tail, (unsigned long long)head);
		uint32_t pool = atomic_load_explicit(&workers[i].pool, memory_order_relaxed);
		if (pool >= POOL__N)
			found(f, "worker slot", i, "there is no pool %u", pool);
	}
}

/* ---- INV-10: waiting entries ---- */

static bool waiting_is_sane(const struct shm_window *w)
{
	return w->entry_id != 0 && w->client_id != 0 && w->gate < GATE__N && IS_TEXT(w->number) &&
	       IS_TEXT(w->e164) && IS_TEXT(w->phone_number);
}

void check_window(const struct segment *seg, struct findings *f)
{
	uint32_t n;
	(void)seg_window(seg, &n);
	struct pairs entries = pairs_new(n), clients = pairs_new(n);
	for (uint32_t i = 0; i < n; i++) {
		struct shm_window waiting;
		if (!window_read(seg, i, &waiting))
			continue;
		if (!waiting_is_sane(&waiting))
			found(f, "window row", i, "a field is out of range, or a text has no end");
		pairs_add(&entries, waiting.entry_id, i);
		pairs_add(&clients, waiting.client_id, i);
	}
	pairs_sort(&entries);
	pairs_sort(&clients);
	for (uint32_t i = 1; i < entries.n; i++)
		if (entries.v[i].first == entries.v[i - 1].first)
			found(f, "entry", entries.v[i].first, "waits in two rows");
	bool at_work = segment_fresh(seg, clock_mono_us());
	for (uint32_t i = 0; at_work && i < seg->table[SHM_TABLE_clients].n; i++) {
		struct client_facts c;
		if (dir_client_at(seg, i, &c))
			expect(f, "waiting of client", c.client.id, c.usage.waiting,
				pairs_count_first(&clients, c.client.id));
	}
	free(entries.v);
	free(clients.v);
}

/* ---- INV-11: the event ring reads without a gap, and each client's chain leads back ---- */

static void check_event(
	const struct segment *seg, struct findings *f, const struct event_copy *event)
{
	const struct shm_event *head = &event->head;
	if (head->type >= EVENT_TYPE__N || head->previous >= head->position)
		found(f, "event", head->index, "type %u or previous %llu is out of range",
			head->type, (unsigned long long)head->previous);
	struct event_copy previous;
	if (head->previous != 0 && event_at(seg, head->previous, head->client_id, &previous) &&
		previous.head.seq >= head->seq)
		found(f, "event", head->index, "seq %llu of client %llu follows %llu",
			(unsigned long long)head->seq, (unsigned long long)head->client_id,
			(unsigned long long)previous.head.seq);
}

void check_ring(const struct segment *seg, struct findings *f)
{
	if (!seg_ring_head(seg, NULL))
		return;
	struct event_cursor cursor;
	event_cursor_oldest(seg, &cursor);
	struct event_copy event;
	enum event_result result;
	uint64_t missed;
	for (;;) {
		uint64_t index = cursor.index;
		result = event_next(seg, &cursor, &event, &missed);
		if (result == EVENT_NONE)
			return;
		if (result == EVENT_RESET) {
			found(f, "event", index, "nothing readable lies at position %llu",
				(unsigned long long)cursor.position);
			return;
		}
		if (result == EVENT_OVERRUN)
			continue;
		if (event.head.index != index)
			found(f, "event", index, "index %llu stands in its place",
				(unsigned long long)event.head.index);
		check_event(seg, f, &event);
	}
}

/* ---- INV-12: a client has one row of words ---- */

void check_tenants(const struct segment *seg, struct findings *f)
{
	uint32_t n;
	const struct shm_tenant *tenants = seg_tenants(seg, &n);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t id = atomic_load_explicit(&tenants[i].client_id, memory_order_acquire);
		if (id != 0 && tenant_find(seg, id, false) != &tenants[i])
			found(f, "tenants row", i, "a search for client %llu does not find it",
				(unsigned long long)id);
	}
}
