/* Taking over from the life before: see recover.h. */
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/call.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/directory.h"
#include "dispatcher/disposition.h"
#include "dispatcher/dnc.h"
#include "dispatcher/failover.h"
#include "dispatcher/journal.h"
#include "dispatcher/news.h"
#include "dispatcher/recover.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/work.h"

#include "common/base.h"

/* ---- descriptors ---- */

struct given {
	uint64_t server_id;
	int fd;
	UT_hash_handle hh;
};

void recover_give(struct dispatcher *d, uint64_t server_id, int fd)
{
	struct given *g = calloc(1, sizeof(*g));
	if (!g)
		die("memory.exhausted", "bytes=%zu", sizeof(*g));
	g->server_id = server_id;
	g->fd = fd;
	HASH_ADD(hh, d->given, server_id, sizeof(g->server_id), g);
}

int recover_take(struct dispatcher *d, uint64_t server_id)
{
	struct given *g;
	HASH_FIND(hh, d->given, &server_id, sizeof(server_id), g);
	if (!g)
		return -1;
	int fd = g->fd;
	HASH_DEL(d->given, g);
	free(g);
	return fd;
}

static void close_untaken(struct dispatcher *d)
{
	struct given *g, *next;
	HASH_ITER (hh, d->given, g, next) {
		close(g->fd);
		HASH_DEL(d->given, g);
		free(g);
	}
}

/* ---- a slot and its surroundings ---- */

static void bind(struct dispatcher *d, struct slot *slot)
{
	const struct shm_call_head *head = slot->head;
	slot->client = client_find(d, head->client_id);
	slot->server = server_find(d, head->server_id);
	slot->edge =
		slot->client && slot->server ? edge_find(slot->client, slot->server->id) : NULL;
	if (slot->client) {
		slot->chunk = chunk_of_entry(d, slot->client, slot->entry_id,
			slot->call->queue_master_id, slot->call->batch_id);
		slot->chunk->live++;
		terms_want(d, slot->chunk->queue);
	}
	enum shm_call_state state = slot_state(slot);
	if (slot->call->did[0])
		slot->caller_id = caller_id_adopt(d, slot->call->did);
	if (slot_is_ahead(slot)) {
		ahead_join(slot);
		return;
	}
	if (call_holds_grant(state, slot->call->seen)) {
		grant_retake(d, slot);
		number_lock(d, slot);
	}
	if (slot->server && (state == CALL_PLANNED || state == CALL_ARMED))
		slot->server->armed_n++;
	if (slot->server && slot_owes_response(slot))
		slot->server->unanswered++;
}

/* What an earlier life may have told, or not have come to tell, is told; what is stored already is not stored twice. */
static void retell(struct dispatcher *d, struct slot *slot)
{
	const struct shm_call *call = slot->call;
	enum shm_call_state state = slot_state(slot);
	if (state >= CALL_DIALING && (state != CALL_ENDED || call->sent_us))
		news_call(d, slot, EVENT_call_started, call->sent_us, true);
	if (call->answered_us)
		news_call(d, slot, EVENT_call_answered, call->answered_us, true);
	if (state != CALL_ENDED)
		return;
	bool completed = call->disposition == DISPOSITION_COMPLETED;
	news_call(d, slot, completed ? EVENT_call_ended : EVENT_call_failed, call->ended_us, true);
	journal_finish(d->journal, slot);
}

/* A step that was not finished may have left the time of an answer, whose message is still to be read. */
static void forget_unfinished(struct dispatcher *d, struct slot *slot)
{
	struct shm_call facts = *slot->call;
	if (slot_state(slot) >= CALL_UP || !facts.answered_us)
		return;
	facts.answered_us = 0;
	call_update(d->seg, slot->index, &facts);
}

static void resume(struct dispatcher *d, struct slot *slot)
{
	enum shm_call_state state = slot_state(slot);
	forget_unfinished(d, slot);
	retell(d, slot);
	dnc_opt_out_again(d, slot);
	if (state == CALL_ARMED && slot_is_ahead(slot))
		ahead_adopt(d, slot);
	else if (state == CALL_ARMED)
		call_resume_armed(d, slot);
	else if (state >= CALL_SENT && state < CALL_ENDED && !slot->server)
		call_gone(d, slot);
	else if (state >= CALL_SENT && state < CALL_ENDED)
		slot->deadline_us = call_deadline_us(d, slot);
}

