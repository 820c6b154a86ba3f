/* Entries that are called again: see redials.h. */
#include "dispatcher/redials.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/directory.h"
#include "dispatcher/lookups.h"
#include "dispatcher/queue.h"
#include "dispatcher/sched.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/work.h"
#include "shm/counters.h"

#include "common/base.h"

static const int64_t SOON_US = US_PER_S;
static const int64_t AT_ONCE_US =
	20 * US_PER_MS; /* what is in the journal's open transaction is done by then */
static const int64_t CANCEL_US = 10 * US_PER_S;
/* What a line has lost sight of, of which no case is known, is found so much later. */
static const int64_t HEADS_EVERY_US = 600 * US_PER_S;

enum { WINDOW_ROOM = 1024 }; /* rows that stay free for chunks */

struct redial_line {
	struct redial_key {
		uint64_t client_id;
		uint64_t queue_master_id; /* 0: quick calls */
	} key;
	struct dispatcher *d;
	struct heap_node due; /* among all that have something to come */
	uint32_t waiting;     /* entries in the window */
	bool asked;	      /* its answer is on the way */
	bool is_full;	      /* there is more that is due than it has in the window */
	int64_t next_us; /* as the answer under way says: when to look again; INT64_MAX: never */
	bool is_empty;	 /* says that answer */
	UT_hash_handle hh;
};

/* ---- lines ---- */

static struct redial_line *line_find(const struct dispatcher *d, struct redial_key key)
{
	struct redial_line *line;
	HASH_FIND(hh, d->redials, &key, sizeof(key), line);
	return line;
}

static struct redial_line *line_of(struct dispatcher *d, struct redial_key key)
{
	struct redial_line *line = line_find(d, key);
	if (line)
		return line;
	line = calloc(1, sizeof(*line));
	if (!line)
		die("memory.exhausted", "bytes=%zu", sizeof(*line));
	line->key = key;
	line->d = d;
	HASH_ADD(hh, d->redials, key, sizeof(line->key), line);
	return line;
}

static void line_free(struct redial_line *line)
{
	struct dispatcher *d = line->d;
	heap_remove(&d->redials_due, &line->due);
	HASH_DEL(d->redials, line);
	free(line);
}

/* No later than then. */
static void look_at(struct redial_line *line, int64_t at_us)
{
	struct heap *heap = &line->d->redials_due;
	if (!heap_has(&line->due) || heap_key(heap, &line->due) > at_us)
		heap_put(heap, &line->due, at_us);
}

void redials_note(
	struct dispatcher *d, uint64_t client_id, uint64_t queue_master_id, int64_t due_us)
{
	look_at(line_of(d, (struct redial_key){client_id, queue_master_id}), due_us);
}

void redials_look(struct dispatcher *d, uint64_t client_id, uint64_t queue_master_id)
{
	struct redial_line *line = line_find(d, (struct redial_key){client_id, queue_master_id});
	if (line)
		look_at(line, d->now_us);
}

void redials_resume(struct dispatcher *d, uint64_t client_id)
{
	for (struct redial_line *line = d->redials; line; line = line->hh.next)
		if (line->key.client_id == client_id)
			look_at(line, d->now_us);
}

void redials_gone(struct dispatcher *d, struct redial_line *line)
{
	line->waiting--;
	if (heap_has(&line->due) || line->asked)
		return;
	if (line->waiting == 0)
		look_at(line, d->now_us + SOON_US); /* is that all? */
	else if (line->is_full && line->waiting < REDIALS_LOW)
		look_at(line, d->now_us);
}

void redials_forget_client(struct dispatcher *d, uint64_t client_id)
{
	struct redial_line *line, *next;
	HASH_ITER (hh, d->redials, line, next)
		if (line->key.client_id == client_id && !line->asked)
			line_free(line);
}

/* ---- asking ---- */

enum { /* columns behind those of chunk_entries */
	DUE_AT = 14,
	BATCH_ID,
	PAUSED,
	OVER,
	SETTINGS_VERSION
};

/* Is it here already? Its row in PostgreSQL is deleted when its attempt is journalled. */
static bool is_here(struct dispatcher *d, const struct client *client, const struct shm_window *row)
{
	const struct live_number *number = number_live(d, row);
	const struct waiting *w;
	if (slot_of_entry(d, row->entry_id))
		return true;
	for (w = queue_again(d, client, row->queue_master_id); w; w = w->next)
		if (w->row->entry_id == row->entry_id)
			return true;
	for (w = number ? number->held : NULL; w; w = w->next)
		if (w->row->entry_id == row->entry_id)
			return true;
	return false;
}

/* Row i comes into the window. False: its chunk has no place for it at the moment. */
static bool take_one(
	struct redial_line *line, struct client *client, const struct rows *rows, int i)
{
	struct dispatcher *d = line->d;
	struct shm_window facts;
	if (!window_row_read(rows, i, (uint64_t)row_i64(rows, i, BATCH_ID), &facts)) {
		log_error("entry.unreadable", "entry=%lld", (long long)row_i64(rows, i, 0));
		return true;
	}
	if (is_here(d, client, &facts))
		return true;
	facts.due_us = row_time(rows, i, DUE_AT);
	struct waiting *w = waiting_redial(d, client, line, &facts, rows, i);
	if (!w)
		return false;
	terms_heard(d, w->chunk->queue, (uint64_t)row_i64(rows, i, SETTINGS_VERSION));
	line->waiting++;
	return true;
}

