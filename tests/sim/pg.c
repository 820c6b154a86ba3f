/* Connections to PostgreSQL: groups are carried out in order, one at a time, at some moment between their sending and their
 * answer; connections are lost before that moment, after it, and PostgreSQL may still carry out what a lost connection had
 * sent. Instead of sql/stream.c. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/sim/sim.h"

#include "common/base.h"

enum { STATEMENTS_MAX = 16, STREAMS_MAX = 8 };

struct statement {
	enum sql_query query;
	struct sql_args args; /* a copy */
	stream_rows_fn *fn;
	void *arg;
	struct table *result;
};

enum group_state { GROUP_SENT, GROUP_DONE, GROUP_ANSWERED };

struct group {
	uint64_t id;
	enum group_state state;
	bool commits;		/* sent on the commit stream */
	bool refused, bad_luck; /* bad_luck: the same may succeed the next time */
	struct statement statements[STATEMENTS_MAX];
	unsigned n;
	stream_end_fn *fn;
	void *arg;
	struct group *next; /* of its connection, oldest first; or of the orphans */
};

struct stream {
	const char *application;
	const struct stream_ops *ops;
	void *arg;
	bool listens;
	bool up, coming_up, lost, notified;
	uint64_t life; /* of the connection: timers of an earlier one mean nothing */
	int64_t deadline_mono_us;
	struct group *open, *groups;
	unsigned pending;
	int64_t busy_until_us;
};

static struct stream *streams[STREAMS_MAX];
static unsigned streams_n;
static struct group *orphans; /* of lost connections, to be carried out all the same */
static uint64_t groups_made, connections_made;
static int64_t away_until_us;

/* ---- a group ---- */

static void group_free(struct group *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		args_free(&g->statements[i].args);
		table_free(g->statements[i].result);
	}
	free(g);
}

static struct group *find(struct group *list, uint64_t id)
{
	while (list && list->id != id)
		list = list->next;
	return list;
}

static void unlink_group(struct group **list, const struct group *g)
{
	while (*list != g)
		list = &(*list)->next;
	*list = g->next;
}

static bool stands_against(const struct group *g)
{
	for (unsigned i = 0; i < g->n; i++)
		if (tables_would_refuse(g->statements[i].query, &g->statements[i].args))
			return true;
	return false;
}

static void carry_out(struct group *g)
{
	g->bad_luck = !sim.calm && dice_chance(sim.mood.pg_refuse_in_1000);
	g->state = GROUP_DONE;
	g->refused = g->bad_luck || stands_against(g);
	say("pg group=%llu %s", (unsigned long long)g->id, g->refused ? "refused" : "carried out");
	for (unsigned i = 0; i < g->n && !g->refused; i++)
		g->statements[i].result =
			tables_execute(g->statements[i].query, &g->statements[i].args);
}

static void time_to_answer(uint64_t id, uint64_t unused)
{
	(void)unused;
	for (unsigned i = 0; i < streams_n; i++) {
		struct group *g = find(streams[i]->groups, id);
		if (g)
			g->state = GROUP_ANSWERED;
	}
}

/* It waits for the lock of the node until the sessions before it have ended. */
static bool is_fenced_off(const struct group *g)
{
	bool asks = g->n > 0 && g->statements[0].query == SQL_NODE_FENCE;
	for (const struct group *o = orphans; asks && o; o = o->next)
		if (o->commits)
			return true;
	return false;
}

static void time_to_carry_out(uint64_t id, uint64_t unused)
{
	struct group *g;
	(void)unused;
	for (unsigned i = 0; i < streams_n; i++) {
		g = find(streams[i]->groups, id);
		if (!g || g->state != GROUP_SENT)
			continue;
		if (is_fenced_off(g)) {
			timer_at(sim.now_us + 10 * US_PER_MS, time_to_carry_out, id, 0);
			return;
		}
		carry_out(g);
		timer_at(sim.now_us + dice_between(20, 500), time_to_answer, id, 0);
		return;
	}
	if ((g = find(orphans, id))) {
		say("pg group=%llu is an orphan", (unsigned long long)id);
		carry_out(g);
		unlink_group(&orphans, g);
		group_free(g);
	}
}

