/* A batch on its way into PostgreSQL: gathered entry by entry from the body, then stored whole or
 * not at all.
 *
 * Entries go by binary COPY straight into the leaf partition of entry, in chunks of
 * BATCH_CHUNK_ENTRIES. (One statement with arrays saves round trips, but gains nothing from ten
 * entries on and takes PostgreSQL twice the time: docs/BENCHMARKS.md.) Small batches that come at
 * the same time share a transaction and a COPY (gather.h).
 *
 * The unique constraint on (client, batch_id) decides who was first, so that a batch that is sent
 * again, at the same time or after an answer that was lost, is stored once and answered alike.
 */
#ifndef CCS_FCGI_BATCH_H
#define CCS_FCGI_BATCH_H

#include "fcgi/app.h"
#include "fcgi/number_set.h"
#include "fcgi/reply.h"
#include "registry/batch_scan.h"
#include "registry/entry_copy.h"
#include "registry/shown.h"

struct batch {
	const struct shm_client *client; /* whose it is */
	struct arena *arena;
	struct number_rules rules;
	struct shown shown;
	struct batch_head head;
	struct batch_row *rows; /* that will be dialled */
	size_t n, cap;
	bool dedupe;		/* of a number that comes again, only the first entry is taken */
	struct number_set seen; /* when dedupe */
	struct strbuf rejected; /* JSON array of the others */
	size_t rejected_n;
	struct err first_rejection; /* why the first of them; kind NONE: there are none */
};

/* What is stored under a batch_id: by this request, or by an earlier one with the same values. */
struct batch_receipt {
	uint64_t queue_master_id;
	uint64_t inserted;
	uint64_t suppressed; /* of these: their numbers are on a do-not-call list */
	struct str rejected; /* JSON array, in the arena */
	bool is_replay;
};

/* How numbers of the client that asks are checked. */
struct number_rules rules_of(const struct app *app, const struct shm_client *client);

/* Ready to gather. End with batch_end. */
void batch_begin(struct batch *batch, struct db *db, const struct shm_client *client,
	struct arena *arena, const struct number_rules *rules);
void batch_end(struct batch *batch);

/* Takes one entry of the body, or rejects it. A batch_entry_fn. */
bool batch_gather(void *batch, const struct batch_entry *entry, struct err *err);

/* Nothing more comes: fails when no entry is fit to be dialled or, if strict, when one is not, or when the batch is to show
 * what its client may not. */
MUST_USE bool batch_close(struct batch *batch, bool strict, struct err *err);

/* Stores what was gathered and, if the client's batches are dispatched at once, announces it.
 * CONFLICT when batch_id stands for other values. BUSY can also mean that the batch is stored and
 * only the answer was lost: the same request again finds out. */
MUST_USE bool batch_store(
	struct app *app, const struct batch *batch, struct batch_receipt *receipt, struct err *err);

/* What is stored under its batch_id; receipt stays as it is when that is free. CONFLICT when it stands for other values. */
MUST_USE bool batch_find(struct app *app, const struct batch *batch, struct batch_receipt *receipt,
	bool *found, struct err *err);

/* CONFLICT: the queue that it is added to was canceled. Always false. */
bool batch_is_over(const struct batch *batch, struct err *err);

enum { BATCHES_MAX = 32 };

/* The same for at most BATCHES_MAX batches in one transaction, all of them or none: none is added to another one, they are
 * in ascending order of client and batch_id, and none has the batch_id of another. One whose receipt has no
 * queue_master_id is not stored, because its batch_id is used: batch_store says what for. */
MUST_USE bool batches_store(struct app *app, const struct batch *const *batches, size_t n,
	struct batch_receipt *receipts, struct err *err);

/* The answer about one that is stored. */
void batch_answer(
	const struct batch *batch, const struct batch_receipt *receipt, struct reply *reply);

/* Everything was checked before it went to PostgreSQL: a constraint that refuses it there is our
 * own bug, not the client's. Corrects err. */
void store_refused(struct err *err);

#endif
