/* Chunks and waiting entries: see work.h. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/caller_id.h"
#include "dispatcher/directory.h"
#include "dispatcher/dnc.h"
#include "dispatcher/halt.h"
#include "dispatcher/hold.h"
#include "dispatcher/journal.h"
#include "dispatcher/lookups.h"
#include "dispatcher/queue.h"
#include "dispatcher/rates.h"
#include "dispatcher/redials.h"
#include "dispatcher/sched.h"
#include "dispatcher/slot.h"
#include "dispatcher/terms.h"
#include "dispatcher/used.h"
#include "dispatcher/work.h"
#include "shm/counters.h"
#include "shm/submit.h"

#include "common/base.h"

enum { SUBMITS_PER_TURN = 1024 };

static const int64_t FULL_SWEEP_US = 10 * US_PER_S;

/* So long an entry leaves the server alone where it failed; then it takes what there is. */
static const int64_t AVOID_US = 10 * US_PER_S;

/* ---- waiting entries ---- */

void work_bind(struct dispatcher *d)
{
	window_table_open(&d->window, d->seg);
	d->waiting = calloc(d->window.n, sizeof(*d->waiting));
	if (!d->waiting)
		die("memory.exhausted", "entries=%u", d->window.n);
	for (uint32_t i = 0; i < d->window.n; i++)
		d->waiting[i].row = &seg_window(d->seg, NULL)[i];
}

static void show_waiting(struct client *client)
{
	atomic_store_explicit(&client->usage->waiting, client->waiting_n, memory_order_relaxed);
}

/* NULL when the window is full: the entry stays in PostgreSQL. */
static struct waiting *waiting_add(struct dispatcher *d, struct chunk *chunk,
	const struct shm_window *facts, struct str asked, int64_t announced_us,
	struct redial_line *line)
{
	char digits[CALLER_ID_BYTES];
	if (!str_copy(digits, sizeof(digits), asked))
		die("caller_id.too_long", "why=\"the schema's check is narrower\"");
	uint32_t i = window_put(&d->window, facts);
	if (i == WINDOW_NO_ROW)
		return NULL;
	struct waiting *w = &d->waiting[i];
	w->chunk = chunk;
	w->asked = *digits ? caller_id_hold(d, digits) : NULL;
	w->announced_us = announced_us;
	w->avoids_until_us = d->now_us + AVOID_US;
	w->held = w->is_wish = false;
	w->line = line;
	w->listed = DNC_NONE;
	queue_add(w);
	chunk->waiting++;
	chunk->client->waiting_n++;
	show_waiting(chunk->client);
	return w;
}

void waiting_again(struct dispatcher *d, struct chunk *chunk, const struct shm_window *facts,
	struct str shows, bool is_wish)
{
	struct waiting *w = chunk->state == CHUNK_LOADED && chunk->order == CHUNK_GO
				    ? waiting_add(d, chunk, facts, shows, 0, NULL)
				    : NULL;
	if (!w) /* the next load of its chunk finds it */
		return;
	w->is_wish = is_wish;
	queue_remove(w);
	waiting_return(d, w);
}

void waiting_stand_back(struct waiting *w)
{
	queue_remove(w);
	queue_add(w);
}

void waiting_drop(struct dispatcher *d, struct waiting *w)
{
	struct chunk *chunk = w->chunk;
	struct redial_line *line = w->line;
	if (w->held)
		DL_DELETE(number_live(d, w->row)->held, w);
	else
		queue_remove(w);
	chunk->waiting--;
	chunk->client->waiting_n--;
	show_waiting(chunk->client);
	w->chunk = NULL;
	w->line = NULL;
	if (w->asked)
		caller_id_drop(d, w->asked);
	w->asked = NULL;
	window_remove(&d->window, (uint32_t)(w - d->waiting));
	if (line)
		redials_gone(d, line);
}

void waiting_hold(struct dispatcher *d, struct waiting *w, struct live_number *number)
{
	queue_remove(w);
	DL_APPEND(number->held, w);
	w->held = true;
	w->announced_us = 0;
	window_gate(d->seg, (uint32_t)(w - d->waiting), GATE_number_live);
}

void waiting_return(struct dispatcher *d, struct waiting *w)
{
	w->held = false;
	queue_return(w);
	window_gate(d->seg, (uint32_t)(w - d->waiting), GATE_NONE);
	sched_client_ready(d, w->chunk->client);
}

