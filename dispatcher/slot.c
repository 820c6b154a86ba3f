/* Slots and the capacity they hold: see slot.h. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/rates.h"
#include "dispatcher/sched.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/work.h"
#include "shm/counters.h"
#include "shm/rate.h"

#include "common/base.h"

void slots_bind(struct dispatcher *d)
{
	call_table_open(&d->calls, d->seg);
	d->slots = calloc(d->calls.n, sizeof(*d->slots));
	if (!d->slots)
		die("memory.exhausted", "slots=%u", d->calls.n);
	for (uint32_t i = 0; i < d->calls.n; i++) {
		struct slot *slot = &d->slots[i];
		if (!d->adopted && call_state(d->seg, i) != CALL_FREE) /* half of a rebuild */
			call_release(&d->calls, i);
		slot->index = i;
		slot->head = &seg_call_heads(d->seg, NULL)[i];
		slot->call = &seg_calls(d->seg, NULL)[i];
		slot->deadline_us = INT64_MAX;
	}
}

struct slot *slot_of_entry(struct dispatcher *d, uint64_t entry_id)
{
	struct slot *slot;
	HASH_FIND(hh, d->by_entry, &entry_id, sizeof(entry_id), slot);
	return slot;
}

struct slot *slot_adopt(struct dispatcher *d, uint32_t i)
{
	struct slot *slot = &d->slots[i];
	slot->entry_id = slot->head->entry_id;
	slot->deadline_us = INT64_MAX;
	slot->committed_us = slot->freed_mono_us = slot->day_ends_us = 0;
	slot->granted = slot->pressed = slot->lost = slot->in_line = false;
	slot->listed = DNC_NONE;
	slot->number = NULL;
	slot->level = 0;
	slot->caller_id = NULL;
	HASH_ADD(hh, d->by_entry, entry_id, sizeof(slot->entry_id), slot);
	d->live_n++;
	return slot;
}

struct slot *slot_open(
	struct dispatcher *d, const struct call_identity *id, const struct shm_call *facts)
{
	if (slot_of_entry(d, id->entry_id))
		return NULL;
	uint32_t i = call_take(&d->calls, id, facts);
	return i == CALL_NO_SLOT ? NULL : slot_adopt(d, i);
}

/* Entries that waited for this number come first again in their client's queue. */
static void number_unlock(struct dispatcher *d, struct slot *slot)
{
	struct live_number *number = slot->number;
	if (!number)
		return;
	slot->number = NULL;
	if (--number->slots)
		return;
	HASH_DEL(d->numbers, number);
	while (number->held) {
		struct waiting *w = number->held;
		DL_DELETE(number->held, w);
		waiting_return(d, w);
	}
	free(number);
}

static void caller_id_forget(struct dispatcher *d, struct slot *slot)
{
	if (slot->caller_id)
		caller_id_drop(d, slot->caller_id);
	slot->caller_id = NULL;
}

void slot_close(struct dispatcher *d, struct slot *slot)
{
	ahead_leave(slot);
	grant_give(d, slot);
	number_unlock(d, slot);
	caller_id_forget(d, slot);
	HASH_DEL(d->by_entry, slot);
	d->live_n--;
	call_release(&d->calls, slot->index);
	if (slot->chunk) {
		slot->chunk->live--;
		chunk_maybe_close(d, slot->chunk);
	}
	slot->chunk = NULL;
	slot->client = NULL;
	slot->server = NULL;
	slot->edge = NULL;
	slot->deadline_us = INT64_MAX;
}

static void add_channel(struct shm_usage *usage, int by)
{
	uint32_t n = atomic_load_explicit(&usage->channels, memory_order_relaxed);
	atomic_store_explicit(&usage->channels, (uint32_t)((int64_t)n + by), memory_order_relaxed);
}

static void add_channels(struct slot *slot, int by)
{
	if (slot->client)
		add_channel(slot->client->usage, by);
	if (slot->edge)
		add_channel(slot->edge->usage, by);
	if (slot->server)
		add_channel(slot->server->usage, by);
}

void slot_unbind(struct dispatcher *d, struct slot *slot)
{
	number_unlock(d, slot);
	HASH_DEL(d->by_entry, slot);
	d->live_n--;
	if (slot->chunk)
		slot->chunk->live--;
	if (slot->in_line)
		ahead_leave(slot);
	else if (slot->server && slot_state(slot) <= CALL_ARMED && !slot_is_ahead(slot))
		slot->server->armed_n--;
	if (slot->server && slot_owes_response(slot))
		slot->server->unanswered--;
	if (slot->granted)
		add_channels(slot, -1);
	if (slot->granted && slot->caller_id)
		caller_id_give(slot->caller_id);
	caller_id_forget(d, slot);
	if (slot->granted && slot->chunk)
		terms_count(d, slot->chunk->queue, -1);
	slot->chunk = NULL;
	slot->granted = false;
}

