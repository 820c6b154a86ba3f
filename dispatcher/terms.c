/* Terms of batches: see terms.h. */
#include "dispatcher/terms.h"

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/lookups.h"
#include "dispatcher/queue.h"
#include "dispatcher/route.h"
#include "dispatcher/sched.h"
#include "dispatcher/work.h"

#include "common/base.h"

/* Of one question; the rest is asked when it is answered. */
enum { ASKED_AT_ONCE = 1000 };

struct caller_id *terms_asked(const struct waiting *w)
{
	bool is_lost = w->is_wish && !caller_id_allowed(w->chunk->client, w->asked);
	return w->asked && !is_lost ? w->asked : w->chunk->queue->terms.did;
}

/* ---- what stands in the way ---- */

bool terms_blocked(const struct dispatcher *d, const struct queue *queue, struct gate_verdict *out)
{
	const struct gate_entry e = {
		.dispatched = true,
		.batch = {.channels_limit = queue->terms.channels,
			.channels_used = queue->channels,
			.pace = rate_per_second(queue->terms.calls_per_second),
			.pace_us = queue->pace_us},
		.starts_us = queue->terms.starts_us,
		.expires_us = queue->terms.expires_us,
		.context_missing = !route_known(queue->client, &queue->terms),
	};
	const struct gate_view view = {.now_us = d->now_us, .entry = &e};
	return gate_blocks(GATE_not_started, &view, out) || gate_blocks(GATE_expired, &view, out) ||
	       gate_blocks(GATE_batch_channels, &view, out) ||
	       gate_blocks(GATE_batch_cps, &view, out) ||
	       gate_blocks(GATE_context_missing, &view, out);
}

static void look_again_at(struct dispatcher *d, struct queue *queue, int64_t at_us)
{
	int64_t expires_us = queue->terms.expires_us;
	if (expires_us > d->now_us)
		at_us = MIN(at_us, expires_us);
	if (at_us == INT64_MAX)
		heap_remove(&d->queue_timers, &queue->timer);
	else
		heap_put(&d->queue_timers, &queue->timer, at_us);
}

/* Its turn comes, or does not, as its terms have it now. Once its time is over the sweep ends what was never tried. */
static void settle(struct dispatcher *d, struct queue *queue)
{
	struct gate_verdict why;
	if (queue->id == 0 || !queue->terms.is_known)
		return;
	if (!terms_blocked(d, queue, &why)) {
		look_again_at(d, queue, INT64_MAX);
		if (queue->place != QUEUE_SHUT)
			return;
		queue_reopen(queue);
		client_refill(d, queue->client);
		sched_client_ready(d, queue->client);
		return;
	}
	d->sweep_wanted |= why.gate == GATE_expired && queue->gate != GATE_expired;
	queue->gate = why.gate;
	queue_shut(queue);
	look_again_at(d, queue, why.next_us);
}

void terms_wake(struct dispatcher *d)
{
	struct heap_node *due;
	while ((due = heap_take_until(&d->queue_timers, d->now_us)))
		settle(d, CONTAINER(due, struct queue, timer));
}

void terms_settle_all(struct dispatcher *d)
{
	for (struct queue *queue = d->queues; queue; queue = queue->hh.next)
		if (*queue->terms.context)
			settle(d, queue);
}

void terms_count(struct dispatcher *d, struct queue *queue, int by)
{
	queue->channels = (uint32_t)((int64_t)queue->channels + by);
	if (terms_limit(queue))
		settle(d, queue);
}

void terms_take_pace(struct dispatcher *d, struct queue *queue)
{
	struct rate pace = rate_per_second(queue->terms.calls_per_second);
	if (!queue->terms.calls_per_second)
		return;
	queue->pace_us = rate_take(&pace, queue->pace_us, d->now_us);
	settle(d, queue);
}

/* ---- reading them ---- */

static void ask(struct dispatcher *d, struct queue *queue)
{
	if (queue->is_asking)
		return;
	queue->is_asking = true;
	DL_APPEND2(d->asking, queue, asks_prev, asks_next);
}

static void asked(struct dispatcher *d, struct queue *queue)
{
	if (!queue->is_asking)
		return;
	queue->is_asking = false;
	DL_DELETE2(d->asking, queue, asks_prev, asks_next);
}

void terms_want(struct dispatcher *d, struct queue *queue)
{
	if (!terms_known(queue))
		ask(d, queue);
}

void terms_heard(struct dispatcher *d, struct queue *queue, uint64_t version)
{
	struct terms *terms = &queue->terms;
	if (queue->id == 0 || (terms->is_known && terms->version == version))
		return;
	if (version || terms->is_known) {
		ask(d, queue);
		return;
	}
	*terms = (struct terms){.is_known = true, .weight = 1};
	queue_settle_again(queue);
}

void terms_forget(struct dispatcher *d, struct queue *queue)
{
	asked(d, queue);
	heap_remove(&d->queue_timers, &queue->timer);
	if (queue->terms.did)
		caller_id_drop(d, queue->terms.did);
	queue->terms.did = NULL;
}

