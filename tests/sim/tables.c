/* What is stored, and what the dispatcher's statements mean: each as sql/queries/dispatcher.sql has it, on arrays instead of
 * tables. A statement that is not here answers nothing, a column that is not here is null. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dispatcher/call.h"
#include "sql/wire.h"
#include "tests/sim/sim.h"
#include "tests/sim/table.h"

#include "common/base.h"

/* ---- look-ups ---- */

struct sim_chunk *chunk_of(uint64_t id)
{
	bool known = id >= CHUNK_FIRST && id < CHUNK_FIRST + sim.chunks_n;
	return known ? &sim.chunks[id - CHUNK_FIRST] : NULL;
}

struct sim_entry *entry_of(uint64_t id)
{
	struct sim_chunk *c = chunk_of(id >> 10);
	return c && (id & 1023) < c->entries ? &sim.entries[c->first + (id & 1023)] : NULL;
}

static struct sim_batch *batch_of(const struct sim_chunk *c)
{
	return c->batch == BATCHES_MAX ? NULL : &sim.batches[c->batch];
}

static uint64_t batch_id_of(const struct sim_chunk *c)
{
	return c->batch == BATCHES_MAX ? 0 : sim.batches[c->batch].id;
}

static bool is_canceled(const struct sim_chunk *c)
{
	return batch_of(c) && batch_of(c)->canceled;
}

bool tables_may_be_tried(const struct sim_entry *e)
{
	bool under_way = false;
	for (uint32_t n = 1; n < ATTEMPTS_MAX; n++)
		under_way |= e->attempts[n].exists && !e->attempts[n].has_detail;
	return !e->finals && !under_way;
}

/* ---- work ---- */

static void node_start(struct table *t)
{
	table_row(t);
	put_i64(t, (int64_t)++sim.node_epoch);
}

static void node_adopt_chunks(uint64_t epoch)
{
	for (uint32_t i = 0; i < sim.chunks_n; i++)
		if (sim.chunks[i].owner_epoch && !sim.chunks[i].closed)
			sim.chunks[i].owner_epoch = epoch;
}

static void control_open(struct table *t)
{
	while (sim.controls_done < sim.controls_n && sim.controls[sim.controls_done].done)
		sim.controls_done++;
	for (uint32_t i = sim.controls_done; i < sim.controls_n; i++) {
		const struct sim_control *c = &sim.controls[i];
		if (c->done)
			continue;
		table_row(t);
		put_i64(t, (int64_t)c->id);
		put_i64(t, (int64_t)c->client_id);
		put_text(t, str_of(c->kind));
		put_i64(t, (int64_t)c->entry_id);
	}
}

static void chunks_open(struct table *t)
{
	for (uint32_t i = 0; i < sim.chunks_n; i++) {
		const struct sim_chunk *c = &sim.chunks[i];
		bool is_over = batch_of(c) && batch_of(c)->expires_us &&
			       batch_of(c)->expires_us <= sim.now_us;
		if (c->closed || c->rests || (!c->dispatched && !is_canceled(c) && !is_over))
			continue;
		table_row(t);
		put_i64(t, (int64_t)c->id);
		put_i64(t, (int64_t)sim.clients[c->client].id);
		put_i64(t, (int64_t)batch_id_of(c));
		put_i64(t, (int64_t)batch_id_of(c));
		put_i64(t, c->entries);
		put_i64(t, batch_of(c) && batch_of(c)->paused);
		put_i64(t, is_canceled(c));
		put_i64(t, batch_of(c) ? (int64_t)batch_of(c)->settings_version : 0);
		put_i64(t, is_over);
	}
}

static void put_time_or_null(struct table *t, int64_t at_us)
{
	if (at_us)
		put_time(t, at_us);
	else
		put_null(t);
}