/* ---- chunks ---- */

struct chunk *chunk_find(struct dispatcher *d, uint64_t id)
{
	struct chunk *chunk;
	HASH_FIND(hh, d->chunks, &id, sizeof(id), chunk);
	return chunk;
}

static struct chunk *chunk_add(struct dispatcher *d, struct client *client, uint64_t id,
	uint64_t queue_master_id, uint64_t batch_id)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	if (!chunk)
		die("memory.exhausted", "bytes=%zu", sizeof(*chunk));
	chunk->id = id;
	chunk->client = client;
	chunk->queue_master_id = queue_master_id;
	chunk->batch_id = batch_id;
	chunk->queue = queue_of(d, client, queue_master_id);
	queue_hold(chunk->queue);
	HASH_ADD(hh, d->chunks, id, sizeof(chunk->id), chunk);
	return chunk;
}

static void chunk_forget(struct dispatcher *d, struct chunk *chunk)
{
	HASH_DEL(d->chunks, chunk);
	put_off_ends(d, chunk);
	queue_drop(d, chunk->queue);
	free(chunk);
}

struct chunk *chunk_of_entry(struct dispatcher *d, struct client *client, uint64_t entry_id,
	uint64_t queue_master_id, uint64_t batch_id)
{
	struct chunk *chunk = chunk_find(d, entry_id >> 10);
	return chunk ? chunk : chunk_add(d, client, entry_id >> 10, queue_master_id, batch_id);
}

void chunk_maybe_close(struct dispatcher *d, struct chunk *chunk)
{
	struct client *client = chunk->client;
	if (chunk->state != CHUNK_LOADED || chunk->waiting || chunk->live)
		return;
	if (!chunk->put_off_n) {
		chunk->state = CHUNK_CLOSING;
		journal_close(d->journal, chunk);
	} else if (chunk->round == client->day.round && chunk->put_off_until_us > d->now_us) {
		chunk->state = CHUNK_PUT_OFF;
		DL_APPEND(client->put_off, chunk);
		if (chunk->put_off_until_us != INT64_MAX)
			heap_put(&d->put_offs, &chunk->again, chunk->put_off_until_us);
	} else {
		put_off_ends(d, chunk);
		queue_return_chunk(chunk);
		client_refill(d, client);
	}
}

void waiting_put_off(struct dispatcher *d, struct waiting *w, enum gate gate, int64_t until_us)
{
	struct chunk *chunk = w->chunk;
	struct client *client = chunk->client;
	if (w->line) {
		redials_postpone(d, w, until_us == INT64_MAX ? client->day.ends_us : until_us);
		return;
	}
	waiting_drop(d, w);
	if (chunk->put_off_n++ == 0)
		chunk->put_off_until_us = INT64_MAX;
	if (until_us != INT64_MAX) /* not at once again, whatever the clock says */
		chunk->put_off_until_us =
			MIN(chunk->put_off_until_us, MAX(until_us, d->now_us + US_PER_S));
	client->put_off_n++;
	client->put_off_gate = gate;
	chunk->round = client->day.round;
	chunk_maybe_close(d, chunk);
}

void put_off_ends(struct dispatcher *d, struct chunk *chunk)
{
	chunk->client->put_off_n -= chunk->put_off_n;
	chunk->put_off_n = 0;
	heap_remove(&d->put_offs, &chunk->again);
}

void work_wake(struct dispatcher *d)
{
	struct heap_node *due;
	while ((due = heap_take_until(&d->put_offs, d->now_us))) {
		struct chunk *chunk = CONTAINER(due, struct chunk, again);
		struct client *client = chunk->client;
		DL_DELETE(client->put_off, chunk);
		put_off_ends(d, chunk);
		queue_return_chunk(chunk);
		client_refill(d, client);
	}
}

void work_take_up(struct dispatcher *d, struct client *client)
{
	client->day.round++;
	while (client->put_off) { /* before what is known already: they are older */
		struct chunk *last = client->put_off->prev;
		DL_DELETE(client->put_off, last);
		put_off_ends(d, last);
		queue_return_chunk(last);
	}
	client_refill(d, client);
}

