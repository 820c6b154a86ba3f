/* The dispatcher's part: adopts what a killed predecessor left, then turns like the real one. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "shm/bell.h"
#include "shm/calls.h"
#include "shm/directory.h"
#include "shm/events.h"
#include "shm/submit.h"
#include "shm/tenant.h"
#include "shm/window.h"
#include "tests/shm/torture.h"

enum { SWEEP_US = 20000, POPS_A_TURN = 64 };

/* Of an id, as this life knows it. */
enum { SEEN_IN_WINDOW = 1, SEEN_IN_SLOT = 2, JOURNALLED = 4, WRITTEN = 8, FINISHED = 16 };

struct life {
	const struct torture *t;
	struct segment seg;
	struct bell bell;
	struct call_table calls;
	struct window_table window;
	uint8_t *ids;	     /* by id */
	uint64_t highest;    /* id of an earlier life */
	uint32_t *queue;     /* window rows, oldest first: a ring of as many as there are rows */
	uint64_t first, end; /* of queue */
	uint64_t published, seq[CLIENTS + 1], last_event[CLIENTS + 1];
	uint64_t swept[WORKERS];
	int64_t next_sweep_us;
	uint32_t pop_at, version;
	struct shm_client_row *clients[CLIENTS + 1];
	struct shm_allocation_row *allocations[CLIENTS + 1];
	struct shm_server_row *server;
};

/* ---- the directory: rewritten all the time, so that readers meet writes ---- */

static void put_client(struct life *l, uint64_t client_id)
{
	struct shm_client client;
	client_of(client_id, l->version, &client);
	if (!tenant_generation(&l->seg, client_id, &client.generation))
		die("torture.tenants", "why=full");
	l->clients[client_id] = dir_put_client(&l->seg, &client);
}

static void load_directory(struct life *l)
{
	struct shm_server server = {.id = SERVER_ID, .port = 5038};
	l->server = dir_put_server(&l->seg, &server);
	for (uint64_t id = 1; id <= CLIENTS; id++) {
		struct shm_allocation a = {.client_id = id, .server_id = SERVER_ID};
		l->allocations[id] = dir_put_allocation(&l->seg, &a);
		put_client(l, id);
	}
}

static void show_usage(struct life *l)
{
	uint32_t waiting[CLIENTS + 1] = {0};
	for (uint64_t i = l->first; i < l->end; i++)
		waiting[seg_window(&l->seg, NULL)[l->queue[i % l->window.n]].client_id]++;
	for (uint64_t id = 1; id <= CLIENTS; id++) {
		uint32_t channels = call_count(&l->seg, id, 0);
		atomic_store(&l->clients[id]->usage.channels, channels);
		atomic_store(&l->allocations[id]->usage.channels, channels);
		atomic_store(&l->clients[id]->usage.waiting, waiting[id]);
	}
	atomic_store(&l->server->usage.channels, call_count(&l->seg, 0, 0));
}

/* ---- work comes in ---- */

static void admit(struct life *l, uint64_t id)
{
	if (l->ids[id]) {
		score_add(&l->t->score->known_already);
		return;
	}
	struct shm_window entry = {.entry_id = id, .client_id = client_id_of(id)};
	number_of(id, entry.number);
	uint32_t row = window_put(&l->window, &entry);
	if (row == WINDOW_NO_ROW)
		return; /* the sweep finds it when there is room */
	l->ids[id] = SEEN_IN_WINDOW;
	l->queue[l->end++ % l->window.n] = row;
}

static void pop_submits(struct life *l)
{
	struct shm_submit rec;
	for (int i = 0; i < POPS_A_TURN && submit_pop(&l->seg, &l->pop_at, &rec); i++) {
		char number[20];
		number_of(rec.id, number);
		score_add(&l->t->score->popped);
		if (!submit_valid(&rec) || rec.id >= ID_MAX ||
			rec.client_id != client_id_of(rec.id) || rec.queue_master_id != ~rec.id ||
			strcmp(rec.number, number) != 0)
			score_add(&l->t->score->torn_records);
		else
			admit(l, rec.id);
	}
}