static void queue_terms(struct table *t, const struct sql_args *args)
{
	struct column ids = arg_column(args, 0);
	while (column_next(&ids)) {
		const struct sim_batch *b = &sim.batches[(uint64_t)ids.i64 - sim.batches[0].id];
		const struct limits *l = &b->limited.sql;
		table_row(t);
		put_i64(t, ids.i64);
		put_i64(t, (int64_t)b->settings_version);
		put_i64(t, false);
		put_text(t, STR(""));
		put_i64(t, l->channels);
		put_i64(t, l->per_second);
		put_i64(t, b->weight);
		put_time_or_null(t, b->starts_us);
		put_time_or_null(t, b->expires_us);
		put_null(t);
		put_null(t);
		if (b->retry)
			put_text(t, str_of(b->retry));
		else
			put_null(t);
	}
}

/* The do-not-call list that its number is on. */
static struct str list_of(const struct sim_entry *e)
{
	return str_of(e->listed ? "client" : NULL);
}

static void calls_listed(struct table *t, const struct sql_args *args)
{
	struct column entries = arg_column(args, 0);
	while (column_next(&entries)) {
		const struct sim_entry *e = entry_of((uint64_t)entries.i64);
		if (!e || !e->listed)
			continue;
		table_row(t);
		put_i64(t, entries.i64);
		put_text(t, list_of(e));
	}
}

void tables_put_entry(struct table *t, const struct sim_entry *e, uint64_t failed_on)
{
	uint64_t batch_id = batch_id_of(&sim.chunks[e->chunk]);
	uint32_t n = 0;
	while (n + 1 < ATTEMPTS_MAX && e->attempts[n + 1].exists)
		n++;
	table_row(t);
	put_i64(t, (int64_t)e->id);
	put_i64(t, (int64_t)sim.clients[e->client].id);
	put_i64(t, (int64_t)batch_id);
	put_text(t, str_of(e->number));
	put_text(t, str_of(e->number));
	put_text(t, STR(""));
	put_i64(t, 0);
	put_i64(t, 0);
	put_text(t, STR(""));
	put_i64(t, n + 1);
	put_i64(t, (int64_t)failed_on);
	put_text(t, str_of(e->did));
	put_text(t, list_of(e));
	put_text(t, str_of(e->attempts[n].shown));
}

static void chunk_entries(struct table *t, const struct sim_chunk *c)
{
	for (uint32_t i = 0; c && i < c->entries; i++) {
		const struct sim_entry *e = &sim.entries[c->first + i];
		uint64_t failed_on = 0;
		if (!tables_may_be_tried(e) || e->due_us)
			continue;
		for (uint32_t n = 1; n < ATTEMPTS_MAX && e->attempts[n].exists; n++)
			if (!e->attempts[n].is_canceled)
				failed_on = sim.servers[e->attempts[n].server].id;
		tables_put_entry(t, e, failed_on);
	}
}

static void attempts_known(struct table *t, const struct sql_args *args)
{
	struct column entries = arg_column(args, 0), ns = arg_column(args, 1);
	while (column_next(&entries) && column_next(&ns)) {
		const struct sim_entry *e = entry_of((uint64_t)entries.i64);
		if (!e || !e->attempts[ns.i64].exists)
			continue;
		table_row(t);
		put_i64(t, entries.i64);
		put_i64(t, ns.i64);
	}
}

static void put_open_attempt(struct table *t, const struct sim_entry *e, uint32_t n)
{
	const struct sim_chunk *c = &sim.chunks[e->chunk];
	const struct sim_attempt *a = &e->attempts[n];
	table_row(t);
	put_i64(t, (int64_t)e->id);
	put_i64(t, n);
	put_i64(t, (int64_t)sim.clients[e->client].id);
	put_i64(t, (int64_t)batch_id_of(c));
	put_i64(t, (int64_t)sim.servers[a->server].id);
	put_text(t, *e->did ? str_of(e->did) : STR("911140000001"));
	put_time(t, a->armed_us);
	put_text(t, str_of(e->number));
	put_text(t, str_of(e->number));
	put_text(t, STR(""));
	put_i64(t, 0);
	put_i64(t, (int64_t)batch_id_of(c));
	put_i64(t, 0);
	put_text(t, STR(""));
	put_i64(t, *e->did != '\0');
}

