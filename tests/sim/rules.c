/* What must hold, at every step and at the end. Counted from what reaches the world: bytes written, rows committed, channels
 * that begin and end. The dispatcher's own counts are only compared with it. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "dispatcher/call.h"
#include "dispatcher/disposition.h"
#include "dispatcher/journal.h"
#include "shm/calls.h"
#include "shm/check.h"
#include "shm/counters.h"
#include "tests/sim/sim.h"

#include "common/base.h"

static const int64_t PLAN_GOOD = PLAN_GOOD_US; /* what is written later has met its gates again */

/* ---- what the dispatcher was told, and when ---- */

static bool same(const struct limits *x, const struct limits *y)
{
	return x->channels == y->channels && x->per_hour == y->per_hour &&
	       x->per_second == y->per_second && x->active == y->active;
}

static void told(struct limited *l, const struct limits *limits)
{
	if (l->told_n && same(&l->told[l->told_n - 1].limits, limits))
		return;
	if (l->told_n == HISTORY_MAX) {
		memmove(l->told, l->told + 1, sizeof(l->told) - sizeof(l->told[0]));
		l->told_n--;
	}
	l->told[l->told_n].at_us = sim.now_us;
	l->told[l->told_n++].limits = *limits;
}

static struct limits limits_in(const struct table *t, uint32_t row, uint32_t column, bool active)
{
	return (struct limits){(uint32_t)table_i64(t, row, column),
		(uint32_t)table_i64(t, row, column + 1), (uint32_t)table_i64(t, row, column + 2),
		active};
}

static struct sim_client *client_of(uint64_t id)
{
	return &sim.clients[id - sim.clients[0].id];
}

static struct sim_server *server_of(uint64_t id)
{
	return &sim.servers[id - sim.servers[0].id];
}

static struct limited *allocation_of(uint64_t client_id, uint64_t server_id)
{
	return &sim.allocations[client_id - sim.clients[0].id][server_id - sim.servers[0].id]
			.limited;
}

void rules_told(enum sql_query query, const struct table *t)
{
	for (uint32_t i = 0; i < table_rows(t); i++) {
		uint64_t id = (uint64_t)table_i64(t, i, 0);
		if (query == SQL_CALLS_LISTED) {
			entry_of(id)->listed_told = sim.lives;
		} else if (query == SQL_DIRECTORY_CLIENTS) {
			bool active =
				table_i64(t, i, 14) && str_eq(table_text(t, i, 13), STR("active"));
			struct limits limits = limits_in(t, i, 8, active);
			told(&client_of(id)->limited, &limits);
		} else if (query == SQL_DIRECTORY_SERVERS) {
			bool active = str_eq(table_text(t, i, 16), STR("active"));
			struct limits limits = limits_in(t, i, 8, active);
			told(&server_of(id)->limited, &limits);
		} else if (query == SQL_DIRECTORY_ALLOCATIONS) {
			struct limits limits = limits_in(t, i, 2, true);
			told(allocation_of(id, (uint64_t)table_i64(t, i, 1)), &limits);
		} else if (query == SQL_QUEUE_TERMS) {
			struct limits limits = {(uint32_t)table_i64(t, i, 4), UINT32_MAX,
				(uint32_t)table_i64(t, i, 5), true};
			struct limited *l = &sim.batches[id - sim.batches[0].id].limited;
			if (limits.channels == 0)
				limits.channels = UINT32_MAX;
			if (l->told_n == 0) /* before, it had none */
				l->told[l->told_n++].limits =
					(struct limits){UINT32_MAX, UINT32_MAX, 0, true};
			told(l, &limits);
		}
	}
}

/* The widest limits that were in force at any moment from from_us to now. */
static struct limits widest(const struct limited *l, int64_t from_us)
{
	struct limits w = {.per_second = 1};
	for (uint32_t i = 0; i < l->told_n; i++) {
		if (i + 1 < l->told_n && l->told[i + 1].at_us <= from_us)
			continue;
		const struct limits *t = &l->told[i].limits;
		w.channels = MAX(w.channels, t->channels);
		w.per_hour = MAX(w.per_hour, t->per_hour);
		w.per_second = t->per_second && w.per_second ? MAX(w.per_second, t->per_second) : 0;
		w.active |= t->active;
	}
	return w;
}