void chunk_closed(struct dispatcher *d, struct chunk *chunk, bool closed)
{
	if (!closed) /* entries that the window had no room for, or a detail that could not be stored */
		log_warn("chunk.open", "chunk=%llu do=\"the next sweep takes it up again\"",
			(unsigned long long)chunk->id);
	chunk_forget(d, chunk);
}

void work_forget_client(struct dispatcher *d, struct client *client)
{
	for (uint32_t i = 0; i < d->window.n; i++)
		if (d->waiting[i].chunk && d->waiting[i].chunk->client == client)
			waiting_drop(d, &d->waiting[i]);
	struct chunk *chunk, *next;
	HASH_ITER (hh, d->chunks, chunk, next)
		if (chunk->client == client)
			chunk_forget(d, chunk);
	client->quick.known = client->put_off = NULL;
	redials_forget_client(d, client->id);
}

/* ---- loading ---- */

struct load {
	struct dispatcher *d;
	uint64_t chunk_id;
};

bool window_row_read(const struct rows *rows, int i, uint64_t batch_id, struct shm_window *w)
{
	*w = (struct shm_window){
		.entry_id = (uint64_t)row_i64(rows, i, 0),
		.client_id = (uint64_t)row_i64(rows, i, 1),
		.queue_master_id = (uint64_t)row_i64(rows, i, 2),
		.batch_id = batch_id,
		.plan = {.country_digits = (uint8_t)row_i64(rows, i, 6),
			.type = (uint8_t)row_i64(rows, i, 7),
			.region = region_code(row_text(rows, i, 8))},
		.n = (uint32_t)row_i64(rows, i, 9),
		.tried_server_id = (uint64_t)row_i64(rows, i, 10),
	};
	return row_copy(rows, i, 3, w->phone_number, sizeof(w->phone_number)) &&
	       row_copy(rows, i, 4, w->number, sizeof(w->number)) &&
	       row_copy(rows, i, 5, w->e164, sizeof(w->e164));
}

/* With what it asks to show; else with what its last call showed. */
static struct waiting *waiting_from_row(struct dispatcher *d, struct chunk *chunk,
	const struct shm_window *facts, const struct rows *rows, int i, struct redial_line *line)
{
	struct str asked = row_text(rows, i, 11), shown = row_text(rows, i, 13);
	struct waiting *w = waiting_add(d, chunk, facts, asked.n ? asked : shown, 0, line);
	if (!w)
		return NULL;
	w->is_wish = !asked.n && shown.n;
	w->listed = dnc_list_of(row_text(rows, i, 12));
	return w;
}

/* That of an entry that is called again: the one in memory, unless it is not to be dialled now, or another. */
static struct chunk *chunk_wake(
	struct dispatcher *d, struct client *client, const struct shm_window *facts)
{
	struct chunk *chunk = chunk_find(d, facts->entry_id >> 10);
	if (chunk)
		return chunk->order == CHUNK_GO && chunk->state != CHUNK_CLOSING ? chunk : NULL;
	chunk = chunk_add(
		d, client, facts->entry_id >> 10, facts->queue_master_id, facts->batch_id);
	chunk->state = CHUNK_LOADED;
	chunk->order = CHUNK_GO;
	return chunk;
}

struct waiting *waiting_redial(struct dispatcher *d, struct client *client,
	struct redial_line *line, const struct shm_window *facts, const struct rows *rows, int i)
{
	struct chunk *chunk = chunk_wake(d, client, facts);
	struct waiting *w = chunk ? waiting_from_row(d, chunk, facts, rows, i, line) : NULL;
	if (chunk && !w) /* the window is full */
		chunk_maybe_close(d, chunk);
	return w;
}

static void take_entries(void *arg, const struct rows *rows)
{
	struct load *load = arg;
	struct dispatcher *d = load->d;
	struct chunk *chunk = chunk_find(d, load->chunk_id);
	if (!chunk || chunk->order != CHUNK_GO) /* its client was removed, or it was paused */
		return;
	for (int i = 0; i < rows->n; i++) {
		struct shm_window facts;
		if (!window_row_read(rows, i, chunk->batch_id, &facts)) {
			log_error("entry.unreadable", "chunk=%llu", (unsigned long long)chunk->id);
			continue;
		}
		if (slot_of_entry(d, facts.entry_id))
			continue;
		if (!waiting_from_row(d, chunk, &facts, rows, i, NULL)) {
			log_warn("window.full",
				"rows=%u chunk=%llu do=\"raise segment.window_entries\"",
				d->window.n, (unsigned long long)chunk->id);
			break;
		}
	}
}

