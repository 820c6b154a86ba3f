/* Orders to pause, to go on and to cancel: see hold.h. */
#include "dispatcher/hold.h"

#include <utlist.h>

#include "dispatcher/ahead.h"
#include "dispatcher/call.h"
#include "dispatcher/journal.h"
#include "dispatcher/queue.h"
#include "dispatcher/redials.h"
#include "dispatcher/slot.h"
#include "dispatcher/work.h"

#include "common/base.h"

static void drop_waiting(struct dispatcher *d, struct chunk *chunk)
{
	for (uint32_t i = 0; chunk->waiting && i < d->window.n; i++)
		if (d->waiting[i].chunk == chunk)
			waiting_drop(d, &d->waiting[i]);
}

static void hold(struct dispatcher *d, struct chunk *chunk)
{
	if (chunk->state == CHUNK_KNOWN)
		queue_remove_chunk(chunk);
	else if (chunk->state == CHUNK_PUT_OFF)
		DL_DELETE(chunk->client->put_off, chunk);
	put_off_ends(d, chunk); /* all of it is held now */
	drop_waiting(d, chunk);
	chunk->state = CHUNK_HELD;
}

static void go_on(struct dispatcher *d, struct chunk *chunk)
{
	if (chunk->state == CHUNK_HELD) {
		queue_add_chunk(chunk);
		client_refill(d, chunk->client);
	} else {
		chunk_maybe_close(d, chunk);
	}
}

void chunk_end_entries(
	struct dispatcher *d, const struct chunk *chunk, uint64_t first, uint64_t last)
{
	if (chunk->order == CHUNK_EXPIRE)
		journal_expire(d->journal, chunk->client->id, first, last);
	else
		journal_cancel(d->journal, chunk->client->id, first, last);
}

/* Canceled, or expired. */
static void end(struct dispatcher *d, struct chunk *chunk)
{
	hold(d, chunk);
	chunk->state = CHUNK_LOADED;
	chunk_end_entries(d, chunk, chunk->id << 10, (chunk->id << 10) + 1023);
	chunk_maybe_close(d, chunk);
}

void chunk_obey(struct dispatcher *d, struct chunk *chunk)
{
	if (chunk->state == CHUNK_LOADING || chunk->state == CHUNK_CLOSING)
		return;
	if (chunk->order == CHUNK_GO)
		go_on(d, chunk);
	else if (chunk->order == CHUNK_PAUSE)
		hold(d, chunk);
	else
		end(d, chunk);
}

void chunk_ordered(struct dispatcher *d, struct chunk *chunk, enum chunk_order order)
{
	if (order != CHUNK_GO && chunk->live) /* also what an earlier life has armed */
		ahead_give_back(d, chunk);
	if (chunk->order == order || chunk_is_over(chunk))
		return;
	chunk->order = order;
	if (order == CHUNK_GO)
		redials_look(d, chunk->client->id, chunk->queue_master_id);
	chunk_obey(d, chunk);
}

static struct waiting *waiting_find(struct dispatcher *d, uint64_t entry_id)
{
	for (uint32_t i = 0; i < d->window.n; i++)
		if (d->waiting[i].chunk && d->waiting[i].row->entry_id == entry_id)
			return &d->waiting[i];
	return NULL;
}

void call_off(struct dispatcher *d, uint64_t client_id, uint64_t entry_id)
{
	struct slot *slot = slot_of_entry(d, entry_id);
	if (slot && slot->head->client_id != client_id)
		return;
	if (slot && slot_is_ahead(slot)) {
		ahead_call_off(d, slot);
		return;
	}
	if (slot) {
		(void)call_step(d, slot, EV_CALLED_OFF, &(struct call_cause){.at_us = d->now_us});
		return;
	}
	struct waiting *w = waiting_find(d, entry_id);
	if (w && w->row->client_id != client_id)
		return;
	journal_cancel(d->journal, client_id, entry_id, entry_id);
	if (!w)
		return;
	struct chunk *chunk = w->chunk;
	waiting_drop(d, w);
	chunk_maybe_close(d, chunk);
}
