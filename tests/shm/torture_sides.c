/* The two sides that talk to the dispatcher: workers and readers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "shm/bell.h"
#include "shm/directory.h"
#include "shm/events.h"
#include "shm/submit.h"
#include "shm/tenant.h"
#include "shm/view.h"
#include "tests/shm/torture.h"

static void open_or_die(const struct torture *t, struct segment *seg)
{
	struct err err;
	if (!segment_init(seg, t->conf.common_node, &err))
		die("torture.segment", "why=%s", log_q(err.text));
}

/* ---- workers ---- */

static void submit(struct segment *seg, const struct bell *bell, uint64_t id)
{
	struct shm_submit rec = {
		.kind = SUBMIT_CHUNK, .entries = 1, .id = id, .client_id = client_id_of(id)};
	number_of(id, rec.number);
	rec.queue_master_id = ~id;
	(void)tenant_changed(seg, rec.client_id);
	(void)submit_send(seg, bell, &rec);
}

_Noreturn void be_worker(const struct torture *t, int k)
{
	struct segment seg;
	struct bell bell;
	struct err err;
	open_or_die(t, &seg);
	if (!bell_open(&bell, t->folder, &err) || !segment_open_in(&seg, &t->conf, &err) ||
		!worker_slot_take(&seg, POOL_SQL, &err))
		die("torture.worker", "why=%s", log_q(err.text));
	/* The dispatcher may not have begun: segment_check attaches when it has. */
	(void)!segment_attach_state(&seg, &err);
	for (uint64_t n = file_count(t, COMMITTED + (enum file)k);; n++) {
		uint64_t id = n * WORKERS + (uint64_t)k + 1;
		if (id >= ID_MAX)
			die("torture.worker", "why=\"ids are used up\"");
		append(t, COMMITTED + (enum file)k, id);
		(void)segment_check(&seg);
		submit(&seg, &bell, id);
		while (n > file_count(t, DONE) / WORKERS + IN_FLIGHT_MAX)
			nap_us(200);
	}
}

/* ---- readers ---- */

static void read_rows(const struct torture *t, const struct segment *seg)
{
	for (uint64_t client_id = 1; client_id <= CLIENTS; client_id++) {
		struct shm_client client;
		if (!dir_client(seg, client_id, &client)) {
			score_add(&t->score->rows_busy);
			continue;
		}
		score_add(&t->score->rows_read);
		if (!client_is_whole(&client))
			score_add(&t->score->torn_rows);
	}
}

static void read_calls(const struct torture *t, const struct segment *seg, uint64_t client_id)
{
	struct view view = view_of(seg, client_id);
	struct shm_call_view call;
	for (uint32_t at = 0; view_next_call(&view, &at, &call);) {
		char number[20];
		number_of(call.entry_id, number);
		score_add(&t->score->calls_read);
		if (call.client_id != client_id || client_id_of(call.entry_id) != client_id ||
			call.server_id != SERVER_ID || call.n != 1 ||
			call.call.batch_id != call.entry_id * 3 ||
			strcmp(call.call.number, number) != 0)
			score_add(&t->score->torn_calls);
	}
}

/* The event's place in the ring is its place in `done`. */
static void judge_event(const struct torture *t, const struct event_copy *copy, uint64_t index)
{
	char payload[64];
	uint64_t id = file_at(t, DONE, index);
	(void)snprintf(payload, sizeof(payload), "{\"id\":%" PRIu64 "}", id);
	score_add(&t->score->events);
	if (copy->head.index != index)
		score_add(&t->score->wrong_order);
	else if (copy->head.client_id != client_id_of(id) || strcmp(copy->payload, payload) != 0)
		score_add(&t->score->torn_events);
}

static void read_events(
	const struct torture *t, const struct segment *seg, struct event_cursor *cursor)
{
	struct event_copy copy;
	for (;;) {
		uint64_t index = cursor->index, missed;
		switch (event_next(seg, cursor, &copy, &missed)) {
		case EVENT_NONE:
			return;
		case EVENT_OK:
			judge_event(t, &copy, index);
			if (index % 997 == 0)
				nap_us(20000); /* a reader that is too slow now and then */
			break;
		case EVENT_OVERRUN:
			score_add(&t->score->overruns);
			atomic_fetch_add(&t->score->missed, missed);
			if (index + missed != cursor->index)
				score_add(&t->score->wrong_order);
			break;
		case EVENT_RESET:
			score_add(&t->score->resets);
			break;
		}
	}
}

_Noreturn void be_reader(const struct torture *t)
{
	struct segment seg;
	struct event_cursor cursor;
	struct err err;
	open_or_die(t, &seg);
	while (!segment_attach_state(&seg, &err) || !segment_attach_events(&seg, &err))
		nap_us(1000);
	event_cursor_oldest(&seg, &cursor);
	for (uint64_t turn = 0;; turn++) {
		(void)segment_check(&seg);
		read_events(t, &seg, &cursor);
		read_rows(t, &seg);
		read_calls(t, &seg, turn % CLIENTS + 1);
		nap_us(100);
	}
}
