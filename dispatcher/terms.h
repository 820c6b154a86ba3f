/* The terms of a batch: what its owner has said of all its calls (registry/batch.def), and what its calls have taken of that.
 *
 * They are read when the batch becomes known, and again when the sweep, which a control row of kind "settings" hastens, has heard
 * of another version of them; a batch whose settings_version is 0 has none, and nothing is read. Until they are known no chunk of it
 * is loaded, so none of its entries is in line. What they say holds from the next pick on.
 *
 * A limit blocks its batch, never the client: terms_settle takes the queue out of those whose turn it may be (queue_shut), and the
 * end of one of its calls, a moment or another version of its terms brings it back. Its calls are counted from slots, as
 * all grants are. Nothing is armed ahead for it: what stands between the plan and the channel would be no count of its own.
 *
 * Where answered calls go on is no limit, but not every channel is one for them: nothing is armed ahead for such a batch either. */
#ifndef CCS_DISPATCHER_TERMS_H
#define CCS_DISPATCHER_TERMS_H

#include "dispatcher/dispatcher.h"

/* PostgreSQL has this version of the queue's terms. Asks for them when we have another. */
void terms_heard(struct dispatcher *d, struct queue *queue, uint64_t version);

/* A call of it is adopted: they are asked for, whatever their version is. */
void terms_want(struct dispatcher *d, struct queue *queue);

/* Adds the statement that reads what was asked for, or the first thousand, to those under way on the lookup stream. */
void terms_ask(struct dispatcher *d);

/* Reads what was asked for. */
void terms_load(struct dispatcher *d);

/* The queue is about to go. */
void terms_forget(struct dispatcher *d, struct queue *queue);

/* They are known: its entries may be loaded. */
static inline bool terms_known(const struct queue *queue)
{
	return queue->id == 0 || queue->terms.is_known;
}

/* It has a limit of its own, or asks for what not every server offers. */
static inline bool terms_limit(const struct queue *queue)
{
	return queue->terms.channels || queue->terms.calls_per_second || *queue->terms.context;
}

/* It is the time in which its calls may begin. */
static inline bool terms_hold_at(const struct queue *queue, int64_t now_us)
{
	const struct terms *terms = &queue->terms;
	return now_us >= terms->starts_us && (!terms->expires_us || now_us < terms->expires_us);
}

/* A call of it holds a channel, or no more. */
void terms_count(struct dispatcher *d, struct queue *queue, int by);

/* A call of it begins. */
void terms_take_pace(struct dispatcher *d, struct queue *queue);

/* What of its terms is in the way of its next call: false when nothing is. */
bool terms_blocked(const struct dispatcher *d, const struct queue *queue, struct gate_verdict *out);

/* The directory has changed: what its servers offer, and its clients may use. */
void terms_settle_all(struct dispatcher *d);

/* Batches whose time has come may have their turn again. */
void terms_wake(struct dispatcher *d);

/* SEEN_RECORD, SEEN_AMD: what is done with the entry's call when it is answered, as its batch has it, else its client. */
static inline uint32_t terms_answering(const struct waiting *w)
{
	const struct terms *terms = &w->chunk->queue->terms;
	return terms->answering | (w->chunk->client->answering & ~terms->answering_said);
}

/* What the entry asks to show, or showed before, where its client still may; else what its batch asks for; NULL: nothing. */
struct caller_id *terms_asked(const struct waiting *w);

#endif