/* ---- an Originate is written ---- */

static uint32_t written_since(const struct limited *l, int64_t since_us)
{
	uint32_t n = 0;
	for (uint32_t i = l->writes_n; i-- > 0 && l->writes[i] > since_us;)
		n++;
	return n;
}

static void note_write(struct limited *l)
{
	if (l->writes_n == l->writes_cap) {
		l->writes_cap = MAX(2 * l->writes_cap, 64u);
		l->writes = reallocarray(l->writes, l->writes_cap, sizeof(*l->writes));
		if (!l->writes)
			die("memory.exhausted", "writes=%u", l->writes_cap);
	}
	l->writes[l->writes_n++] = sim.now_us;
	l->live++;
}

/* A batch of which nothing was told has no limits. */
static struct limited *limited_batch(const struct sim_entry *e)
{
	uint32_t batch = sim.chunks[e->chunk].batch;
	return batch != BATCHES_MAX && sim.batches[batch].limited.told_n
		       ? &sim.batches[batch].limited
		       : NULL;
}

static bool is_live(const struct sim_attempt *a)
{
	return a->written && !a->over;
}

enum { ANY = UINT32_MAX };

/* Calls of a client or on a server that the dispatcher could know about: one that a hanging server keeps, deaf to our Hangup,
 * is given up in the end. */
static uint32_t known_live(uint32_t client, uint32_t server)
{
	uint32_t live = 0;
	for (uint32_t i = 0; i < sim.entries_n; i++)
		for (uint32_t n = 1; n < ATTEMPTS_MAX; n++) {
			const struct sim_attempt *a = &sim.entries[i].attempts[n];
			live += is_live(a) && !asterisk_hangs(a->server) &&
				(client == ANY || client == sim.entries[i].client) &&
				(server == ANY || server == a->server);
		}
	return live;
}

static void judge_limits(
	struct limited *l, const char *what, uint32_t client, uint32_t server, int64_t armed_us)
{
	struct limits w = widest(l, armed_us);
	note_write(l);
	if (l->live > w.channels && known_live(client, server) + 1 > w.channels)
		violated("%s %u: call %u at once, of %u channels", what,
			client == ANY ? server : client, l->live, w.channels);
	uint32_t hour = written_since(l, sim.now_us - 3600 * US_PER_S);
	if (hour > w.per_hour)
		violated("%s %u: call %u within an hour, of %u", what,
			client == ANY ? server : client, hour, w.per_hour);
	if (!w.active)
		violated("%s %u is called for, but not active", what,
			client == ANY ? server : client);
}

/* Its calls that the dispatcher could know about. */
static uint32_t known_live_of_batch(uint32_t batch)
{
	uint32_t live = 0;
	for (uint32_t i = 0; i < sim.entries_n; i++)
		for (uint32_t n = 1; n < ATTEMPTS_MAX; n++) {
			const struct sim_attempt *a = &sim.entries[i].attempts[n];
			live += sim.chunks[sim.entries[i].chunk].batch == batch && is_live(a) &&
				!asterisk_hangs(a->server);
		}
	return live;
}

/* N a second means: in no second more than N are planned; what is planned together is written together, or later. */
static void judge_batch(const struct sim_entry *e, int64_t armed_us)
{
	struct limited *l = limited_batch(e);
	if (!l)
		return;
	struct limits w = widest(l, armed_us);
	uint32_t batch = sim.chunks[e->chunk].batch, live = known_live_of_batch(batch) + 1;
	if (live > w.channels)
		violated("batch %llu: call %u at once, of %u channels",
			(unsigned long long)sim.batches[batch].id, live, w.channels);
	uint32_t planned = 0;
	for (uint32_t i = 0; i < sim.entries_n; i++)
		for (uint32_t n = 1; n < ATTEMPTS_MAX; n++) {
			const struct sim_attempt *a = &sim.entries[i].attempts[n];
			planned += sim.chunks[sim.entries[i].chunk].batch == batch && a->written &&
				   a->armed_us > armed_us - US_PER_S && a->armed_us <= armed_us;
		}
	w = widest(l, armed_us - US_PER_S);
	if (w.per_second && planned + 1 > w.per_second)
		violated("batch %llu: call %u within a second, of %u",
			(unsigned long long)sim.batches[batch].id, planned + 1, w.per_second);
}