/* ---- the steps ---- */

/* Each client's newest event that is still in the ring: the chain that readers walk back goes on from there. */
static void find_last_events(struct dispatcher *d)
{
	static struct event_copy copy;
	struct event_cursor cursor;
	uint64_t missed;
	event_cursor_oldest(d->seg, &cursor);
	while (event_next(d->seg, &cursor, &copy, &missed) == EVENT_OK) {
		struct client *client = client_find(d, copy.head.client_id);
		if (!client)
			continue;
		client->last_event = copy.head.position;
		client->last_seq = copy.head.seq;
	}
}

static void finish_recovery(struct dispatcher *d)
{
	struct slot *slot, *next;
	unsigned adopted = HASH_COUNT(d->by_entry);
	find_last_events(d);
	HASH_ITER (hh, d->by_entry, slot, next)
		resume(d, slot);
	d->recovered = true;
	atomic_store_explicit(&seg_status(d->seg, NULL)->recovered, 1, memory_order_release);
	for (struct server *s = d->servers; s; s = s->hh.next)
		server_start(d, s, recover_take(d, s->id));
	close_untaken(d);
	d->sweep_wanted = d->control_wanted = d->directory_wanted = d->rates_wanted =
		d->dnc_wanted = true;
	log_info("recover.done", "epoch=%llu slots=%u segment=%s", (unsigned long long)d->epoch,
		adopted, d->adopted ? "adopted" : "new");
}

static void retry_from_start(struct dispatcher *d)
{
	struct slot *slot, *next;
	HASH_ITER (hh, d->by_entry, slot, next) {
		uint32_t index = slot->index;
		slot_unbind(d, slot);
		if (!d->adopted) /* made from the journal, and will be again */
			call_release(&d->calls, index);
	}
	d->recovering = false;
}

static void known(void *arg, bool ok, const struct err *err);

/* Whether a call that ends is the last one of its entry is for its batch to say: that is known before anything is heard of it. */
static void ask_about_batches(struct dispatcher *d)
{
	if (!d->asking) {
		finish_recovery(d);
		return;
	}
	terms_ask(d);
	stream_end(d->lookups, known, d);
}

static void known(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	if (ok)
		ask_about_batches(d);
	else
		retry_from_start(d);
}

/* Planned and in the journal: armed. Planned and not: the entry waits again in its chunk. */
static void take_known(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct slot *slot = slot_of_entry(d, (uint64_t)row_i64(rows, i, 0));
		/* Not by a step, whose action would queue it: resume() queues all that are armed. */
		if (slot && slot->head->n == (uint32_t)row_i64(rows, i, 1))
			call_state_set(d->seg, slot->index, CALL_ARMED);
	}
}

static void planned_known(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	struct slot *slot, *next;
	(void)err;
	if (!ok) {
		retry_from_start(d);
		return;
	}
	HASH_ITER (hh, d->by_entry, slot, next)
		if (slot_state(slot) == CALL_PLANNED)
			(void)call_step(d, slot, EV_NOT_JOURNALLED,
				&(struct call_cause){.at_us = d->now_us});
	ask_about_batches(d);
}

static void ask_about_planned(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct slot *slot;
	struct sql_array entries = arg_array(&args, INT8OID);
	for (slot = d->by_entry; slot; slot = slot->hh.next)
		if (slot_state(slot) == CALL_PLANNED)
			array_i64(&entries, (int64_t)slot->entry_id);
	array_end(&entries);
	struct sql_array attempts = arg_array(&args, INT8OID);
	for (slot = d->by_entry; slot; slot = slot->hh.next)
		if (slot_state(slot) == CALL_PLANNED)
			array_i64(&attempts, (int64_t)slot->head->n);
	array_end(&attempts);
	stream_query(d->lookups, SQL_ATTEMPTS_KNOWN, &args, take_known, d);
	stream_end(d->lookups, planned_known, d);
	args_free(&args);
}

static void adopt_slots(struct dispatcher *d)
{
	for (uint32_t i = 0; i < d->calls.n; i++)
		if (call_state(d->seg, i) != CALL_FREE)
			bind(d, slot_adopt(d, i));
}