/* What a killed worker could not announce, or no ring had room for. */
static void sweep(struct life *l)
{
	for (int k = 0; k < WORKERS; k++) {
		uint64_t n, *ids = file_load(l->t, COMMITTED + (enum file)k, l->swept[k], &n);
		for (uint64_t i = 0; i < n; i++) {
			bool fresh = !l->ids[ids[i]];
			if (fresh)
				admit(l, ids[i]);
			if (!l->ids[ids[i]])
				break; /* no room: from here on at the next sweep */
			l->swept[k]++;
			if (fresh)
				score_add(&l->t->score->swept);
		}
		free(ids);
	}
	l->next_sweep_us = clock_mono_us() + SWEEP_US;
}

/* ---- the life of a call ---- */

static void publish_done(struct life *l)
{
	for (uint64_t n = file_count(l->t, DONE); l->published < n; l->published++) {
		uint64_t id = file_at(l->t, DONE, l->published), client_id = client_id_of(id);
		char payload[64];
		int bytes = snprintf(payload, sizeof(payload), "{\"id\":%" PRIu64 "}", id);
		struct event event = {EVENT_call_ended, client_id, ++l->seq[client_id],
			clock_wall_us(), payload, (uint32_t)bytes};
		if (!event_publish(&l->seg, &event, &l->last_event[client_id]))
			die("torture.publish", "why=refused");
	}
}

static void plan(struct life *l)
{
	while (l->first < l->end && l->calls.free_n > 0) {
		uint32_t row = l->queue[l->first++ % l->window.n];
		uint64_t id = seg_window(&l->seg, NULL)[row].entry_id;
		struct shm_call details = {.batch_id = id * 3};
		number_of(id, details.number);
		(void)call_take(&l->calls,
			&(struct call_identity){id, client_id_of(id), SERVER_ID, 1}, &details);
		window_remove(&l->window, row);
		l->ids[id] = SEEN_IN_SLOT;
	}
}

static void set(struct life *l, uint32_t slot, enum shm_call_state state)
{
	struct shm_call details = seg_calls(&l->seg, NULL)[slot];
	details.ended_us = details.armed_us = clock_wall_us();
	call_update(&l->seg, slot, &details);
	call_state_set(&l->seg, slot, state);
}

/* One step; every line may be the last of this life. */
static void step(struct life *l, uint32_t slot)
{
	uint64_t id = seg_call_heads(&l->seg, NULL)[slot].entry_id;
	enum shm_call_state state = call_state(&l->seg, slot);
	if (state == CALL_PLANNED) {
		if (!(l->ids[id] & JOURNALLED))
			append(l->t, JOURNAL, id);
		set(l, slot, CALL_ARMED);
	} else if (state == CALL_ARMED) {
		set(l, slot, CALL_SENT);
		append(l->t, DIALLED, id);
		l->ids[id] |= WRITTEN;
	} else if (state == CALL_SENT) {
		if (!(l->ids[id] & WRITTEN)) {
			score_add(&l->t->score->never_written);
			append(l->t, DIALLED, id);
		}
		set(l, slot, CALL_DIALING);
	} else if (state < CALL_ENDED) {
		set(l, slot, (enum shm_call_state)(state + 1));
	} else {
		if (!(l->ids[id] & FINISHED))
			append(l->t, DONE, id);
		l->ids[id] |= FINISHED;
		publish_done(l);
		call_release(&l->calls, slot);
	}
}

static void step_all(struct life *l)
{
	for (uint32_t slot = 0; slot < l->calls.n; slot++)
		if (call_state(&l->seg, slot) != CALL_FREE && random() % 2)
			step(l, slot);
}

/* ---- a new life ---- */