/* ---- connecting ---- */

static void time_to_come_up(uint64_t life, uint64_t unused)
{
	(void)unused;
	for (unsigned i = 0; i < streams_n; i++)
		if (streams[i]->life == life)
			streams[i]->coming_up = true;
}

static int64_t mono_us(int64_t after_us)
{
	return clock_mono_us() + after_us;
}

static void try_again_later(struct stream *s)
{
	s->deadline_mono_us = mono_us(dice_between(50 * US_PER_MS, 3 * US_PER_S));
}

static void begin_connecting(struct stream *s)
{
	if (sim.now_us < away_until_us) {
		try_again_later(s);
		return;
	}
	s->life = ++connections_made;
	s->deadline_mono_us = INT64_MAX;
	timer_at(sim.now_us + dice_between(1000, 20000), time_to_come_up, s->life, 0);
}

/* What it had sent is forgotten, or carried out all the same, before long or only when others have gone on. */
static void disown_groups(struct stream *s)
{
	struct group *next;
	for (struct group *g = s->groups; g; g = next) {
		next = g->next;
		if (g->state == GROUP_SENT && dice_chance(500)) {
			g->next = orphans;
			orphans = g;
			timer_at(sim.now_us +
					 dice_between(0, dice_chance(300) ? 2 * US_PER_S : 3000),
				time_to_carry_out, g->id, 0);
		} else {
			group_free(g);
		}
	}
	s->groups = NULL;
}

static void lose(struct stream *s)
{
	struct err err;
	(void)fail(&err, ERR_BUSY, "PostgreSQL: connection lost");
	bool was_up = s->up;
	struct group *groups = s->groups;
	struct {
		stream_end_fn *fn;
		void *arg;
	} told[64];
	unsigned n = 0;
	s->lost = s->up = s->coming_up = false;
	s->life = ++connections_made;
	s->pending = 0;
	if (s->open)
		group_free(s->open);
	s->open = NULL;
	try_again_later(s);
	for (; groups && n < ARRAY_LEN(told); groups = groups->next, n++) {
		told[n].fn = groups->fn;
		told[n].arg = groups->arg;
	}
	disown_groups(s);
	say("pg %s lost, groups=%u", s->application, n);
	for (unsigned i = 0; i < n; i++)
		if (told[i].fn)
			told[i].fn(told[i].arg, false, &err);
	if (was_up)
		s->ops->down(s->arg, err.text);
}

/* ---- what the loop sees ---- */

bool pg_is_ready(void)
{
	for (unsigned i = 0; i < streams_n; i++) {
		const struct stream *s = streams[i];
		if (s->lost || s->coming_up || s->notified ||
			(s->groups && s->groups->state == GROUP_ANSWERED))
			return true;
	}
	return false;
}

static void answer(struct stream *s)
{
	struct group *g = s->groups;
	struct err err = {.kind = ERR_NONE};
	s->groups = g->next;
	s->pending--;
	if (g->refused)
		(void)fail(
			&err, g->bad_luck ? ERR_BUSY : ERR_INTERNAL, "the transaction was refused");
	for (unsigned i = 0; i < g->n && !g->refused; i++) {
		const struct statement *st = &g->statements[i];
		struct rows rows = {(void *)st->result, (int)table_rows(st->result)};
		if (st->fn)
			st->fn(st->arg, &rows);
		rules_told(st->query, st->result);
	}
	if (g->fn)
		g->fn(g->arg, !g->refused, &err);
	group_free(g);
}

void pg_deliver(void)
{
	for (unsigned i = 0; i < streams_n; i++) {
		struct stream *s = streams[i];
		if (s->coming_up) {
			s->coming_up = false;
			s->up = true;
			s->busy_until_us = sim.now_us;
			s->ops->up(s->arg);
		}
		while (s->up && s->groups && s->groups->state == GROUP_ANSWERED)
			answer(s);
		if (s->notified && s->ops->notified)
			s->ops->notified(s->arg, "ccs", "");
		s->notified = false;
		if (s->lost)
			lose(s);
	}
}

