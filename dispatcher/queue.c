/* Turns inside a client: see queue.h. */
#include <stdlib.h>

#include <utlist.h>

#include "common/log.h"
#include "dispatcher/queue.h"
#include "dispatcher/terms.h"
#include "dispatcher/waiters.h"

#include "common/base.h"

struct queue *queue_of(struct dispatcher *d, struct client *client, uint64_t queue_master_id)
{
	struct queue *queue;
	if (queue_master_id == 0) {
		client->quick.client = client;
		return &client->quick;
	}
	HASH_FIND(hh, d->queues, &queue_master_id, sizeof(queue_master_id), queue);
	if (queue)
		return queue;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		die("memory.exhausted", "bytes=%zu", sizeof(*queue));
	queue->id = queue_master_id;
	queue->client = client;
	HASH_ADD(hh, d->queues, id, sizeof(queue->id), queue);
	return queue;
}

void queue_hold(struct queue *queue)
{
	queue->chunks_n++;
}

/* ---- called again ---- */

void queue_settle_again(struct queue *queue)
{
	struct heap *batches = &queue->client->again_batches;
	if (queue->again && queue->place != QUEUE_SHUT && terms_known(queue))
		heap_put(batches, &queue->again_turn, queue->again->again_place);
	else
		heap_remove(batches, &queue->again_turn);
}

/* The first of those that are called again whose batch may have turns. */
static struct waiting *first_again(const struct client *client)
{
	struct heap_node *first = heap_first(&client->again_batches);
	return first ? CONTAINER(first, struct queue, again_turn)->again : NULL;
}

/* ---- in the window, or behind ---- */

static void queue_open(struct queue *queue)
{
	struct client *client = queue->client;
	struct queue *younger = client->open;
	while (younger && younger->id < queue->id)
		younger = younger->next;
	if (younger)
		DL_PREPEND_ELEM(client->open, younger, queue);
	else
		DL_APPEND(client->open, queue);
	client->open_n++;
	queue->brought = false;
	queue->place = QUEUE_OPEN;
}

static void queue_close(struct queue *queue)
{
	if (queue->place == QUEUE_OPEN) {
		DL_DELETE(queue->client->open, queue);
		queue->client->open_n--;
	} else if (queue->place == QUEUE_BEHIND) {
		DL_DELETE(queue->client->behind, queue);
	} else if (queue->place == QUEUE_SHUT) {
		DL_DELETE(queue->client->shut, queue);
		queue->client->shut_full_n -= queue->is_full;
	}
	queue->place = QUEUE_NOWHERE;
}

static void queue_stand_behind(struct queue *queue)
{
	DL_APPEND(queue->client->behind, queue);
	queue->place = QUEUE_BEHIND;
}

void queue_shut(struct queue *queue)
{
	if (queue->place == QUEUE_SHUT)
		return;
	queue_close(queue);
	DL_APPEND(queue->client->shut, queue);
	queue->place = QUEUE_SHUT;
	queue->is_full = queue->waiting || queue->loading;
	queue->client->shut_full_n += queue->is_full;
	queue_settle_again(queue);
}

void queue_reopen(struct queue *queue)
{
	bool brought = queue->brought;
	if (queue->place != QUEUE_SHUT)
		return;
	queue_close(queue);
	if (queue->waiting || queue->loading) {
		queue_open(queue);
		queue->brought = brought; /* it gives way as if it had been open all the time */
	} else if (queue->known) {
		queue_stand_behind(queue);
	}
	queue_settle_again(queue);
}

void queue_drop(struct dispatcher *d, struct queue *queue)
{
	if (--queue->chunks_n || queue->id == 0)
		return;
	terms_forget(d, queue);
	if (d->audit_queue == queue)
		d->audit_queue = queue->hh.next;
	queue_close(queue);
	HASH_DEL(d->queues, queue);
	free(queue);
}

/* It has had a chunk in the window, nothing of it is left there or on its way, and others wait for its place; or it has no more. */
static bool is_spent(const struct queue *queue)
{
	bool gives_way = queue->brought && queue->client->behind && queue != queue->client->open;
	return !queue->waiting && !queue->loading && (!queue->known || gives_way);
}

