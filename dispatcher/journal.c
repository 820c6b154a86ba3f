/* When transactions are sent, and what follows from their commit: see journal.h. */
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/batch.h"
#include "dispatcher/call.h"
#include "dispatcher/directory.h"
#include "dispatcher/dnc.h"
#include "dispatcher/journal.h"
#include "dispatcher/redials.h"
#include "dispatcher/slot.h"
#include "dispatcher/work.h"
#include "shm/counters.h"
#include "shm/latency.h"

#include "common/base.h"

struct journal {
	struct dispatcher *d;
	struct batch open;   /* gathers */
	struct batch flight; /* on its way */
	struct batch pieces; /* of a refused transaction: sent one by one, before anything new */
	bool sent;	     /* flight waits for its answer */
	bool uncertain;	     /* flight's outcome is not known: it is run again */
	int64_t sent_mono_us;
	int64_t not_before_mono_us; /* what failed for want of room, say, is not tried again at once */
};

static const int64_t PAUSE_US = US_PER_S / 2;

struct journal *journal_new(struct dispatcher *d)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	if (!journal)
		die("memory.exhausted", "bytes=%zu", sizeof(*journal));
	journal->d = d;
	return journal;
}

void journal_free(struct journal *journal)
{
	batch_free(&journal->open);
	batch_free(&journal->flight);
	batch_free(&journal->pieces);
	free(journal);
}

void journal_arm(struct journal *journal, struct slot *slot)
{
	batch_add_arm(&journal->open, slot);
}

void journal_withdraw(struct journal *journal, struct slot *slot)
{
	batch_add_withdraw(&journal->open, slot);
}

void journal_finish(struct journal *journal, struct slot *slot)
{
	batch_add_finish(&journal->open, slot);
}

void journal_event(struct journal *journal, const struct slot *slot, enum event_type type,
	int64_t occurred_us, struct str payload, bool again)
{
	struct batch_event event = {
		.client_id = slot->head->client_id,
		.entry_id = slot->entry_id,
		.n = slot->head->n,
		.type = type,
		.occurred_us = occurred_us,
	};
	batch_add_event(&journal->open, &event, payload);
	journal->open.again = journal->open.again || again;
}

void journal_opt_out(struct journal *journal, const struct slot *slot)
{
	batch_add_opt_out(&journal->open, slot);
}

void journal_close(struct journal *journal, struct chunk *chunk)
{
	batch_add_close(&journal->open, chunk->id);
}

void journal_cancel(struct journal *journal, uint64_t client_id, uint64_t first, uint64_t last)
{
	batch_add_cancel(&journal->open, (struct batch_cancel){client_id, first, last, false});
}

void journal_expire(struct journal *journal, uint64_t client_id, uint64_t first, uint64_t last)
{
	batch_add_cancel(&journal->open, (struct batch_cancel){client_id, first, last, true});
}

void journal_control(struct journal *journal, uint64_t control_id)
{
	batch_add_control(&journal->open, control_id);
}

bool journal_controls_idle(const struct journal *journal)
{
	return journal->open.controls.n + journal->flight.controls.n + journal->pieces.controls.n ==
	       0;
}

bool journal_is_idle(const struct journal *journal)
{
	return batch_is_empty(&journal->open) && batch_is_empty(&journal->flight) &&
	       batch_is_empty(&journal->pieces);
}

/* ---- effects ---- */

static struct slot *slot_of(const struct batch_call *call, enum shm_call_state state)
{
	struct slot *slot = call->slot;
	bool same = slot->entry_id == call->entry_id && slot->head->n == call->n &&
		    slot_state(slot) == state;
	return same ? slot : NULL;
}