/* May calls of its batch begin? */
static bool is_its_time(const struct sim_entry *e, int64_t at_us)
{
	uint32_t batch = sim.chunks[e->chunk].batch;
	const struct sim_batch *b = &sim.batches[batch];
	return batch == BATCHES_MAX ||
	       (at_us >= b->starts_us && (!b->expires_us || at_us < b->expires_us));
}

static void judge_number(const struct sim_entry *entry)
{
	for (uint32_t i = 0; i < sim.entries_n; i++) {
		const struct sim_entry *other = &sim.entries[i];
		if (other == entry || strcmp(other->number, entry->number) != 0)
			continue;
		for (uint32_t n = 1; n < ATTEMPTS_MAX; n++)
			if (is_live(&other->attempts[n]))
				violated("entry %llu: its number is being called for entry %llu",
					(unsigned long long)entry->id,
					(unsigned long long)other->id);
	}
}

static struct sim_attempt *attempt_of(uint64_t entry_id, uint32_t n)
{
	struct sim_entry *e = entry_of(entry_id);
	if (!e || n == 0 || n >= ATTEMPTS_MAX)
		violated("attempt %u of entry %llu, which there is not", n,
			(unsigned long long)entry_id);
	return &e->attempts[n];
}

void rules_written(uint64_t entry_id, uint32_t n, uint32_t server)
{
	struct sim_attempt *a = attempt_of(entry_id, n);
	struct sim_entry *e = entry_of(entry_id);
	struct sim_client *c = &sim.clients[e->client];
	say("written entry=%llu n=%u server=s%u armed=%lld ms ago", (unsigned long long)entry_id, n,
		server, (long long)((sim.now_us - a->armed_us) / 1000));
	if (!a->exists)
		violated("entry %llu: an Originate without a journal row",
			(unsigned long long)entry_id);
	if (e->listed_told == sim.lives)
		violated("entry %llu is called, although it is known to be on a list",
			(unsigned long long)entry_id);
	if (a->server != server)
		violated("entry %llu: journalled for s%u, written to s%u",
			(unsigned long long)entry_id, a->server, server);
	if (a->written)
		violated(
			"entry %llu: attempt %u is written twice", (unsigned long long)entry_id, n);
	if (e->finals || a->has_detail)
		violated("entry %llu: written after its end", (unsigned long long)entry_id);
	bool late = sim.now_us - a->armed_us > PLAN_GOOD + 100 * US_PER_MS;
	if (!sim.calm && (!is_its_time(e, a->armed_us) || (late && !is_its_time(e, sim.now_us))))
		violated("entry %llu: outside the time of its batch", (unsigned long long)entry_id);
	if (!sim.calm && (!window_open(c, a->armed_us) || (late && !window_open(c, sim.now_us))))
		violated("entry %llu: outside its client's hours", (unsigned long long)entry_id);
	judge_number(e);
	judge_limits(&c->limited, "client", e->client, ANY, a->armed_us);
	judge_batch(e, a->armed_us);
	judge_limits(&sim.servers[server].limited, "server", ANY, server, a->armed_us);
	judge_limits(&sim.allocations[e->client][server].limited, "allocation of client", e->client,
		server, a->armed_us);
	a->written = true;
	a->written_us = sim.now_us;
}

void rules_dialled(uint64_t entry_id, uint32_t n, const char *number, const char *shown)
{
	struct sim_attempt *a = attempt_of(entry_id, n);
	bool asks = *entry_of(entry_id)->did, shows_own = strcmp(shown, CLIENT_DID) == 0;
	if (a->dialled)
		violated(
			"entry %llu: attempt %u is dialled twice", (unsigned long long)entry_id, n);
	if (strcmp(number, entry_of(entry_id)->number) != 0)
		violated("entry %llu: dialled as %s", (unsigned long long)entry_id, number);
	if (asks != shows_own)
		violated("entry %llu: attempt %u shows %s, and it asks for %s",
			(unsigned long long)entry_id, n, shown, asks ? CLIENT_DID : "none");
	const struct sim_attempt *before = &entry_of(entry_id)->attempts[n - 1];
	if (n > 1 && before->is_redialled && *before->shown && strcmp(shown, before->shown) != 0)
		violated("entry %llu: attempt %u shows %s, the one before %s",
			(unsigned long long)entry_id, n, shown, before->shown);
	if (!str_copy(a->shown, sizeof(a->shown), str_of(shown)))
		violated("a long number is shown");
	a->dialled = true;
	sim.dialled_n++;
}