/* ---- stream.h ---- */

struct stream *stream_new(struct poll *poll, const char *dsn, const char *application,
	const char *listen, const enum sql_query *queries, const struct stream_ops *ops, void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));
	(void)poll;
	(void)dsn;
	(void)queries;
	if (!s || streams_n == STREAMS_MAX)
		die("memory.exhausted", "streams=%u", streams_n);
	s->application = application;
	s->listens = listen;
	s->ops = ops;
	s->arg = arg;
	streams[streams_n++] = s;
	begin_connecting(s);
	return s;
}

bool stream_is_up(const struct stream *stream)
{
	return stream->up;
}

unsigned stream_pending(const struct stream *stream)
{
	return stream->pending;
}

static struct sql_args copy_args(const struct sql_args *args)
{
	struct sql_args copy = SQL_ARGS_INIT;
	if (!args)
		return copy;
	copy = *args;
	copy.bytes = STRBUF_INIT;
	strbuf_add(&copy.bytes, args->bytes.p, args->bytes.n);
	return copy;
}

void stream_query(struct stream *stream, enum sql_query query, const struct sql_args *args,
	stream_rows_fn *fn, void *arg)
{
	crash_point();
	if (!stream->up)
		violated("%s is asked while it is not connected", stream->application);
	if (!stream->open && !(stream->open = calloc(1, sizeof(*stream->open))))
		die("memory.exhausted", "what=group");
	struct group *g = stream->open;
	if (g->n == STATEMENTS_MAX)
		violated("a transaction of more than %d statements", STATEMENTS_MAX);
	g->statements[g->n++] = (struct statement){query, copy_args(args), fn, arg, NULL};
}

static int64_t takes_us(void)
{
	if (!sim.calm && dice_chance(sim.mood.pg_slow_in_1000))
		return dice_between(100 * US_PER_MS, 8 * US_PER_S);
	return dice_between(200, 3000);
}

void stream_end(struct stream *stream, stream_end_fn *fn, void *arg)
{
	struct group *g = stream->open ? stream->open : calloc(1, sizeof(*g));
	if (!g)
		die("memory.exhausted", "what=group");
	stream->open = NULL;
	g->id = ++groups_made;
	g->fn = fn;
	g->arg = arg;
	struct group **last = &stream->groups;
	while (*last)
		last = &(*last)->next;
	*last = g;
	stream->pending++;
	int64_t done_us = MAX(sim.now_us, stream->busy_until_us) + takes_us();
	stream->busy_until_us = done_us;
	g->commits = strcmp(stream->application, "ccs-commits") == 0;
	timer_at(done_us, time_to_carry_out, g->id, 0);
	if (!sim.calm && dice_chance(sim.mood.pg_cut_in_1000))
		stream->lost = true;
	crash_point();
}

int64_t stream_deadline(const struct stream *stream)
{
	return stream->deadline_mono_us;
}

void stream_tick(struct stream *stream, int64_t mono)
{
	if (!stream->up && mono >= stream->deadline_mono_us)
		begin_connecting(stream);
}

/* ---- faults ---- */

void pg_cut_all(void)
{
	for (unsigned i = 0; i < streams_n; i++)
		streams[i]->lost = streams[i]->up;
}

void pg_leave(int64_t us)
{
	away_until_us = sim.now_us + us;
	pg_cut_all();
}

void pg_notify(void)
{
	for (unsigned i = 0; i < streams_n; i++)
		if (streams[i]->listens && streams[i]->up)
			streams[i]->notified = true;
}

void pg_forget_life(void)
{
	for (unsigned i = 0; i < streams_n; i++) {
		disown_groups(streams[i]);
		free(streams[i]);
	}
	streams_n = 0;
}