/* Places in the window that the client's batches hold. Those that are shut hold none, unless they are too many. */
static uint32_t places_taken(const struct client *client)
{
	uint32_t shut = client->shut_full_n;
	return client->open_n + (shut > QUEUES_SHUT ? shut - QUEUES_SHUT : 0);
}

/* Gives places that became free to those behind. */
static void turn_over(struct client *client)
{
	struct queue *queue, *next;
	DL_FOREACH_SAFE (client->open, queue, next) {
		if (!is_spent(queue))
			continue;
		queue_close(queue);
		if (queue->known)
			queue_stand_behind(queue);
	}
	while (places_taken(client) < QUEUES_OPEN && client->behind) {
		queue = client->behind;
		queue_close(queue);
		queue_open(queue);
	}
}

/* ---- chunks ---- */

static void known(struct chunk *chunk)
{
	struct queue *queue = chunk->queue;
	chunk->state = CHUNK_KNOWN;
	queue->client->known_n++;
	if (queue->place == QUEUE_NOWHERE && queue->id)
		queue_stand_behind(queue);
}

void queue_add_chunk(struct chunk *chunk)
{
	DL_APPEND(chunk->queue->known, chunk);
	known(chunk);
}

void queue_return_chunk(struct chunk *chunk)
{
	DL_PREPEND(chunk->queue->known, chunk);
	known(chunk);
}

void queue_remove_chunk(struct chunk *chunk)
{
	DL_DELETE(chunk->queue->known, chunk);
	chunk->client->known_n--;
}

static bool wants_chunk(const struct queue *queue)
{
	return queue->known && terms_known(queue) && queue->waiting_n < REFILL_LOW &&
	       queue->loading < LOADS_AT_ONCE;
}

/* One that has to give way brings no second chunk. */
static bool may_go_on(const struct queue *queue)
{
	const struct client *client = queue->client;
	return queue == client->open || !client->behind || !queue->brought;
}

struct chunk *queue_take_chunk(struct client *client)
{
	struct queue *queue = &client->quick;
	if (!wants_chunk(queue)) {
		turn_over(client);
		DL_FOREACH (client->open, queue)
			if (wants_chunk(queue) && may_go_on(queue))
				break;
	}
	if (!queue)
		return NULL;
	struct chunk *chunk = queue->known;
	queue_remove_chunk(chunk);
	queue->brought = true;
	return chunk;
}

/* ---- entries ---- */

/* One that waited for a number comes back when its batch may have left the window. */
static void be_seen(struct queue *queue)
{
	queue->waiting_n++;
	if (queue->id == 0 || queue->place == QUEUE_OPEN || queue->place == QUEUE_SHUT)
		return;
	queue_close(queue);
	queue_open(queue);
}

struct queue *queue_of_waiting(const struct waiting *w)
{
	return w->line ? &w->chunk->client->again : w->chunk->queue;
}

/* The list that it stands in: of those that are called again each batch has its own, which are one line by their places. */
static struct waiting **list_of(const struct waiting *w)
{
	struct queue *queue = w->chunk->queue;
	return w->line ? &queue->again : &queue->waiting;
}

void queue_add(struct waiting *w)
{
	w->again_place = ++w->chunk->client->again_back;
	DL_APPEND(*list_of(w), w);
	be_seen(queue_of_waiting(w));
	if (w->line)
		queue_settle_again(w->chunk->queue);
}

void queue_return(struct waiting *w)
{
	w->again_place = --w->chunk->client->again_front;
	DL_PREPEND(*list_of(w), w);
	be_seen(queue_of_waiting(w));
	if (w->line)
		queue_settle_again(w->chunk->queue);
}

void queue_remove(struct waiting *w)
{
	DL_DELETE(*list_of(w), w);
	queue_of_waiting(w)->waiting_n--;
	if (w->line)
		queue_settle_again(w->chunk->queue);
}

const struct waiting *queue_again(
	const struct dispatcher *d, const struct client *client, uint64_t queue_master_id)
{
	const struct queue *queue = &client->quick;
	if (queue_master_id)
		HASH_FIND(hh, d->queues, &queue_master_id, sizeof(queue_master_id), queue);
	return queue ? queue->again : NULL;
}