void rules_over(uint64_t entry_id, uint32_t n)
{
	struct sim_attempt *a = attempt_of(entry_id, n);
	uint32_t client = entry_of(entry_id)->client;
	if (!is_live(a))
		return;
	a->over = true;
	say("over entry=%llu n=%u", (unsigned long long)entry_id, n);
	sim.clients[client].limited.live--;
	sim.servers[a->server].limited.live--;
	sim.allocations[client][a->server].limited.live--;
}

/* ---- rows are committed ---- */

static const char *rules_of(const struct sim_entry *e)
{
	uint32_t batch = sim.chunks[e->chunk].batch;
	bool its_own = batch != BATCHES_MAX && sim.batches[batch].retry;
	return its_own ? sim.batches[batch].retry : sim.clients[e->client].retry;
}

/* Called again: only after what may be, as often as its batch or its client wants, or once elsewhere; and not before the gap is over. */
static void judge_redial(const struct sim_entry *e, uint32_t n)
{
	const struct sim_attempt *before = &e->attempts[n - 1];
	struct redial_policy policy;
	int64_t due_us;
	if (!redial_read(str_of(rules_of(e)), &policy))
		violated("rules that are none");
	enum redial_outcome outcome = redial_outcome(before->disposition);
	if (!before->has_detail || before->is_final || outcome == REDIAL__N)
		violated("entry %llu: attempt %u follows one that is %s%.*s",
			(unsigned long long)e->id, n, before->is_final ? "the last, " : "",
			(int)before->disposition.n, before->disposition.p);
	if (n > MAX(redial_budget(&policy), 2u))
		violated("entry %llu: attempt %u, of %u", (unsigned long long)e->id, n,
			redial_budget(&policy));
	if (before->is_redialled &&
		(!redial_due(&policy, outcome, n - 1, before->ended_us, &due_us) ||
			e->attempts[n].armed_us < due_us))
		violated("entry %llu: attempt %u comes too early", (unsigned long long)e->id, n);
}

void rules_journalled(struct sim_entry *e, uint32_t n)
{
	for (uint32_t k = 1; k < ATTEMPTS_MAX; k++)
		if (k != n && e->attempts[k].exists && !e->attempts[k].has_detail)
			violated("entry %llu: attempt %u is journalled while %u is open",
				(unsigned long long)e->id, n, k);
	if (n == 0)
		violated("entry %llu: attempt 0 is journalled", (unsigned long long)e->id);
	if (n > 1)
		judge_redial(e, n);
	uint32_t limit = sim.clients[e->client].number_limit;
	if (limit && !sim.calm && calls_of_number(e, e->attempts[n].armed_us) > limit)
		violated("entry %llu: its number is called %u times on a day, of %u",
			(unsigned long long)e->id, calls_of_number(e, e->attempts[n].armed_us),
			limit);
}

/* As it stands in the program, for as long as that runs. */
static struct str disposition_text(struct str name)
{
	for (enum disposition i = 0; i < DISPOSITION__N; i++)
		if (str_eq(name, str_of(disposition_name(i))))
			return str_of(disposition_name(i));
	violated("a disposition that there is not");
}

/* Of an unknown outcome, and of a server that hangs, nobody waits any longer. */
void rules_finished(struct sim_entry *e, uint32_t n, struct str disposition)
{
	say("finished entry=%llu n=%u %.*s", (unsigned long long)e->id, n, (int)disposition.n,
		disposition.p);
	if (n > 0 && !e->attempts[n].exists)
		violated("entry %llu: a detail of attempt %u, which was not journalled",
			(unsigned long long)e->id, n);
	if (e->finals > 1)
		violated("entry %llu has %u final details", (unsigned long long)e->id, e->finals);
	if (str_eq(disposition, STR("suppressed")) && !e->listed)
		violated("entry %llu is suppressed, and on no list", (unsigned long long)e->id);
	e->attempts[n].disposition = disposition_text(disposition);
	if (n > 0 && (str_eq(disposition, STR("unknown")) || asterisk_hangs(e->attempts[n].server)))
		rules_over(e->id, n);
}

