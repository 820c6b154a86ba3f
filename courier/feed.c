/* Reading hooks, events and retries: see feed.h. */
#include "courier/feed.h"

#include "common/clock.h"
#include "common/log.h"
#include "courier/body.h"
#include "courier/export.h"
#include "courier/hook.h"
#include "courier/settle.h"

#include "common/base.h"

enum {
	HOOK_ROOM = 256,   /* events of one hook in memory */
	RETRY_ROOM = 16,   /* of those that are sent again */
	ITEMS_MAX = 20000, /* all together */
	FETCH_PAUSE_MS = 20,
	RETRY_PAUSE_MS = 50,
	LOAD_PAUSE_S = 30,
	CLEAN_PAUSE_S = 600,
};

const enum sql_query feed_queries[] = {SQL_COURIER_LOCK, SQL_WEBHOOK_LOAD, SQL_WEBHOOK_FETCH,
	SQL_WEBHOOK_RETRIES, SQL_WEBHOOK_NEXT_RETRY, SQL_WEBHOOK_ADVANCE, SQL_WEBHOOK_PUT_OFF,
	SQL_WEBHOOK_ARRIVED, SQL_WEBHOOK_LOG, SQL_WEBHOOK_DISABLE, SQL_WEBHOOK_CLEAN,
	SQL_CLIENT_DATABASE_LOAD, SQL_CLIENT_DATABASE_FETCH, SQL_CLIENT_DATABASE_ADVANCE,
	SQL_CLIENT_DATABASE_FAIL, SQL_QUERY__N};

/* ---- who may deliver ---- */

static void on_lock(void *arg, const struct rows *rows)
{
	struct courier *c = arg;
	bool was_chosen = c->is_chosen;
	c->is_chosen = rows->n == 1 && row_bool(rows, 0, 0);
	if (c->is_chosen && !was_chosen)
		log_info("courier.chosen", "node=%s", c->conf->common_node);
}

static void on_load(void *arg, const struct rows *rows)
{
	struct courier *c = arg;
	if (c->is_chosen && !c->stopping)
		hooks_take(c, rows);
}

static void on_databases(void *arg, const struct rows *rows)
{
	struct courier *c = arg;
	if (c->is_chosen && !c->stopping)
		export_take(c->export, rows);
}

static void load_ended(void *arg, bool ok, const struct err *err)
{
	struct courier *c = arg;
	(void)err;
	c->loading = false;
	c->news = true;
	export_news(c->export);
	c->load_at_us = c->now_mono_us + (ok && c->is_chosen ? LOAD_PAUSE_S : 1) * US_PER_S;
}

/* The lock is asked for each time: who has it gets it again, and who has not waits for the other's end. */
static void load(struct courier *c)
{
	c->load_wanted = false;
	c->loading = true;
	stream_query(c->stream, SQL_COURIER_LOCK, NULL, on_lock, c);
	stream_query(c->stream, SQL_WEBHOOK_LOAD, NULL, on_load, c);
	export_expect(c->export);
	stream_query(c->stream, SQL_CLIENT_DATABASE_LOAD, NULL, on_databases, c);
	stream_end(c->stream, load_ended, c);
}

/* ---- events ---- */

static unsigned room_of(const struct courier *c, const struct hook *hook)
{
	if (hook->items_n > HOOK_ROOM / 2 || c->items_n >= ITEMS_MAX)
		return 0;
	return HOOK_ROOM - hook->items_n;
}

/* Columns: client_id, seq, type, occurred_at, entry_id, payload, custom_data, is one of its call put off? */
static void take_event(struct courier *c, struct hook *hook, const struct rows *rows, int row)
{
	struct item *item = item_new(hook, false);
	const struct body_event event = {
		.client_id = hook->client_id,
		.seq = row_i64(rows, row, 1),
		.type = row_text(rows, row, 2),
		.occurred_us = row_time(rows, row, 3),
		.accountcode = hook->accountcode,
		.payload = row_text(rows, row, 5),
		.custom_data = row_text(rows, row, 6),
	};

	item->seq = hook->read_seq = event.seq;
	item->entry_id = (uint64_t)row_i64(rows, row, 4);
	item->first_us = event.occurred_us;
	bool is_sound = body_of_event(&item->body, &event);
	item_is_there(c, item);
	if (!is_sound)
		settle_give_up(c, item, "the event's payload is no JSON object");
	else if (row_bool(rows, row, 7) || (item->chain && item->chain->moved))
		settle_behind(c, item);
}