static void release_arms(struct dispatcher *d, const struct batch *batch)
{
	for (size_t i = 0; i < batch->arms.n; i++) {
		const struct batch_call *arm = &batch->arms.v[i];
		struct slot *slot = slot_of(arm, CALL_PLANNED);
		if (!slot)
			continue;
		if (arm->done && slot->chunk)
			slot->chunk->claimed = true;
		const struct call_cause now = {.at_us = d->now_us};
		if (arm->listed) {
			dnc_suppress(d, slot, arm->listed);
			continue;
		}
		bool called_off = slot->call->seen & SEEN_CALLED_OFF;
		if (arm->due_us)
			redials_note(
				d, slot->head->client_id, slot->call->queue_master_id, arm->due_us);
		(void)call_step(d, slot, arm->done ? EV_JOURNALLED : EV_NOT_JOURNALLED, &now);
		if (arm->done && ahead_is_unwanted(d, slot))
			(void)call_step(d, slot, EV_TAKEN_BACK, &now);
		else if (arm->done && called_off)
			(void)call_step(d, slot, EV_CALLED_OFF, &now);
		else if (arm->done && slot->listed)
			dnc_withdraw(d, slot);
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct batch_event *x = a, *y = b;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static bool any_known(const struct batch *batch)
{
	for (size_t i = 0; i < batch->events.n; i++)
		if (batch->events.v[i].known)
			return true;
	return false;
}

/* In order of seq: what an earlier life had stored and not published comes before what is new; what it had published is
 * in the ring already. */
static void publish(struct dispatcher *d, struct batch *batch)
{
	if (any_known(batch))
		qsort(batch->events.v, batch->events.n, sizeof(*batch->events.v), by_seq);
	for (size_t i = 0; i < batch->events.n; i++) {
		const struct batch_event *e = &batch->events.v[i];
		struct client *client = client_find(d, e->client_id);
		uint64_t last_event = client ? client->last_event : 0;
		struct event event = {e->type, e->client_id, e->seq, e->occurred_us,
			batch->payloads.p + e->payload_at, (uint32_t)e->payload_n};
		if (client && e->seq <= client->last_seq)
			continue;
		if (!event_publish(d->seg, &event, &last_event)) {
			log_error("event.too_long", "type=%s bytes=%zu", event_type_name(e->type),
				e->payload_n);
			continue;
		}
		counter_add(d->seg, COUNTER_events, 1);
		if (client) {
			client->last_event = last_event;
			client->last_seq = e->seq;
		}
	}
	if (batch->events.n) {
		bell_ring(&d->relay_bell, NULL);
		bell_ring(&d->courier_bell, NULL);
	}
}

static void release_withdraws(struct dispatcher *d, const struct batch *batch)
{
	for (size_t i = 0; i < batch->withdraws.n; i++) {
		struct slot *slot = slot_of(&batch->withdraws.v[i], CALL_PLANNED);
		if (slot)
			(void)call_step(
				d, slot, EV_FORGOTTEN, &(struct call_cause){.at_us = d->now_us});
	}
}

static void release(struct dispatcher *d, struct batch *batch)
{
	if (batch->opt_outs.n)
		dnc_changed(d);
	release_withdraws(d, batch);
	release_arms(d, batch);
	publish(d, batch);
	for (size_t i = 0; i < batch->finishes.n; i++) {
		struct slot *slot = slot_of(&batch->finishes.v[i], CALL_ENDED);
		if (slot)
			(void)call_step(
				d, slot, EV_STORED, &(struct call_cause){.at_us = d->now_us});
	}
	for (size_t i = 0; i < batch->closes.n; i++) {
		struct chunk *chunk = chunk_find(d, batch->closes.v[i].id);
		if (chunk && chunk->state == CHUNK_CLOSING)
			chunk_closed(d, chunk, batch->closes.v[i].done);
	}
}

/* PostgreSQL will not have this piece: it must not stop the others. A plan is given up, a detail is lost from the reports
 * and says so in the log; its chunk stays open for an operator to see. */
static void give_up(struct dispatcher *d, struct batch *piece, const struct err *err)
{
	uint64_t entry = piece->arms.n	     ? piece->arms.v[0].entry_id
			 : piece->finishes.n ? piece->finishes.v[0].entry_id
					     : 0;
	log_error("journal.refused",
		"arms=%zu cancels=%zu details=%zu events=%zu entry=%llu why=%s", piece->arms.n,
		piece->cancels.n, piece->finishes.n, piece->events.n, (unsigned long long)entry,
		log_q(err->text));
	piece->events.n = 0;
	release(d, piece);
}

/* Lost on the way, or PostgreSQL cannot take it now: no new calls, and what is in the journal waits. */
static void run_again(struct journal *journal)
{
	struct dispatcher *d = journal->d;
	journal->uncertain = true;
	if (!stream_is_up(d->commits))
		return;
	counter_add(d->seg, COUNTER_commit_failures, 1);
	d->commits_up = false;
	journal->not_before_mono_us = d->now_mono_us + PAUSE_US;
}

static void committed(void *arg, bool ok, const struct err *err)
{
	struct journal *journal = arg;
	struct dispatcher *d = journal->d;
	journal->sent = false;
	if (!ok && err->kind == ERR_BUSY) {
		run_again(journal);
		return;
	}
	if (!ok) {
		counter_add(d->seg, COUNTER_commit_failures, 1);
		if (batch_pieces(&journal->flight) == 1)
			give_up(d, &journal->flight, err);
		else
			batch_move(&journal->pieces, &journal->flight);
		batch_reset(&journal->flight);
		return;
	}
	d->commits_up = true;
	counter_add(d->seg, COUNTER_commits, 1);
	latency_add(d->seg, LATENCY_COMMIT, clock_mono_us() - journal->sent_mono_us);
	struct batch done = journal->flight;
	journal->flight = (struct batch){0};
	release(d, &done);
	batch_reset(&done);
	journal->flight = done;
}

static void looked_up(void *arg, bool ok, const struct err *err)
{
	struct journal *journal = arg;
	(void)err;
	journal->sent = false;
	journal->uncertain = journal->flight.again = false;
	if (!ok)
		run_again(journal);
}

static void send_flight(struct journal *journal)
{
	journal->sent = true;
	journal->sent_mono_us = clock_mono_us();
	if (journal->uncertain || (journal->flight.again && journal->flight.events.n))
		batch_look_up_events(journal->d, &journal->flight, looked_up, journal);
	else
		batch_send(journal->d, &journal->flight, committed, journal);
}

void journal_commit(struct journal *journal)
{
	if (journal->sent || !journal->d->fenced ||
		journal->d->now_mono_us < journal->not_before_mono_us)
		return;
	if (batch_is_empty(&journal->flight)) {
		if (!batch_is_empty(&journal->pieces)) {
			batch_take_piece(&journal->flight, &journal->pieces);
		} else {
			struct batch empty = journal->flight;
			journal->flight = journal->open;
			journal->open = empty;
		}
	}
	if (!batch_is_empty(&journal->flight))
		send_flight(journal);
}