/* The journal's open attempts become SENT slots: the servers will say which of them live. */
static void take_open_attempts(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct call_identity id = {
			.entry_id = (uint64_t)row_i64(rows, i, 0),
			.n = (uint32_t)row_i64(rows, i, 1),
			.client_id = (uint64_t)row_i64(rows, i, 2),
			.server_id = (uint64_t)row_i64(rows, i, 4),
		};
		struct shm_call facts = {
			.queue_master_id = (uint64_t)row_i64(rows, i, 3),
			.batch_id = (uint64_t)row_i64(rows, i, 11),
			.armed_us = row_time(rows, i, 6),
			.sent_us = row_time(rows, i, 6),
			/* no Response will come any more */
			.seen = SEEN_RESPONSE | SEEN_REBUILT |
				(row_bool(rows, i, 14) ? (uint32_t)SEEN_ASKED : 0) |
				(row_bool(rows, i, 15) ? (uint32_t)SEEN_RECORD : 0) |
				(row_bool(rows, i, 16) ? (uint32_t)SEEN_AMD : 0),
			.tried_server_id = id.n > 1 ? id.server_id : 0, /* no third one */
			.plan = {.country_digits = (uint8_t)row_i64(rows, i, 10),
				.type = (uint8_t)row_i64(rows, i, 12),
				.region = region_code(row_text(rows, i, 13))},
		};
		bool fits = row_copy(rows, i, 5, facts.did, sizeof(facts.did)) &&
			    row_copy(rows, i, 7, facts.phone_number, sizeof(facts.phone_number)) &&
			    row_copy(rows, i, 8, facts.number, sizeof(facts.number)) &&
			    row_copy(rows, i, 9, facts.e164, sizeof(facts.e164));
		struct slot *slot = fits ? slot_open(d, &id, &facts) : NULL;
		if (!slot) {
			log_error("recover.no_slot", "entry=%llu do=\"raise segment.live_calls\"",
				(unsigned long long)id.entry_id);
			continue;
		}
		call_state_set(d->seg, slot->index, CALL_SENT);
		bind(d, slot);
	}
}

static void rebuild_from_journal(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	arg_text(&args, str_of(d->conf->common_node));
	stream_query(d->lookups, SQL_ATTEMPTS_OPEN, &args, take_open_attempts, d);
	stream_end(d->lookups, known, d);
	args_free(&args);
}

void recover_with_directory(struct dispatcher *d)
{
	for (struct client *c = d->clients; c; c = c->hh.next) {
		atomic_store_explicit(&c->usage->channels, 0, memory_order_relaxed);
		atomic_store_explicit(&c->usage->waiting, 0, memory_order_relaxed);
		for (struct edge *e = c->edges; e; e = e->next_of_client)
			atomic_store_explicit(&e->usage->channels, 0, memory_order_relaxed);
	}
	for (struct server *s = d->servers; s; s = s->hh.next)
		atomic_store_explicit(&s->usage->channels, 0, memory_order_relaxed);
	if (d->adopted) {
		adopt_slots(d);
		ask_about_planned(d);
	} else {
		rebuild_from_journal(d);
	}
}

static void take_epoch(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	if (rows->n == 1)
		d->epoch = (uint64_t)row_i64(rows, 0, 0);
}

static void started(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	if (ok && stream_is_up(d->lookups))
		directory_load(d);
	else
		retry_from_start(d);
}

/* What it writes goes through the commit stream, behind the fence: an earlier life's way of saying the same must not come
 * after ours. */
void recover_step(struct dispatcher *d)
{
	if (d->recovered || d->recovering || !d->fenced || !stream_is_up(d->lookups) ||
		d->now_mono_us < d->recover_after_mono_us)
		return;
	struct sql_args args = SQL_ARGS_INIT;
	d->recovering = true;
	d->recover_after_mono_us = d->now_mono_us + US_PER_S / 2;
	arg_text(&args, str_of(d->conf->common_node));
	stream_query(d->commits, SQL_NODE_START, &args, take_epoch, d);
	stream_query(d->commits, SQL_NODE_ADOPT_CHUNKS, &args, NULL, NULL);
	stream_end(d->commits, started, d);
	args_free(&args);
}
