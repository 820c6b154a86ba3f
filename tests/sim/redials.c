/* Entries that wait to be called again: table retry, and the statements about it. A part of tables.c. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/sim/table.h"

#include "common/base.h"

void retry_rules(struct table *t)
{
	for (uint32_t i = 0; i < sim.clients_n; i++) {
		if (!*sim.clients[i].retry && !sim.clients[i].number_limit)
			continue;
		table_row(t);
		put_i64(t, (int64_t)sim.clients[i].id);
		put_text(t, str_of(sim.clients[i].retry));
		put_i64(t, sim.clients[i].number_limit);
	}
}

static const int64_t NUMBER_DAY_US = NUMBER_DAY_S * US_PER_S;

/* Rows of attempt tell how often a number was called on a day: what is withdrawn is gone. */
uint32_t calls_of_number(const struct sim_entry *of, int64_t at_us)
{
	uint32_t calls = 0;
	for (uint32_t i = 0; i < sim.entries_n; i++) {
		const struct sim_entry *e = &sim.entries[i];
		if (e->client != of->client || strcmp(e->number, of->number) != 0)
			continue;
		for (uint32_t n = 1; n < ATTEMPTS_MAX; n++)
			calls += e->attempts[n].exists &&
				 e->attempts[n].armed_us / NUMBER_DAY_US == at_us / NUMBER_DAY_US;
	}
	return calls;
}

/* Of two that come at once the second waits, although it might fit: it is looked at again tomorrow, too. */
void number_days_take(struct table *t, const struct sql_args *args)
{
	struct column entries = arg_column(args, 0), ns = arg_column(args, 1);
	struct column limits = arg_column(args, 5), armed = arg_column(args, 6);
	struct sim_entry *taken[ENTRIES_MAX];
	uint32_t taken_n = 0;
	while (column_next(&entries) && column_next(&ns) && column_next(&limits) &&
		column_next(&armed)) {
		struct sim_entry *e = entry_of((uint64_t)entries.i64);
		uint32_t more = 1;
		if (e->attempts[ns.i64].exists)
			continue;
		for (uint32_t i = 0; i < taken_n; i++)
			more += taken[i]->client == e->client &&
				strcmp(taken[i]->number, e->number) == 0;
		taken[taken_n++] = e;
		if (calls_of_number(e, armed.i64) + more <= (uint32_t)limits.i64)
			continue;
		e->due_us = (armed.i64 / NUMBER_DAY_US + 1) * NUMBER_DAY_US;
		table_row(t);
		put_i64(t, entries.i64);
		put_time(t, e->due_us);
	}
}

static uint64_t batch_of_entry(const struct sim_entry *e)
{
	const struct sim_chunk *c = &sim.chunks[e->chunk];
	return c->batch == BATCHES_MAX ? 0 : sim.batches[c->batch].id;
}

/* A row for each entry: the dispatcher takes the least of a line. */
void retry_heads(struct table *t)
{
	for (uint32_t i = 0; i < sim.entries_n; i++) {
		const struct sim_entry *e = &sim.entries[i];
		if (!e->due_us)
			continue;
		table_row(t);
		put_i64(t, (int64_t)sim.clients[e->client].id);
		put_i64(t, (int64_t)batch_of_entry(e));
		put_time(t, e->due_us);
	}
}

static int by_due(const void *a, const void *b)
{
	const struct sim_entry *const *x = a, *const *y = b;
	return ((*x)->due_us > (*y)->due_us) - ((*x)->due_us < (*y)->due_us);
}

void retry_due(struct table *t, const struct sql_args *args)
{
	static struct sim_entry *line[ENTRIES_MAX];
	uint64_t client_id = (uint64_t)arg_number(args, 0),
		 batch_id = (uint64_t)arg_number(args, 1);
	uint32_t n = 0;
	for (uint32_t i = 0; i < sim.entries_n; i++) {
		struct sim_entry *e = &sim.entries[i];
		if (e->due_us && sim.clients[e->client].id == client_id &&
			batch_of_entry(e) == batch_id)
			line[n++] = e;
	}
	qsort(line, n, sizeof(struct sim_entry *), by_due);
	for (uint32_t i = 0; i < MIN(n, (uint32_t)arg_number(args, 2)); i++) {
		struct sim_chunk *c = &sim.chunks[line[i]->chunk];
		const struct sim_batch *b = c->batch == BATCHES_MAX ? NULL : &sim.batches[c->batch];
		tables_put_entry(t, line[i], 0);
		put_time(t, line[i]->due_us);
		put_i64(t, (int64_t)batch_id);
		put_i64(t, b && b->paused);
		put_i64(t, b && b->canceled);
		put_i64(t, b ? (int64_t)b->settings_version : 0);
		if (line[i]->due_us <= arg_at(args, 3) && !(b && b->paused))
			c->rests = false;
	}
}

void retry_add(const struct sql_args *args)
{
	struct column entries = arg_column(args, 0), due = arg_column(args, 3);
	while (column_next(&entries) && column_next(&due)) {
		struct sim_entry *e = entry_of((uint64_t)entries.i64);
		uint32_t n = 1;
		while (n + 1 < ATTEMPTS_MAX && e->attempts[n + 1].exists)
			n++;
		e->attempts[n].is_redialled = true;
		if (!e->due_us)
			e->due_us = due.i64;
	}
}

void retry_settle(const struct sql_args *args)
{
	struct column entries = arg_column(args, 0);
	while (column_next(&entries)) {
		struct sim_entry *e = entry_of((uint64_t)entries.i64);
		if (!tables_may_be_tried(e))
			e->due_us = 0;
	}
}

void retry_postpone(const struct sql_args *args)
{
	struct sim_entry *e = entry_of((uint64_t)arg_number(args, 0));
	if (e->due_us)
		e->due_us = arg_at(args, 1);
}

void chunk_rest(struct table *t, const struct sql_args *args)
{
	struct column ids = arg_column(args, 0);
	while (column_next(&ids)) {
		struct sim_chunk *c = chunk_of((uint64_t)ids.i64);
		uint32_t settled = 0;
		for (uint32_t i = 0; c && i < c->entries; i++)
			settled += sim.entries[c->first + i].finals +
				   (sim.entries[c->first + i].due_us != 0);
		if (!c || c->closed || settled != c->entries)
			continue;
		c->rests = true;
		table_row(t);
		put_i64(t, ids.i64);
	}
}