static void loaded(void *arg, bool ok, const struct err *err)
{
	struct load *load = arg;
	struct dispatcher *d = load->d;
	struct chunk *chunk = chunk_find(d, load->chunk_id);
	(void)err;
	free(load);
	if (!chunk)
		return;
	chunk->queue->loading--;
	if (!ok) {
		lookups_pause(d);
		queue_return_chunk(chunk);
		return;
	}
	chunk->state = CHUNK_LOADED;
	sched_client_ready(d, chunk->client);
	chunk_obey(d, chunk);
	client_refill(d, chunk->client);
}

static void chunk_load(struct dispatcher *d, struct chunk *chunk)
{
	struct load *load = malloc(sizeof(*load));
	if (!load)
		die("memory.exhausted", "bytes=%zu", sizeof(*load));
	*load = (struct load){d, chunk->id};
	chunk->state = CHUNK_LOADING;
	chunk->queue->loading++;

	struct sql_args args = SQL_ARGS_INIT;
	arg_i64(&args, (int64_t)chunk->id);
	stream_query(d->lookups, SQL_CHUNK_ENTRIES, &args, take_entries, load);
	stream_end(d->lookups, loaded, load);
	args_free(&args);
}

void client_refill(struct dispatcher *d, struct client *client)
{
	struct chunk *chunk;
	while (client->known_n && d->window.free_n >= 1024 && d->recovered && !d->stopping &&
		lookups_may(d) && (chunk = queue_take_chunk(client)))
		chunk_load(d, chunk);
}

/* ---- announcements ---- */

/* What PostgreSQL has of a chunk: the settings_version of its batch may want its terms to be read before it is. */
static void chunk_heard(struct dispatcher *d, struct chunk *chunk, uint64_t settings_version,
	enum chunk_order order)
{
	terms_heard(d, chunk->queue, settings_version);
	chunk_ordered(d, chunk, order);
}

/* A quick call stands in the record itself: nothing to read. It is believed only as far as the claim confirms it. */
static void announce_quick(
	struct dispatcher *d, struct client *client, const struct shm_submit *rec)
{
	struct shm_window facts = {
		.entry_id = rec->id << 10,
		.client_id = rec->client_id,
		.plan = rec->plan,
		.n = 1,
	};
	memcpy(facts.number, rec->number, sizeof(facts.number));
	memcpy(facts.e164, rec->e164, sizeof(facts.e164));
	memcpy(facts.phone_number, rec->phone_number, sizeof(facts.phone_number));

	struct chunk *chunk = chunk_add(d, client, rec->id, 0, 0);
	if (!waiting_add(d, chunk, &facts, str_of(rec->did), (int64_t)rec->committed_us, NULL)) {
		chunk_forget(d, chunk);
		return;
	}
	chunk->state = CHUNK_LOADED;
	chunk->order = CHUNK_GO;
	sched_client_ready(d, client);
}

static void take_submit(struct dispatcher *d, const struct shm_submit *rec)
{
	counter_add(d->seg, COUNTER_submits, 1);
	if (!submit_valid(rec)) {
		counter_add(d->seg, COUNTER_submits_refused, 1);
		log_warn("submit.refused", "kind=%u id=%llu", rec->kind,
			(unsigned long long)rec->id);
		return;
	}
	if (rec->kind == SUBMIT_CONTROL) {
		d->control_wanted = true;
		return;
	}
	if (rec->kind == SUBMIT_KEY_USED) {
		used_note(d, rec->id, (int64_t)rec->committed_us);
		return;
	}
	struct client *client = client_find(d, rec->client_id);
	if (!client) { /* made a moment ago: the directory first, then the sweep finds the chunk */
		d->directory_wanted = d->sweep_wanted = true;
		return;
	}
	if (chunk_find(d, rec->id))
		return;
	if (rec->entries == 1 && rec->queue_master_id == 0)
		announce_quick(d, client, rec);
	else
		chunk_heard(d, chunk_add(d, client, rec->id, rec->queue_master_id, rec->batch_id),
			rec->settings_version, CHUNK_GO);
}

