/* What the choice of the next call costs, in the dispatcher's own memory: 1,000 servers, clients with one share each and with
 * many entries that wait. PostgreSQL and Asterisk are not reached: plans are only gathered. Prints a line of JSON.
 *
 * bench_pick CLIENTS ENTRIES      entries in all, 10,000 or more; pick: whose turn, and every gate; plan: with all that a call is given
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/gates.h"
#include "dispatcher/journal.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/waiters.h"
#include "dispatcher/work.h"
#include "shm/directory.h"
#include "shm/submit.h"
#include "tests/bench/bench_number.h"

#include "common/base.h"

enum { SERVERS = 1000, PICKS = 1000000, PLANS = 5000, MANY = 10000000 };

static const struct ami_conn_ops deaf = {0};

static void make_segment(struct dispatcher *d, struct conf *conf, struct segment *seg,
	uint32_t clients, uint32_t entries)
{
	struct err err;
	char path[] = "/tmp/ccs-bench-pick-XXXXXX";
	bool adopted;
	int fd = mkstemp(path);
	if (fd < 0)
		die("bench.failed", "path=%s", path);
	(void)dprintf(fd,
		"[common]\nnode = bench-pick-%d\n[segment]\nlive_calls = 65536\nwindow_entries = "
		"%u\n"
		"clients = %u\nservers = %u\nallocations = %u\nevent_bytes = 1048576\nworker_slots "
		"= 4\n",
		(int)getpid(), entries + 1024, clients, SERVERS, clients);
	close(fd);
	if (!conf_load(conf, path, &err) || !segment_init(seg, conf->common_node, &err) ||
		!segment_create_or_adopt(seg, conf, &adopted, &err) ||
		!worker_slot_take(seg, POOL_SQL, &err))
		die("bench.failed", "why=%s", log_q(err.text));
	unlink(path);
	segment_begin_epoch(seg);
	conf->dispatcher_ami_window = 200;
	*d = (struct dispatcher){.conf = conf,
		.seg = seg,
		.recovered = true,
		.commits_up = true,
		.now_us = clock_wall_us(),
		.now_mono_us = clock_mono_us()};
	d->poll = poll_new();
	d->journal = journal_new(d);
	slots_bind(d);
	work_bind(d);
}

static struct server *make_server(struct dispatcher *d, uint64_t id)
{
	struct ami_conn_conf conf = {.host = "127.0.0.1",
		.port = 5038,
		.user = "ccs",
		.secret = "s",
		.ping_us = 60 * US_PER_S,
		.timeout_us = 60 * US_PER_S,
		.backoff_max_us = US_PER_S};
	struct server *s = calloc(1, sizeof(*s));
	struct err err;
	int pair[2];
	if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		die("bench.failed", "server=%llu", (unsigned long long)id);
	s->id = id;
	s->d = d;
	s->facts = (struct shm_server){.id = id, .allowed_active_calls = MANY, .rate_limit = MANY};
	s->row = dir_put_server(d->seg, &s->facts);
	s->usage = &s->row->usage;
	s->ami = &s->row->ami;
	s->conn = ami_conn_new(d->poll, &conf, &deaf, s, &err);
	if (!s->conn)
		die("bench.failed", "why=%s", log_q(err.text));
	ami_conn_adopt(s->conn, pair[0], d->now_mono_us);
	ami_conn_flush(s->conn);
	HASH_ADD(hh, d->servers, id, sizeof(s->id), s);
	return s;
}

static struct client *make_client(struct dispatcher *d, uint64_t id, struct server *server)
{
	struct client *c = calloc(1, sizeof(*c));
	struct edge *e = calloc(1, sizeof(*e));
	if (!c || !e)
		die("memory.exhausted", "client=%llu", (unsigned long long)id);
	c->id = id;
	c->facts = (struct shm_client){.id = id,
		.allocated_channels = MANY,
		.rate_limit = MANY,
		.weight = (uint32_t)(1 + id % 4),
		.is_active = 1,
		.window_open_us = INT64_MIN,
		.window_close_us = INT64_MAX,
		.did = "911140000000"};
	struct shm_client_row *row = dir_put_client(d->seg, &c->facts);
	c->usage = &row->usage;
	c->day.shown = &row->day;
	HASH_ADD(hh, d->clients, id, sizeof(c->id), c);
	e->client = c;
	e->server = server;
	e->facts = (struct shm_allocation){.client_id = id,
		.server_id = server->id,
		.allowed_active_calls = MANY,
		.rate_limit = MANY};
	e->usage = &dir_put_allocation(d->seg, &e->facts)->usage;
	c->edges = e;
	return c;
}

static void announce(struct dispatcher *d, uint64_t client_id, uint64_t i)
{
	struct shm_submit rec = {
		.kind = SUBMIT_CHUNK, .entries = 1, .id = i + 1, .client_id = client_id};
	(void)snprintf(
		rec.number, sizeof(rec.number), "%llu", 9000000000ULL + (unsigned long long)i);
	(void)snprintf(rec.phone_number, sizeof(rec.phone_number), "%s", rec.number);
	if (!submit_send(d->seg, NULL, &rec))
		die("bench.failed", "what=submit");
	submit_drain(d);
}

/* Whose turn it is, and all that could be in its way; nothing is. */
static double pick_ns(struct dispatcher *d)
{
	struct gate_verdict v;
	int64_t began_us = clock_mono_us();
	for (uint32_t i = 0; i < PICKS; i++) {
		struct client *c = CONTAINER(heap_first(&d->ready), struct client, ready);
		if (client_blocked(d, c, &v) || edge_blocked(d, c->edges, &v) ||
			waiters_before(c->edges))
			die("bench.failed", "gate=%d", v.gate);
		c->vtime += STRIDE / c->facts.weight;
		heap_put(&d->ready, &c->ready, c->vtime);
	}
	return (double)(clock_mono_us() - began_us) * 1000 / PICKS;
}

static double plan_ns(struct dispatcher *d)
{
	uint32_t before = d->live_n;
	int64_t began_us = clock_mono_us();
	while (d->live_n < before + PLANS)
		sched_pass(d);
	return (double)(clock_mono_us() - began_us) * 1000 / (d->live_n - before);
}

int main(int argc, char **argv)
{
	static struct dispatcher d;
	static struct conf conf;
	static struct segment seg;
	static struct server *servers[SERVERS];
	if (argc != 3)
		die("bench.usage", "why=\"two arguments: see bench_pick.c\"");
	uint32_t clients = bench_number(argv[1], 60000), entries = bench_number(argv[2], 4000000);
	make_segment(&d, &conf, &seg, clients, entries);
	for (uint32_t i = 0; i < SERVERS; i++)
		servers[i] = make_server(&d, i + 1);
	for (uint32_t i = 0; i < clients; i++)
		(void)make_client(&d, i + 1, servers[i % SERVERS]);
	for (uint32_t i = 0; i < entries; i++)
		announce(&d, 1 + i % clients, i);
	double pick = pick_ns(&d), plan = plan_ns(&d);
	(void)printf("{\"clients\":%u,\"waiting\":%u,\"pick_ns\":%.0f,\"plan_ns\":%.0f}\n", clients,
		entries, pick, plan);
	segment_remove(&seg);
	return 0;
}