static void attempts_open(struct table *t)
{
	for (uint32_t i = 0; i < sim.entries_n; i++) {
		const struct sim_entry *e = &sim.entries[i];
		const struct sim_chunk *c = &sim.chunks[e->chunk];
		if (c->closed || !c->owner_epoch)
			continue;
		for (uint32_t n = 1; n < ATTEMPTS_MAX; n++)
			if (e->attempts[n].exists && !e->attempts[n].has_detail)
				put_open_attempt(t, e, n);
	}
}

struct start {
	int64_t at_us;
	uint32_t client, server;
};

static int by_time(const void *a, const void *b)
{
	const struct start *x = a, *y = b;
	return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* In order of time: by walking the seconds of the hour is too slow, so each start is a row of its own. Their number. */
static uint32_t collect_starts(struct start starts[ENTRIES_MAX * ATTEMPTS_MAX])
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < sim.entries_n; i++)
		for (uint32_t k = 1; k < ATTEMPTS_MAX; k++) {
			const struct sim_attempt *a = &sim.entries[i].attempts[k];
			if (a->has_detail && a->started_us > sim.now_us - 3600 * US_PER_S)
				starts[n++] = (struct start){
					a->started_us, sim.entries[i].client, a->server};
		}
	qsort(starts, n, sizeof(*starts), by_time);
	return n;
}

static struct start begun[ENTRIES_MAX * ATTEMPTS_MAX];

static void starts_of_share(struct table *t, const struct sql_args *args)
{
	uint32_t n = collect_starts(begun);
	for (uint32_t i = 0; i < n; i++) {
		if ((int64_t)sim.clients[begun[i].client].id != arg_number(args, 0) ||
			(int64_t)sim.servers[begun[i].server].id != arg_number(args, 1))
			continue;
		table_row(t);
		put_time(t, (begun[i].at_us / US_PER_S + 1) * US_PER_S);
		put_i64(t, 1);
	}
}

static void starts_recent(struct table *t)
{
	uint32_t n = collect_starts(begun);
	for (uint32_t i = 0; i < n; i++) {
		table_row(t);
		put_i64(t, (int64_t)sim.clients[begun[i].client].id);
		put_i64(t, (int64_t)sim.servers[begun[i].server].id);
		put_time(t, (begun[i].at_us / US_PER_S + 1) * US_PER_S);
		put_i64(t, 1);
	}
}

/* ---- the commit stream ---- */

static void chunk_claim(uint64_t epoch, const struct sql_args *args)
{
	struct column ids = arg_column(args, 2);
	while (column_next(&ids)) {
		struct sim_chunk *c = chunk_of((uint64_t)ids.i64);
		if (c && !c->closed)
			c->owner_epoch = epoch;
	}
}

static uint32_t server_index(uint64_t id)
{
	for (uint32_t i = 0; i < sim.servers_n; i++)
		if (sim.servers[i].id == id)
			return i;
	violated("server %llu is none of this world", (unsigned long long)id);
}

static void count_day(struct sim_client *c, int64_t armed_us)
{
	if (c->day != armed_us / DAY_US)
		c->day_calls = 0;
	c->day = armed_us / DAY_US;
	c->day_calls++;
}