/* ---- turns ---- */

static struct queue *oldest(const struct client *client)
{
	struct queue *queue = client->open;
	while (queue && !queue->waiting)
		queue = queue->next;
	return queue;
}

/* What a turn of the batch costs it. */
static int64_t stride_of(const struct queue *queue)
{
	return STRIDE / MAX(queue->terms.weight, 1u);
}

/* Who has not had a turn for a while saves up none, and owes no more than one, also where it weighed less. */
static int64_t turns_of(const struct queue *queue)
{
	int64_t now = queue->client->turns;
	return MIN(MAX(queue->turns, now), now + stride_of(queue));
}

/* Of those younger than the oldest the one with the least; of several the first behind the one that had the last turn, or again
 * the first. */
static struct queue *next_younger(const struct client *client, struct queue *than)
{
	struct queue *next = NULL;
	for (struct queue *queue = than->next; queue; queue = queue->next) {
		if (!queue->waiting)
			continue;
		bool is_first = !next || turns_of(queue) < turns_of(next);
		bool is_behind = next && turns_of(queue) == turns_of(next) &&
				 next->id <= client->last_younger &&
				 queue->id > client->last_younger;
		if (is_first || is_behind)
			next = queue;
	}
	return next;
}

static struct queue *next_batch(const struct client *client)
{
	struct queue *first = oldest(client);
	struct queue *younger =
		first && client->oldest_ahead > 0 ? next_younger(client, first) : NULL;
	return younger ? younger : first;
}

struct waiting *queue_first(const struct client *client)
{
	const struct queue *batch = next_batch(client);
	struct waiting *rest = batch ? batch->waiting : NULL;
	struct waiting *again = first_again(client);
	if (again && (!rest || client->again_turns < AGAIN_TURNS))
		rest = again;
	bool is_quick = client->quick.waiting && (!rest || client->quick_turns < QUICK_TURNS);
	return is_quick ? client->quick.waiting : rest;
}

/* A turn of one of those younger than the oldest, beside which they weigh as much as they do on average. 0: there are none. */
static int64_t stride_of_younger(
	const struct client *client, uint64_t oldest_id, uint64_t served_id)
{
	uint64_t n = 0, weights = 0;
	for (const struct queue *queue = client->open; queue; queue = queue->next)
		if (queue->id > oldest_id && (queue->waiting || queue->id == served_id)) {
			n++;
			weights += MAX(queue->terms.weight, 1u);
		}
	return n ? STRIDE * (int64_t)n / (int64_t)weights : 0;
}

static void younger_served(struct queue *queue)
{
	struct client *client = queue->client;
	queue->turns = turns_of(queue);
	client->turns = queue->turns;
	queue->turns += stride_of(queue);
	client->last_younger = queue->id;
}

/* Its entry is out of line already. */
static void batch_served(struct queue *queue)
{
	struct client *client = queue->client;
	const struct queue *first = oldest(client);
	bool is_oldest = !first || queue->id <= first->id;
	uint64_t oldest_id = is_oldest ? queue->id : first->id;
	int64_t younger = stride_of_younger(client, oldest_id, queue->id);
	if (!is_oldest)
		younger_served(queue);
	if (client->oldest_id != oldest_id)
		client->oldest_ahead = 0; /* that was another's */
	else if (!is_oldest)
		client->oldest_ahead -= younger;
	client->oldest_id = oldest_id;
	if (is_oldest && younger)
		client->oldest_ahead += stride_of(queue);
}

void queue_weighed(struct client *client)
{
	client->oldest_id = 0;
}

void queue_served(struct client *client, struct queue *queue)
{
	if (queue == &client->quick) {
		client->quick_turns = MIN(client->quick_turns + 1, (uint32_t)QUICK_TURNS);
		return;
	}
	client->quick_turns = 0;
	if (queue == &client->again) {
		client->again_turns = MIN(client->again_turns + 1, (uint32_t)AGAIN_TURNS);
		return;
	}
	client->again_turns = 0;
	batch_served(queue);
}