void submit_drain(struct dispatcher *d)
{
	struct shm_submit rec;
	if (!d->recovered)
		return;
	for (unsigned i = 0; i < SUBMITS_PER_TURN && submit_pop(d->seg, &d->submit_at, &rec); i++)
		take_submit(d, &rec);
}

/* ---- sweep ---- */

static enum chunk_order order_of(const struct rows *rows, int i)
{
	if (row_bool(rows, i, 6))
		return CHUNK_CANCEL;
	if (row_bool(rows, i, 8))
		return CHUNK_EXPIRE;
	return row_bool(rows, i, 5) ? CHUNK_PAUSE : CHUNK_GO;
}

static void take_chunks(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		uint64_t id = (uint64_t)row_i64(rows, i, 0);
		uint64_t settings_version = (uint64_t)row_i64(rows, i, 7);
		struct chunk *chunk = chunk_find(d, id);
		if (chunk) {
			chunk_heard(d, chunk, settings_version, order_of(rows, i));
			continue;
		}
		struct client *client = client_find(d, (uint64_t)row_i64(rows, i, 1));
		if (!client) {
			d->directory_wanted = true;
			continue;
		}
		counter_add(d->seg, COUNTER_swept_chunks, 1);
		chunk_heard(d,
			chunk_add(d, client, id, (uint64_t)row_i64(rows, i, 2),
				(uint64_t)row_i64(rows, i, 3)),
			settings_version, order_of(rows, i));
	}
}

static void swept(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->sweep_running = false;
	if (!ok) {
		lookups_pause(d);
		d->sweep_wanted = true;
		return;
	}
	/* Chunks known already, from adopted calls or from a load that failed, start here. */
	for (struct client *c = d->clients; c; c = c->hh.next)
		client_refill(d, c);
}

static void sweep_chunks(struct dispatcher *d)
{
	struct sql_args args = SQL_ARGS_INIT;
	d->sweep_running = true;
	d->sweep_wanted = false;
	d->next_full_sweep_us = d->now_us + FULL_SWEEP_US;
	arg_text(&args, str_of(d->conf->common_node));
	arg_time(&args, d->now_us);
	stream_query(d->lookups, SQL_CHUNKS_OPEN, &args, take_chunks, d);
	stream_end(d->lookups, swept, d);
	args_free(&args);
}

static void take_controls(void *arg, const struct rows *rows)
{
	struct dispatcher *d = arg;
	for (int i = 0; i < rows->n; i++) {
		struct str kind = row_text(rows, i, 2);
		if (str_eq(kind, STR("reload")))
			d->directory_wanted = true;
		else if (str_eq(kind, STR("halt")) || str_eq(kind, STR("lift")))
			halt_ordered(d, (uint64_t)row_i64(rows, i, 1), str_eq(kind, STR("halt")));
		else if (str_eq(kind, STR("hangup")))
			call_off(d, (uint64_t)row_i64(rows, i, 1), (uint64_t)row_i64(rows, i, 3));
		else if (str_eq(kind, STR("dnc")))
			dnc_changed(d);
		else if (str_eq(kind, STR("resume")))
			redials_resume(d, (uint64_t)row_i64(rows, i, 1));
		d->sweep_wanted =
			true; /* a dispatch releases chunks, a pause holds them; a new client or limit may free some */
		journal_control(d->journal, (uint64_t)row_i64(rows, i, 0));
	}
}

static void controlled(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->control_running = false;
	if (ok)
		return;
	lookups_pause(d);
	d->control_wanted = true;
}

static void read_controls(struct dispatcher *d)
{
	d->control_running = true;
	d->control_wanted = false;
	stream_query(d->lookups, SQL_CONTROL_OPEN, NULL, take_controls, d);
	stream_end(d->lookups, controlled, d);
}

void work_sweep(struct dispatcher *d)
{
	if (!lookups_may(d) || !d->recovered)
		return;
	if (d->control_wanted && !d->control_running && journal_controls_idle(d->journal))
		read_controls(d);
	if (d->directory_wanted && !d->directory_running)
		directory_load(d);
	if (d->rates_wanted && !d->rates_running && !d->directory_running)
		rates_rebuild(d);
	if (d->asking && !d->terms_running)
		terms_load(d);
	dnc_ask(d);
	if (d->now_us >= d->next_full_sweep_us)
		d->sweep_wanted = true;
	if (d->sweep_wanted && !d->sweep_running && !d->directory_running)
		sweep_chunks(d);
}