static void attempt_arm(struct table *t, uint64_t epoch, const struct sql_args *args)
{
	struct column entries = arg_column(args, 2), ns = arg_column(args, 3);
	struct column servers = arg_column(args, 6), armed = arg_column(args, 8);
	while (column_next(&entries) && column_next(&ns) && column_next(&servers) &&
		column_next(&armed)) {
		struct sim_entry *e = entry_of((uint64_t)entries.i64);
		if (!e)
			continue;
		const struct sim_chunk *c = &sim.chunks[e->chunk];
		uint32_t n = (uint32_t)ns.i64;
		struct sim_attempt *a = &e->attempts[n];
		bool may = c->owner_epoch == epoch && !c->closed && !e->finals &&
			   e->due_us <= armed.i64;
		bool listed = may && !a->exists && e->listed;
		if (may && !a->exists && !listed) {
			a->exists = true;
			a->server = server_index((uint64_t)servers.i64);
			a->epoch = epoch;
			a->armed_us = armed.i64;
			a->stored_us = sim.now_us;
			count_day(&sim.clients[e->client], armed.i64);
			rules_journalled(e, n);
		} else if (!listed && (!a->exists || a->epoch != epoch)) {
			continue;
		}
		table_row(t);
		put_i64(t, entries.i64);
		put_i64(t, ns.i64);
		put_text(t, listed ? list_of(e) : str_of(NULL));
	}
}

static void attempt_withdraw(const struct sql_args *args)
{
	struct column entries = arg_column(args, 0), ns = arg_column(args, 1);
	struct column planned = arg_column(args, 2);
	while (column_next(&entries) && column_next(&ns) && column_next(&planned)) {
		struct sim_entry *e = entry_of((uint64_t)entries.i64);
		struct sim_attempt *a = e ? &e->attempts[ns.i64] : NULL;
		if (!a || !a->exists || a->has_detail || a->armed_us != planned.i64)
			continue;
		if (a->written)
			violated("entry %llu: attempt %lld was written, and is taken back",
				(unsigned long long)e->id, (long long)ns.i64);
		struct sim_client *c = &sim.clients[e->client];
		c->day_calls -= c->day == a->armed_us / DAY_US;
		*a = (struct sim_attempt){.exists = false};
	}
}

static void finish(struct sim_entry *e, uint32_t n, struct str disposition, bool is_final)
{
	struct sim_attempt *a = &e->attempts[n];
	a->has_detail = true;
	a->is_final = is_final;
	a->is_canceled = str_eq(disposition, STR("canceled"));
	e->finals += is_final;
	sim.ended_n += is_final;
	rules_finished(e, n, disposition);
}

static void entries_cancel(const struct sql_args *args)
{
	struct column clients = arg_column(args, 0), first = arg_column(args, 1);
	struct column last = arg_column(args, 2), expired = arg_column(args, 3);
	while (column_next(&clients) && column_next(&first) && column_next(&last) &&
		column_next(&expired))
		for (uint64_t id = (uint64_t)first.i64; id <= (uint64_t)last.i64; id++) {
			struct sim_entry *e = entry_of(id);
			if (!e || sim.clients[e->client].id != (uint64_t)clients.i64)
				continue;
			if (tables_may_be_tried(e))
				finish(e, 0, expired.i64 ? STR("expired") : STR("canceled"), true);
			if (e->due_us)
				sim.chunks[e->chunk].rests = false;
			e->due_us = 0;
		}
}

static void detail_finish(const struct sql_args *args)
{
	struct column entries = arg_column(args, 0), ns = arg_column(args, 1);
	struct column left = arg_column(args, 9), dispositions = arg_column(args, 6);
	struct column starts = arg_column(args, 11), ends = arg_column(args, 13);
	while (column_next(&entries) && column_next(&ns) && column_next(&left) &&
		column_next(&dispositions) && column_next(&starts) && column_next(&ends)) {
		struct sim_entry *e = entry_of((uint64_t)entries.i64);
		if (!e)
			violated("a detail of entry %lld, which there is not",
				(long long)entries.i64);
		struct sim_attempt *a = &e->attempts[ns.i64];
		if (a->has_detail || (left.is_null && e->finals))
			continue;
		a->started_us = starts.i64;
		a->ended_us = ends.i64;
		finish(e, (uint32_t)ns.i64, dispositions.text, left.is_null);
	}
}