enum column {
	ID,
	VERSION,
	WAS_HERE,
	DID,
	CHANNELS,
	CALLS_PER_SECOND,
	WEIGHT,
	STARTS_AT,
	EXPIRES_AT,
	RECORD,
	AMD,
	RETRY,
	CONTEXT,
	EXTENSION
};

static int64_t time_or_0(const struct rows *rows, int row, int column)
{
	return row_is_null(rows, row, column) ? 0 : row_time(rows, row, column);
}

/* true: it is wanted; false: it is not; null: as its client has it. */
static void read_answering(
	const struct rows *rows, int row, enum column column, uint32_t bit, struct terms *terms)
{
	if (row_is_null(rows, row, column))
		return;
	terms->answering_said |= bit;
	terms->answering |= row_bool(rows, row, column) ? bit : 0;
}

/* null: as its client has it. */
static void read_redial(const struct rows *rows, int row, struct terms *terms)
{
	if (row_is_null(rows, row, RETRY))
		return;
	terms->has_redial = true;
	if (!redial_read(row_text(rows, row, RETRY), &terms->redial))
		log_error("terms.retry", "queue=%lld why=%s", (long long)row_i64(rows, row, ID),
			log_q("a rule that this version does not know: nothing is called again"));
}

/* The one place that reads a row of queue_terms. */
static struct terms terms_of_row(struct dispatcher *d, const struct rows *rows, int row)
{
	char did[CALLER_ID_BYTES] = "";
	if (!row_copy(rows, row, DID, did, sizeof(did)))
		log_error("terms.did_too_long", "queue=%lld", (long long)row_i64(rows, row, ID));
	struct terms terms = {
		.version = (uint64_t)row_i64(rows, row, VERSION),
		.is_known = true,
		.channels = (uint32_t)row_i64(rows, row, CHANNELS),
		.calls_per_second = (uint32_t)row_i64(rows, row, CALLS_PER_SECOND),
		.weight = MAX((uint32_t)row_i64(rows, row, WEIGHT), 1u),
		.did = *did ? caller_id_hold(d, did) : NULL,
		.starts_us = time_or_0(rows, row, STARTS_AT),
		.expires_us = time_or_0(rows, row, EXPIRES_AT),
	};
	read_answering(rows, row, RECORD, SEEN_RECORD, &terms);
	read_answering(rows, row, AMD, SEEN_AMD, &terms);
	read_redial(rows, row, &terms);
	if (!row_copy(rows, row, CONTEXT, terms.context, sizeof(terms.context)) ||
		!row_copy(rows, row, EXTENSION, terms.extension, sizeof(terms.extension)))
		die("terms.too_long", "why=\"the table of settings is narrower\"");
	return terms;
}

/* What was begun under another pace, by an earlier life or before the batch was forgotten, is not known: so nothing begins until
 * it cannot count any more. */
static void owe_pace(
	struct dispatcher *d, struct queue *queue, const struct terms *before, bool was_here)
{
	struct rate pace = rate_per_second(queue->terms.calls_per_second);
	int64_t since_us = before->is_known || was_here ? d->now_us : d->began_us;
	if (before->is_known && before->calls_per_second == queue->terms.calls_per_second)
		return;
	queue->pace_us = since_us + pace.period_us + pace.tolerance_us;
}

static void take_row(struct dispatcher *d, struct queue *queue, const struct rows *rows, int row)
{
	struct terms before = queue->terms;
	queue->terms = terms_of_row(d, rows, row);
	if (before.did)
		caller_id_drop(d, before.did);
	owe_pace(d, queue, &before, row_bool(rows, row, WAS_HERE));
	queue_weighed(queue->client);
	queue_settle_again(queue);
	settle(d, queue);
	client_refill(d, queue->client);
	sched_client_ready(d, queue->client);
}

static void take_terms(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		uint64_t id = (uint64_t)row_i64(rows, i, ID);
		struct queue *queue;
		HASH_FIND(hh, d->queues, &id, sizeof(id), queue);
		if (queue)
			take_row(d, queue, rows, i);
	}
}

/* A question that fails is asked again after the sweep, which then hears of these versions once more. */
static void loaded(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->terms_running = false;
	if (!ok)
		lookups_pause(d);
}

void terms_ask(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	struct queue *queue, *next;
	int n = 0;

	struct sql_array ids = arg_array(&args, INT8OID);
	DL_FOREACH_SAFE2(d->asking, queue, next, asks_next)
	{
		if (n++ == ASKED_AT_ONCE)
			break;
		array_i64(&ids, (int64_t)queue->id);
		asked(d, queue);
	}
	array_end(&ids);
	stream_query(d->lookups, SQL_QUEUE_TERMS, &args, take_terms, d);
	args_free(&args);
}

void terms_load(struct dispatcher *d)
{
	d->terms_running = true;
	terms_ask(d);
	stream_end(d->lookups, loaded, d);
}