/* ---- after each turn ---- */

static struct event_cursor cursor;
static uint64_t published_seq[CLIENTS_MAX];

void rules_new_ring(void)
{
	event_cursor_oldest(&sim.seg, &cursor);
	memset(published_seq, 0, sizeof(published_seq));
}

static const struct sim_event *stored_event(uint32_t client, uint64_t seq)
{
	for (uint32_t i = sim.events_n; i-- > 0;)
		if (sim.events[i].client == client && sim.events[i].seq == seq)
			return &sim.events[i];
	return NULL;
}

/* What is told is committed, once, and in order. */
static void judge_ring(void)
{
	static struct event_copy copy;
	uint64_t missed;
	enum event_result result;
	while ((result = event_next(&sim.seg, &cursor, &copy, &missed)) == EVENT_OK) {
		uint32_t client = (uint32_t)(copy.head.client_id - sim.clients[0].id);
		const struct sim_event *e = stored_event(client, copy.head.seq);
		if (!e || e->type != (enum event_type)copy.head.type)
			violated("event %llu of client %llu is told, but not stored",
				(unsigned long long)copy.head.seq,
				(unsigned long long)copy.head.client_id);
		if (copy.head.seq <= published_seq[client])
			violated("event %llu of client %llu is told after event %llu",
				(unsigned long long)copy.head.seq,
				(unsigned long long)copy.head.client_id,
				(unsigned long long)published_seq[client]);
		published_seq[client] = copy.head.seq;
	}
	if (result != EVENT_NONE)
		violated("the ring is not readable: %d", (int)result);
}

static void compare_grants(
	const struct shm_usage *usage, uint64_t client_id, uint64_t server_id, uint32_t slots)
{
	uint32_t channels = atomic_load_explicit(&usage->channels, memory_order_relaxed);
	if (channels != slots)
		violated("client %llu server %llu: %u grants, %u slots",
			(unsigned long long)client_id, (unsigned long long)server_id, channels,
			slots);
}

static void judge_grants(void)
{
	uint32_t n, of[CLIENTS_MAX][SERVERS_MAX] = {0}, of_client[CLIENTS_MAX] = {0};
	uint32_t of_server[SERVERS_MAX] = {0};
	const struct shm_call_head *heads = seg_call_heads(&sim.seg, &n);
	const struct shm_call *calls = seg_calls(&sim.seg, NULL);
	for (uint32_t i = 0; i < n; i++) {
		if (!call_holds_grant(call_state(&sim.seg, i), calls[i].seen) ||
			heads[i].server_id == 0)
			continue;
		uint64_t client = heads[i].client_id - sim.clients[0].id;
		uint64_t server = heads[i].server_id - sim.servers[0].id;
		of[client][server]++;
		of_client[client]++;
		of_server[server]++;
	}
	for (const struct client *c = sim.d->clients; c; c = c->hh.next) {
		uint64_t client = c->id - sim.clients[0].id;
		compare_grants(c->usage, c->id, 0, of_client[client]);
		for (const struct edge *e = c->edges; e; e = e->next_of_client)
			compare_grants(e->usage, c->id, e->server->id,
				of[client][e->server->id - sim.servers[0].id]);
	}
	for (const struct server *s = sim.d->servers; s; s = s->hh.next)
		compare_grants(s->usage, 0, s->id, of_server[s->id - sim.servers[0].id]);
	if (counter_read(&sim.seg, COUNTER_drift))
		violated("the auditor has found a drift");
}

/* Until it has sorted out what it adopted, a life may have to begin again: what it had said would then be another's word. */
static void judge_recovery(void)
{
	if (!sim.d->recovered && !journal_is_idle(sim.d->journal))
		violated("something is to be committed before the life has recovered");
}