static void on_events(void *arg, const struct rows *rows)
{
	struct courier *c = arg;
	if (c->fetch_void)
		return;
	for (int row = 0; row < rows->n; row++) {
		struct hook *hook = hook_find(c, (uint64_t)row_i64(rows, row, 0));
		if (!hook || row_i64(rows, row, 1) <= hook->read_seq)
			continue;
		take_event(c, hook, rows, row);
		hook->has_more = --hook->asked == 0;
	}
}

static void events_ended(void *arg, bool ok, const struct err *err)
{
	struct courier *c = arg;
	(void)err;
	c->fetching = c->fetch_void = false;
	if (!ok) /* logged by the stream; the next bell or load tries again */
		c->load_wanted = true;
}

static void fetch(struct courier *c)
{
	struct sql_args args = SQL_ARGS_INIT;
	unsigned n = 0;

	bool news = c->news;
	c->news = false;
	struct sql_array ids = arg_array(&args, INT8OID);
	for (struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if ((news || hook->has_more) && room_of(c, hook)) {
			array_i64(&ids, (int64_t)hook->client_id);
			n++;
		}
	array_end(&ids);
	struct sql_array after = arg_array(&args, INT8OID);
	for (struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if ((news || hook->has_more) && room_of(c, hook))
			array_i64(&after, hook->read_seq);
	array_end(&after);
	struct sql_array rooms = arg_array(&args, INT8OID);
	for (struct hook *hook = c->hooks; hook; hook = hook->hh.next) {
		if (!news && !hook->has_more)
			continue;
		unsigned room = room_of(c, hook);
		hook->has_more = room == 0; /* it may have: asked when there is room */
		hook->asked = room;
		if (room)
			array_i64(&rooms, room);
	}
	array_end(&rooms);
	if (n) {
		c->fetching = true;
		c->fetch_at_us = c->now_mono_us + FETCH_PAUSE_MS * US_PER_MS;
		stream_query(c->stream, SQL_WEBHOOK_FETCH, &args, on_events, c);
		stream_end(c->stream, events_ended, c);
	}
	args_free(&args);
}

static bool has_room_for_more(const struct courier *c)
{
	for (const struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if (hook->has_more && room_of(c, hook))
			return true;
	return false;
}

/* ---- what is sent again ---- */

static bool is_on_its_way(const struct hook *hook, int64_t seq)
{
	for (const struct item *item = hook->retries; item; item = item->next)
		if (item->seq == seq)
			return true;
	return false;
}

/* Columns: client_id, seq, attempts, first_at, entry_id, type, occurred_at, payload, custom_data. */
static void take_retry(struct courier *c, struct hook *hook, const struct rows *rows, int row)
{
	struct item *item = item_new(hook, true);
	const struct body_event event = {
		.client_id = hook->client_id,
		.seq = row_i64(rows, row, 1),
		.type = row_text(rows, row, 5),
		.occurred_us = row_time(rows, row, 6),
		.accountcode = hook->accountcode,
		.payload = row_text(rows, row, 7),
		.custom_data = row_text(rows, row, 8),
	};

	item->seq = event.seq;
	item->attempts = (unsigned)row_i64(rows, row, 2);
	item->first_us = row_time(rows, row, 3);
	item->entry_id = (uint64_t)row_i64(rows, row, 4);
	bool is_sound = true;
	if (event.seq < 0)
		body_of_test(&item->body, hook->client_id, -event.seq, hook->accountcode,
			item->first_us);
	else
		is_sound = event.payload.p && body_of_event(&item->body, &event);
	item_is_there(c, item);
	if (!is_sound)
		settle_give_up(c, item, "the event is kept no longer");
}

static void on_retries(void *arg, const struct rows *rows)
{
	struct courier *c = arg;
	if (c->fetch_void_retries)
		return;
	for (int row = 0; row < rows->n; row++) {
		struct hook *hook = hook_find(c, (uint64_t)row_i64(rows, row, 0));
		if (hook && hook->retries_n < RETRY_ROOM &&
			!is_on_its_way(hook, row_i64(rows, row, 1)))
			take_retry(c, hook, rows, row);
	}
}

/* Columns: client_id, when the next that is not due yet will be, or null. */
static void on_next_retry(void *arg, const struct rows *rows)
{
	struct courier *c = arg;
	if (c->fetch_void_retries)
		return;
	for (int row = 0; row < rows->n; row++) {
		struct hook *hook = hook_find(c, (uint64_t)row_i64(rows, row, 0));
		int64_t due_us = row_time(rows, row, 1);
		if (hook && due_us != INT64_MIN)
			hook->retry_due_us = MIN(hook->retry_due_us, due_us);
	}
}

static void retries_ended(void *arg, bool ok, const struct err *err)
{
	struct courier *c = arg;
	(void)err;
	c->fetching_retries = c->fetch_void_retries = false;
	if (!ok)
		c->load_wanted = true;
}

static bool wants_retries(const struct courier *c, const struct hook *hook)
{
	return hook->retry_due_us <= c->now_us && hook->retries_n < RETRY_ROOM;
}

static void fetch_retries(struct courier *c)
{
	struct sql_args args = SQL_ARGS_INIT, same = SQL_ARGS_INIT;
	struct sql_array ids = arg_array(&args, INT8OID), again = arg_array(&same, INT8OID);

	for (struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if (wants_retries(c, hook)) {
			array_i64(&ids, (int64_t)hook->client_id);
			array_i64(&again, (int64_t)hook->client_id);
			hook->retry_due_us = INT64_MAX;
		}
	array_end(&ids);
	array_end(&again);
	arg_i64(&args, RETRY_ROOM);
	c->fetching_retries = true;
	c->retries_at_us = c->now_mono_us + RETRY_PAUSE_MS * US_PER_MS;
	stream_query(c->stream, SQL_WEBHOOK_RETRIES, &args, on_retries, c);
	stream_query(c->stream, SQL_WEBHOOK_NEXT_RETRY, &same, on_next_retry, c);
	stream_end(c->stream, retries_ended, c);
	args_free(&args);
	args_free(&same);
}

/* Wall time of the earliest; INT64_MAX: none. */
static int64_t next_retry_us(const struct courier *c)
{
	int64_t next = INT64_MAX;
	for (const struct hook *hook = c->hooks; hook; hook = hook->hh.next)
		if (hook->retries_n < RETRY_ROOM)
			next = MIN(next, hook->retry_due_us);
	return next;
}

static void clean(struct courier *c)
{
	struct sql_args args = SQL_ARGS_INIT;
	c->clean_at_us = c->now_mono_us + CLEAN_PAUSE_S * US_PER_S;
	arg_i64(&args, c->conf->courier_log_days);
	stream_query(c->stream, SQL_WEBHOOK_CLEAN, &args, NULL, NULL);
	stream_end(c->stream, NULL, NULL);
	args_free(&args);
}

/* ---- turns ---- */

void feed_turn(struct courier *c)
{
	if (!stream_is_up(c->stream) || c->stopping)
		return;
	if (!c->loading && (c->load_wanted || c->now_mono_us >= c->load_at_us))
		load(c);
	if (!c->is_chosen)
		return;
	if (!c->fetching && c->now_mono_us >= c->fetch_at_us && (c->news || has_room_for_more(c)))
		fetch(c);
	if (!c->fetching_retries && c->now_mono_us >= c->retries_at_us &&
		next_retry_us(c) <= c->now_us)
		fetch_retries(c);
	if (c->now_mono_us >= c->clean_at_us)
		clean(c);
}

int64_t feed_deadline(const struct courier *c)
{
	int64_t next = INT64_MAX;

	if (!stream_is_up(c->stream) || c->stopping)
		return next;
	if (!c->loading)
		next = c->load_wanted ? c->now_mono_us : c->load_at_us;
	if (!c->is_chosen)
		return next;
	if (!c->fetching && (c->news || has_room_for_more(c)))
		next = MIN(next, c->fetch_at_us);
	int64_t due_us = next_retry_us(c);
	if (!c->fetching_retries && due_us != INT64_MAX)
		next = MIN(next, MAX(c->retries_at_us,
					 c->now_mono_us + MAX(due_us - c->now_us, (int64_t)0)));
	return next;
}

void feed_reset(struct courier *c)
{
	c->fetch_void = c->fetching;
	c->fetch_void_retries = c->fetching_retries;
	c->load_at_us = c->now_mono_us + US_PER_S / 2;
}