void grant_retake(struct dispatcher *d, struct slot *slot)
{
	if (slot->caller_id)
		caller_id_take(slot->caller_id);
	add_channels(slot, 1);
	slot->granted = true;
	if (slot->chunk)
		terms_count(d, slot->chunk->queue, 1);
}

/* Calls that were begun under a share that was taken away count against the one that has come in its place. */
void grant_rebind(struct dispatcher *d, struct edge *edge)
{
	for (struct slot *slot = d->by_entry; slot; slot = slot->hh.next)
		if (slot->granted && !slot->edge && slot->client == edge->client &&
			slot->server == edge->server) {
			slot->edge = edge;
			add_channel(edge->usage, 1);
		}
}

static void take_rates(struct shm_usage *usage, struct starts *starts, uint32_t per_hour,
	uint32_t per_second, int64_t now_us)
{
	struct rate hourly = rate_per_hour(per_hour);
	starts_add(starts, now_us, 1);
	rates_show(usage, starts, now_us);
	atomic_store_explicit(&usage->rate_us,
		rate_take(&hourly, atomic_load_explicit(&usage->rate_us, memory_order_relaxed),
			now_us),
		memory_order_relaxed);
	if (!per_second)
		return;
	struct rate pace = rate_per_second(per_second);
	atomic_store_explicit(&usage->pace_us,
		rate_take(
			&pace, atomic_load_explicit(&usage->pace_us, memory_order_relaxed), now_us),
		memory_order_relaxed);
}

void grant_take(struct dispatcher *d, struct slot *slot)
{
	const struct shm_client *c = &slot->client->facts;
	const struct shm_allocation *a = &slot->edge->facts;
	const struct shm_server *s = &slot->server->facts;

	grant_retake(d, slot);
	terms_take_pace(d, slot->chunk->queue);
	take_rates(slot->client->usage, &slot->client->starts, c->rate_limit, c->calls_per_second,
		d->now_us);
	take_rates(slot->edge->usage, &slot->edge->starts, a->rate_limit, a->calls_per_second,
		d->now_us);
	take_rates(slot->server->usage, &slot->server->starts, s->rate_limit, s->calls_per_second,
		d->now_us);
	slot->freed_mono_us = slot->server->freed_mono_us;
	slot->server->freed_mono_us = 0;
	if (slot->freed_mono_us && slot_state(slot) == CALL_PLANNED)
		ahead_fell_short(slot->server);
}

void grant_give(struct dispatcher *d, struct slot *slot)
{
	if (!slot->granted)
		return;
	slot->granted = false;
	if (slot->caller_id)
		caller_id_give(slot->caller_id);
	if (slot->edge)
		add_channel(slot->edge->usage, -1);
	if (slot->server) {
		add_channel(slot->server->usage, -1);
		slot->server->freed_mono_us = d->now_mono_us;
		sched_server_freed(d, slot->server);
	}
	if (slot->client) {
		add_channel(slot->client->usage, -1);
		sched_client_ready(d, slot->client);
	}
	if (slot->chunk)
		terms_count(d, slot->chunk->queue, -1);
}

/* E.164 digits where the plan knows them, so that two spellings of a number are one number. */
static const char *number_key(const char *number, const char *e164)
{
	return *e164 ? e164 : number;
}

static struct live_number *number_find(struct dispatcher *d, const char *key)
{
	struct live_number *number;
	HASH_FIND_STR(d->numbers, key, number);
	return number;
}

static struct live_number *number_add(struct dispatcher *d, const char *key)
{
	struct live_number *number = calloc(1, sizeof(*number));
	if (!number)
		die("memory.exhausted", "bytes=%zu", sizeof(*number));
	if (!str_copy(number->digits, sizeof(number->digits), str_of(key)))
		die("number.too_long", "number=%s", log_number(key));
	HASH_ADD_STR(d->numbers, digits, number);
	return number;
}

void number_lock(struct dispatcher *d, struct slot *slot)
{
	const char *key = number_key(slot->call->number, slot->call->e164);
	struct live_number *number = number_find(d, key);
	slot->number = number ? number : number_add(d, key);
	slot->number->slots++;
}

bool slot_number_live(struct dispatcher *d, const struct slot *slot)
{
	return number_find(d, number_key(slot->call->number, slot->call->e164)) != NULL;
}

struct live_number *number_live(struct dispatcher *d, const struct shm_window *row)
{
	return number_find(d, number_key(row->number, row->e164));
}