static void chunk_close(struct table *t, const struct sql_args *args)
{
	struct column ids = arg_column(args, 0);
	while (column_next(&ids)) {
		struct sim_chunk *c = chunk_of((uint64_t)ids.i64);
		uint32_t finals = 0;
		for (uint32_t i = 0; c && i < c->entries; i++)
			finals += sim.entries[c->first + i].finals;
		if (!c || (!c->closed && finals != c->entries))
			continue;
		if (!c->closed && batch_of(c))
			batch_of(c)->open_chunks--;
		c->closed = true;
		table_row(t);
		put_i64(t, ids.i64);
	}
}

static void control_done(const struct sql_args *args)
{
	struct column ids = arg_column(args, 0);
	while (column_next(&ids))
		if (ids.i64 > 0 && ids.i64 <= sim.controls_n)
			sim.controls[ids.i64 - 1].done = true;
}

/* ---- events ---- */

static enum event_type event_type_of(struct str name)
{
	for (int type = 0; type < EVENT_TYPE__N; type++)
		if (str_eq(name, str_of(event_type_name((enum event_type)type))))
			return (enum event_type)type;
	violated("an event of an unknown type");
}

struct event_columns {
	struct column ords, clients, types, times, entries, ns;
};

static struct event_columns event_columns(const struct sql_args *args)
{
	return (struct event_columns){arg_column(args, 0), arg_column(args, 1), arg_column(args, 2),
		arg_column(args, 3), arg_column(args, 4), arg_column(args, 5)};
}

static bool event_next_row(struct event_columns *c)
{
	return column_next(&c->ords) && column_next(&c->clients) && column_next(&c->types) &&
	       column_next(&c->times) && column_next(&c->entries) && column_next(&c->ns);
}

/* One of that attempt and type, not further away than apart_us. */
static const struct sim_event *stored_event(const struct event_columns *c, int64_t apart_us)
{
	const struct sim_entry *entry = entry_of((uint64_t)c->entries.i64);
	for (uint32_t i = entry ? entry->events : 0; i; i = sim.events[i - 1].next) {
		const struct sim_event *e = &sim.events[i - 1];
		if (e->n == (uint32_t)c->ns.i64 && e->type == event_type_of(c->types.text) &&
			llabs(e->occurred_us - c->times.i64) <= apart_us)
			return e;
	}
	return NULL;
}

static void event_append(struct table *t, const struct sql_args *args)
{
	struct event_columns c = event_columns(args);
	while (event_next_row(&c)) {
		struct sim_entry *entry = entry_of((uint64_t)c.entries.i64);
		if (!entry || sim.clients[entry->client].id != (uint64_t)c.clients.i64)
			violated("an event of a call that is not the client's");
		if (sim.events_n == EVENTS_MAX)
			violated("more than %d events of %u entries", EVENTS_MAX, sim.entries_n);
		sim.events[sim.events_n++] = (struct sim_event){.client = entry->client,
			.seq = ++sim.clients[entry->client].seq,
			.entry_id = entry->id,
			.n = (uint32_t)c.ns.i64,
			.type = event_type_of(c.types.text),
			.occurred_us = c.times.i64,
			.next = entry->events};
		entry->events = sim.events_n;
		table_row(t);
		put_i64(t, c.ords.i64);
		put_i64(t, (int64_t)sim.clients[entry->client].seq);
	}
}

static void events_known(struct table *t, const struct sql_args *args)
{
	struct event_columns c = event_columns(args);
	while (event_next_row(&c)) {
		const struct sim_event *e = stored_event(&c, 2 * DAY_US);
		if (!e)
			continue;
		table_row(t);
		put_i64(t, c.ords.i64);
		put_i64(t, (int64_t)e->seq);
	}
}