/* By the time at which they are due; those that are not yet say only when that is. */
static void take_due(void *arg, const struct rows *rows)
{
	struct redial_line *line = arg;
	struct dispatcher *d = line->d;
	struct client *client = client_find(d, line->key.client_id);
	bool all = true;
	int i = 0;

	line->is_empty = rows->n == 0;
	line->is_full = false;
	line->next_us = INT64_MAX;
	if (!client || line->is_empty)
		return;
	if (row_bool(rows, 0, OVER)) { /* they are about to go */
		line->next_us = d->now_us + CANCEL_US;
		return;
	}
	if (row_bool(rows, 0, PAUSED)) /* until it is taken up: redials_resume */
		return;
	for (; i < rows->n && row_time(rows, i, DUE_AT) <= d->now_us; i++)
		all = take_one(line, client, rows, i) && all;
	if (!all)
		line->next_us = d->now_us + SOON_US;
	else if (i < rows->n)
		line->next_us = row_time(rows, i, DUE_AT);
	line->is_full = i == REDIALS_AT_ONCE;
	sched_client_ready(d, client);
}

static void looked(void *arg, bool ok, const struct err *err)
{
	struct redial_line *line = arg;
	struct dispatcher *d = line->d;
	(void)err; /* logged by the stream */
	line->asked = false;
	if (!ok)
		look_at(line, d->now_us + SOON_US);
	else if (line->next_us != INT64_MAX)
		look_at(line, line->next_us);
	else if (line->is_full && line->waiting < REDIALS_LOW)
		look_at(line, d->now_us + AT_ONCE_US);
	else if ((line->is_empty && !line->waiting && !heap_has(&line->due)) ||
		 !client_find(d, line->key.client_id))
		line_free(line);
}

static void ask(struct dispatcher *d, struct redial_line *line)
{
	struct sql_args args = SQL_ARGS_INIT;
	line->asked = true;
	arg_i64(&args, (int64_t)line->key.client_id);
	arg_i64(&args, (int64_t)line->key.queue_master_id);
	arg_i64(&args, REDIALS_AT_ONCE);
	arg_time(&args, d->now_us);
	stream_query(d->commits, SQL_RETRY_DUE, &args, take_due, line);
	stream_end(d->commits, looked, line);
	args_free(&args);
}

/* It has something that is due, perhaps. */
static void tend(struct dispatcher *d, struct redial_line *line)
{
	const struct client *client = client_find(d, line->key.client_id);
	if (!client) {
		if (!line->asked)
			line_free(line);
		return;
	}
	if (line->asked || line->waiting >= REDIALS_LOW) /* told by looked, or redials_gone */
		return;
	bool room = d->window.free_n >= WINDOW_ROOM + REDIALS_AT_ONCE &&
		    client->again.waiting_n < REDIALS_WAITING;
	if (room)
		ask(d, line);
	else
		look_at(line, d->now_us + SOON_US);
}

/* ---- all of them ---- */

static void take_heads(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++)
		redials_note(d, (uint64_t)row_i64(rows, i, 0), (uint64_t)row_i64(rows, i, 1),
			row_time(rows, i, 2));
}

static void headed(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->redial_heads_running = false;
	if (ok)
		return;
	lookups_pause(d);
	d->redial_heads_us = 0;
}

static void ask_heads(struct dispatcher *d)
{
	d->redial_heads_running = true;
	d->redial_heads_us = d->now_us + HEADS_EVERY_US;
	stream_query(d->lookups, SQL_RETRY_HEADS, NULL, take_heads, d);
	stream_end(d->lookups, headed, d);
}

void redials_turn(struct dispatcher *d)
{
	struct heap_node *due;
	if (!d->recovered || d->stopping)
		return;
	if (d->now_us >= d->redial_heads_us && !d->redial_heads_running && lookups_may(d))
		ask_heads(d);
	while (d->commits_up && stream_is_up(d->commits) &&
		(due = heap_take_until(&d->redials_due, d->now_us)))
		tend(d, CONTAINER(due, struct redial_line, due));
}

int64_t redials_next_us(const struct dispatcher *d)
{
	return d->commits_up ? heap_first_key(&d->redials_due) : INT64_MAX;
}

/* ---- not before ---- */

void redials_postpone(struct dispatcher *d, struct waiting *w, int64_t due_us)
{
	struct chunk *chunk = w->chunk;
	struct sql_args args = SQL_ARGS_INIT;
	due_us = MAX(due_us, d->now_us + SOON_US);
	arg_i64(&args, (int64_t)w->row->entry_id);
	arg_time(&args, due_us);
	stream_query(d->commits, SQL_RETRY_POSTPONE, &args, NULL, NULL);
	stream_end(d->commits, NULL, NULL);
	args_free(&args);
	redials_note(d, chunk->client->id, w->line->key.queue_master_id, due_us);
	waiting_drop(d, w);
	chunk_maybe_close(d, chunk);
}