static void mark(struct life *l, enum file file, uint8_t bit)
{
	uint64_t n, *ids = file_load(l->t, file, 0, &n);
	for (uint64_t i = 0; i < n; i++) {
		l->ids[ids[i]] |= bit;
		l->highest = MAX(l->highest, ids[i]);
	}
	free(ids);
}

/* Whatever was journalled and is not done must be in an adopted slot: else it could never end. */
static void adopt(struct life *l)
{
	mark(l, JOURNAL, JOURNALLED);
	mark(l, DIALLED, WRITTEN);
	mark(l, DONE, FINISHED);
	for (uint32_t slot = 0; slot < l->calls.n; slot++) {
		uint64_t id = seg_call_heads(&l->seg, NULL)[slot].entry_id;
		if (call_state(&l->seg, slot) == CALL_FREE)
			continue;
		if (l->ids[id] & SEEN_IN_SLOT)
			score_add(&l->t->score->orphans);
		l->ids[id] |= SEEN_IN_SLOT;
		score_add(&l->t->score->adopted);
	}
	for (uint64_t id = 1; id <= l->highest; id++)
		if ((l->ids[id] & (JOURNALLED | FINISHED | SEEN_IN_SLOT)) == JOURNALLED)
			score_add(&l->t->score->orphans);
}

/* The ring itself says how far a predecessor came: what is done and not in it follows now. */
static void continue_ring(struct life *l)
{
	struct event_cursor cursor;
	struct event_copy copy;
	uint64_t missed, n, *done = file_load(l->t, DONE, 0, &n);
	event_cursor_newest(&l->seg, &cursor);
	l->published = cursor.index;
	for (uint64_t i = 0; i < l->published; i++)
		l->seq[client_id_of(done[i])]++;
	free(done);
	event_cursor_oldest(&l->seg, &cursor);
	while (event_next(&l->seg, &cursor, &copy, &missed) == EVENT_OK)
		l->last_event[copy.head.client_id] = copy.head.position;
	if (l->published < n)
		score_add(&l->t->score->republished);
	publish_done(l);
}

static void begin(struct life *l, const struct torture *t)
{
	struct err err;
	bool adopted;
	*l = (struct life){.t = t};
	if (!segment_init(&l->seg, t->conf.common_node, &err) ||
		!segment_create_or_adopt(&l->seg, &t->conf, &adopted, &err) ||
		!bell_open(&l->bell, t->folder, &err))
		die("torture.dispatcher", "why=%s", log_q(err.text));
	l->version = (uint32_t)segment_begin_epoch(&l->seg) * 1000;
	call_table_open(&l->calls, &l->seg);
	window_table_open(&l->window, &l->seg);
	l->ids = calloc(ID_MAX, 1);
	l->queue = calloc(l->window.n, sizeof(*l->queue));
	if (!l->ids || !l->queue)
		die("memory.exhausted", "what=torture");
	load_directory(l);
	adopt(l);
	continue_ring(l);
	show_usage(l);
	segment_set_ready(&l->seg, true);
}

/* Waits for the bell when there is nothing to do. */
static void rest(struct life *l)
{
	struct pollfd bell = {.fd = l->bell.fd, .events = POLLIN};
	bell_arm(seg_shared(&l->seg, NULL));
	if (!submit_waiting(&l->seg) && l->calls.free_n == l->calls.n && l->first == l->end)
		(void)poll(&bell, 1, SWEEP_US / 1000);
	bell_disarm(seg_shared(&l->seg, NULL));
	bell_drain(&l->bell);
}

_Noreturn void be_dispatcher(const struct torture *t)
{
	struct life l;
	begin(&l, t);
	for (;;) {
		segment_beat(&l.seg, clock_mono_us());
		pop_submits(&l);
		if (clock_mono_us() >= l.next_sweep_us)
			sweep(&l);
		plan(&l);
		step_all(&l);
		l.version++;
		put_client(&l, l.version % CLIENTS + 1);
		show_usage(&l);
		rest(&l);
	}
}