void rules_turn(void)
{
	judge_ring();
	judge_recovery();
	if (sim.d->recovered && sim.turns++ % 8 == 0)
		judge_grants();
}

/* ---- at the end ---- */

static void judge_events(const struct sim_entry *e)
{
	uint32_t of[ATTEMPTS_MAX][EVENT_TYPE__N] = {0};
	for (uint32_t i = e->events; i; i = sim.events[i - 1].next)
		of[sim.events[i - 1].n][sim.events[i - 1].type]++;
	for (uint32_t n = 0; n < ATTEMPTS_MAX; n++) {
		const uint32_t *k = of[n];
		uint32_t ends = k[EVENT_call_ended] + k[EVENT_call_failed];
		bool odd = k[EVENT_call_started] > 1 || k[EVENT_call_answered] > 1 || ends > 1 ||
			   k[EVENT_call_answered] > k[EVENT_call_started] ||
			   k[EVENT_call_ended] > k[EVENT_call_answered];
		bool missing = n > 0 && e->attempts[n].has_detail && ends != 1;
		if (odd || missing)
			violated("entry %llu attempt %u: %u started, %u answered, %u ended, %u "
				 "failed",
				(unsigned long long)e->id, n, k[EVENT_call_started],
				k[EVENT_call_answered], k[EVENT_call_ended], k[EVENT_call_failed]);
	}
}

static void judge_entry(const struct sim_entry *e)
{
	if (e->due_us)
		violated("entry %llu waits to be called again at the end",
			(unsigned long long)e->id);
	if (e->finals != 1)
		violated("entry %llu has %u final details at the end", (unsigned long long)e->id,
			e->finals);
	for (uint32_t n = 0; n < ATTEMPTS_MAX; n++)
		if (e->attempts[n].exists != e->attempts[n].has_detail && n > 0)
			violated("entry %llu: attempt %u is open at the end",
				(unsigned long long)e->id, n);
	judge_events(e);
}

static void judge_seqs(void)
{
	for (uint32_t i = 0; i < sim.clients_n; i++) {
		uint64_t n = 0;
		for (uint32_t k = 0; k < sim.events_n; k++)
			if (sim.events[k].client == i && sim.events[k].seq != ++n)
				violated("client %llu: event %llu follows %llu",
					(unsigned long long)sim.clients[i].id,
					(unsigned long long)sim.events[k].seq,
					(unsigned long long)n - 1);
		if (n != sim.clients[i].seq)
			violated("client %llu: %llu events, seq %llu",
				(unsigned long long)sim.clients[i].id, (unsigned long long)n,
				(unsigned long long)sim.clients[i].seq);
	}
}

static void report(void *arg, const char *invariant, const char *text)
{
	(void)arg;
	violated("shm_check: %s %s", invariant, text);
}

void rules_end(void)
{
	const struct dispatcher *d = sim.d;
	for (uint32_t i = 0; i < sim.entries_n; i++)
		judge_entry(&sim.entries[i]);
	for (uint32_t i = 0; i < sim.chunks_n; i++)
		if (!sim.chunks[i].closed)
			violated("chunk %llu is open at the end",
				(unsigned long long)sim.chunks[i].id);
	for (uint32_t i = 0; i < sim.batches_n; i++)
		if (sim.batches[i].open_chunks)
			violated("batch %llu has %u open chunks at the end",
				(unsigned long long)sim.batches[i].id, sim.batches[i].open_chunks);
	judge_seqs();
	judge_grants();
	if (d->live_n || d->by_entry || d->numbers || d->chunks ||
		d->window.free_n != d->window.n || !journal_is_idle(d->journal))
		violated("something is left at the end: live=%u numbers=%d chunks=%d window=%u",
			d->live_n, d->numbers != NULL, d->chunks != NULL,
			d->window.n - d->window.free_n);
	for (const struct server *s = d->servers; s; s = s->hh.next)
		if (s->unanswered || s->armed || s->armed_n || s->ahead || s->ahead_n)
			violated("server %llu: unanswered=%u armed=%u at the end",
				(unsigned long long)s->id, s->unanswered, s->armed_n);
	(void)shm_check(&sim.seg, report, NULL);
}