/* event_of_attempt is unique; nothing else that the dispatcher writes can be refused. */
bool tables_would_refuse(enum sql_query query, const struct sql_args *args)
{
	if (query != SQL_EVENT_APPEND)
		return false;
	struct event_columns c = event_columns(args), other;
	while (event_next_row(&c)) {
		if (stored_event(&c, 0))
			return true;
		for (other = c; event_next_row(&other);)
			if (other.entries.i64 == c.entries.i64 && other.ns.i64 == c.ns.i64 &&
				str_eq(other.types.text, c.types.text) &&
				other.times.i64 == c.times.i64)
				return true;
	}
	return false;
}

/* ---- all of them ---- */

struct table *tables_execute(enum sql_query query, const struct sql_args *args)
{
	struct table *t = table_new();
	switch ((int)query) {
#define ANSWERS(constant, call)                                                                    \
	case constant:                                                                             \
		call;                                                                              \
		break
		ANSWERS(SQL_NODE_START, node_start(t));
		ANSWERS(SQL_NODE_ADOPT_CHUNKS, node_adopt_chunks(sim.node_epoch));
		ANSWERS(SQL_DIRECTORY_CLIENTS, directory_clients(t));
		ANSWERS(SQL_DIRECTORY_DAYS, directory_days(t, arg_at(args, 0)));
		ANSWERS(SQL_DIRECTORY_SERVERS, directory_servers(t));
		ANSWERS(SQL_DIRECTORY_ALLOCATIONS, directory_allocations(t));
		ANSWERS(SQL_DIRECTORY_RETRY_RULES, retry_rules(t));
		ANSWERS(SQL_NUMBER_DAYS_TAKE, number_days_take(t, args));
		ANSWERS(SQL_RETRY_HEADS, retry_heads(t));
		ANSWERS(SQL_RETRY_DUE, retry_due(t, args));
		ANSWERS(SQL_RETRY_ADD, retry_add(args));
		ANSWERS(SQL_RETRY_SETTLE, retry_settle(args));
		ANSWERS(SQL_RETRY_POSTPONE, retry_postpone(args));
		ANSWERS(SQL_CHUNK_REST, chunk_rest(t, args));
		ANSWERS(SQL_CONTROL_OPEN, control_open(t));
		ANSWERS(SQL_CONTROL_DONE, control_done(args));
		ANSWERS(SQL_CHUNKS_OPEN, chunks_open(t));
		ANSWERS(SQL_QUEUE_TERMS, queue_terms(t, args));
		ANSWERS(SQL_CHUNK_ENTRIES,
			chunk_entries(t, chunk_of((uint64_t)arg_number(args, 0))));
		ANSWERS(SQL_CALLS_LISTED, calls_listed(t, args));
		ANSWERS(SQL_CHUNK_CLAIM, chunk_claim((uint64_t)arg_number(args, 1), args));
		ANSWERS(SQL_CHUNK_CLOSE, chunk_close(t, args));
		ANSWERS(SQL_ATTEMPT_ARM, attempt_arm(t, (uint64_t)arg_number(args, 1), args));
		ANSWERS(SQL_ATTEMPTS_KNOWN, attempts_known(t, args));
		ANSWERS(SQL_ATTEMPTS_OPEN, attempts_open(t));
		ANSWERS(SQL_ATTEMPT_WITHDRAW, attempt_withdraw(args));
		ANSWERS(SQL_STARTS_RECENT, starts_recent(t));
		ANSWERS(SQL_STARTS_OF_SHARE, starts_of_share(t, args));
		ANSWERS(SQL_ENTRIES_CANCEL, entries_cancel(args));
		ANSWERS(SQL_DETAIL_FINISH, detail_finish(args));
		ANSWERS(SQL_EVENT_APPEND, event_append(t, args));
		ANSWERS(SQL_EVENTS_KNOWN, events_known(t, args));
#undef ANSWERS
	}
	return t;
}
