/* The real scheduler with as many clients and servers as wanted, on a real segment: without PostgreSQL, as plans are only
 * gathered, and without Asterisk, as nothing is written. The clock is d.now_us, and stands still. */
#ifndef CCS_TESTS_SCHED_RIG_H
#define CCS_TESTS_SCHED_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/days.h"
#include "dispatcher/facts.h"
#include "dispatcher/journal.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/work.h"
#include "shm/directory.h"
#include "shm/submit.h"

#include "common/base.h"

struct rig_size {
	uint32_t clients, servers, shares; /* servers of each client */
	uint32_t calls, waiting;	   /* at once, in all */
};

struct rig {
	struct rig_size size;
	struct conf conf;
	struct segment seg;
	struct dispatcher d;
	struct client *clients;
	struct server *servers;
	struct edge *edges; /* those of client c from c * shares on */
	int *far_ends;
	uint64_t next_chunk;
};

static void rig_must(bool ok, const struct err *err)
{
	if (!ok)
		die("rig", "why=%s", log_q(err->text));
}

static void *rig_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		die("memory.exhausted", "bytes=%zu", n * size);
	return p;
}

static void rig_segment(struct rig *rig)
{
	const struct rig_size *s = &rig->size;
	char path[] = "/tmp/ccs-sched-rig-XXXXXX";
	struct err err = {0};
	bool adopted;
	int fd = mkstemp(path);
	if (fd < 0)
		die("rig", "why=\"no temporary file\"");
	(void)dprintf(fd,
		"[common]\nnode = sched-rig-%d\n[segment]\nlive_calls = %u\nwindow_entries = %u\n"
		"clients = %u\nservers = %u\nallocations = %u\nevent_bytes = 1048576\n"
		"worker_slots = 4\n",
		(int)getpid(), MAX(s->calls, 64u), MAX(s->waiting, 1024u), MAX(s->clients, 16u),
		MAX(s->servers, 4u), MAX(s->clients * s->shares, 16u));
	close(fd);
	rig_must(conf_load(&rig->conf, path, &err), &err);
	unlink(path);
	rig_must(segment_init(&rig->seg, rig->conf.common_node, &err), &err);
	rig_must(segment_create_or_adopt(&rig->seg, &rig->conf, &adopted, &err), &err);
	segment_begin_epoch(&rig->seg);
	rig_must(worker_slot_take(&rig->seg, POOL_SQL, &err), &err);
}

static const struct ami_conn_ops rig_deaf = {.drained = server_drained};

static void rig_server(struct rig *rig, uint32_t i)
{
	struct ami_conn_conf conf = {.host = "127.0.0.1",
		.port = 5038,
		.user = "ccs",
		.secret = "s",
		.ping_us = US_PER_S * 60,
		.timeout_us = US_PER_S * 60,
		.backoff_max_us = US_PER_S};
	struct server *s = &rig->servers[i];
	struct err err;
	int pair[2];

	s->id = i + 1;
	s->d = &rig->d;
	s->facts = (struct shm_server){
		.id = s->id, .allowed_active_calls = 1000, .rate_limit = 100000000};
	s->row = dir_put_server(&rig->seg, &s->facts);
	s->usage = &s->row->usage;
	s->ami = &s->row->ami;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
		die("rig", "why=\"no socket\"");
	s->conn = ami_conn_new(rig->d.poll, &conf, &rig_deaf, s, &err);
	rig_must(s->conn, &err);
	ami_conn_adopt(s->conn, pair[0], clock_mono_us());
	ami_conn_flush(s->conn);
	rig->far_ends[i] = pair[1];
	HASH_ADD(hh, rig->d.servers, id, sizeof(s->id), s);
}

/* Its servers lie beside each other, at a place of its own. */
static void rig_client(struct rig *rig, uint32_t i)
{
	struct client *c = &rig->clients[i];
	struct shm_client_row *row;

	c->id = i + 1;
	c->facts = (struct shm_client){.id = c->id,
		.allocated_channels = 1000,
		.rate_limit = 100000000,
		.weight = 1,
		.is_active = 1,
		.window_open_us = INT64_MIN,
		.window_close_us = INT64_MAX,
		.did = "911140000000"};
	row = dir_put_client(&rig->seg, &c->facts);
	c->usage = &row->usage;
	c->day.shown = &row->day;
	HASH_ADD(hh, rig->d.clients, id, sizeof(c->id), c);
	for (uint32_t k = 0; k < rig->size.shares; k++) {
		struct edge *e = &rig->edges[i * rig->size.shares + k];
		e->client = c;
		e->server = &rig->servers[(i * 7 + k) % rig->size.servers];
		e->facts = (struct shm_allocation){.client_id = c->id,
			.server_id = e->server->id,
			.allowed_active_calls = 1000,
			.rate_limit = 100000000};
		e->usage = &dir_put_allocation(&rig->seg, &e->facts)->usage;
		e->next_of_client = c->edges;
		c->edges = e;
	}
}

static struct rig *rig_new(const struct rig_size *size)
{
	struct rig *rig = rig_alloc(1, sizeof(*rig));
	rig->size = *size;
	rig->clients = rig_alloc(size->clients, sizeof(*rig->clients));
	rig->servers = rig_alloc(size->servers, sizeof(*rig->servers));
	rig->edges = rig_alloc((size_t)size->clients * size->shares, sizeof(*rig->edges));
	rig->far_ends = rig_alloc(size->servers, sizeof(*rig->far_ends));
	rig_segment(rig);
	rig->d = (struct dispatcher){.conf = &rig->conf,
		.seg = &rig->seg,
		.recovered = true,
		.commits_up = true,
		.now_us = clock_wall_us(),
		.now_mono_us = clock_mono_us()};
	rig->conf.dispatcher_ami_window = 1000;
	rig->d.poll = poll_new();
	rig->d.journal = journal_new(&rig->d);
	slots_bind(&rig->d);
	work_bind(&rig->d);
	for (uint32_t i = 0; i < size->servers; i++)
		rig_server(rig, i);
	for (uint32_t i = 0; i < size->clients; i++)
		rig_client(rig, i);
	rig->next_chunk = 1;
	return rig;
}

/* As a worker announces it. */
__attribute__((unused)) static void rig_submit(struct rig *rig, const struct shm_submit *rec)
{
	if (!submit_send(&rig->seg, NULL, rec))
		die("rig", "why=\"the ring is full\"");
	submit_drain(&rig->d);
}

/* A quick call of the client, to a number that nobody else is called at. */
__attribute__((unused)) static void rig_announce(struct rig *rig, uint32_t client)
{
	struct shm_submit rec = {.kind = SUBMIT_CHUNK,
		.entries = 1,
		.id = rig->next_chunk++,
		.client_id = client + 1};
	(void)snprintf(rec.number, sizeof(rec.number), "%llu",
		(unsigned long long)(UINT64_C(100000000000) + rec.id % UINT64_C(899999999999)));
	memcpy(rec.phone_number, rec.number, sizeof(rec.number));
	rig_submit(rig, &rec);
}

/* The journal's plans are on their way for ever: what gathered is forgotten, the Originates are written and answered. */
__attribute__((unused)) static void rig_settle(struct rig *rig)
{
	journal_free(rig->d.journal);
	rig->d.journal = journal_new(&rig->d);
	for (uint32_t i = 0; i < rig->size.servers; i++)
		rig->servers[i].armed_n = 0;
}

static void rig_free(struct rig *rig)
{
	struct slot *slot, *next;
	HASH_ITER (hh, rig->d.by_entry, slot, next)
		slot_close(&rig->d, slot);
	HASH_CLEAR(hh, rig->d.servers);
	HASH_CLEAR(hh, rig->d.clients);
	for (uint32_t i = 0; i < rig->size.clients; i++) {
		work_forget_client(&rig->d, &rig->clients[i]);
		day_free(&rig->clients[i]);
	}
	for (uint32_t i = 0; i < rig->size.servers; i++) {
		ami_conn_free(rig->servers[i].conn);
		heap_free(&rig->servers[i].waiters);
		close(rig->far_ends[i]);
	}
	journal_free(rig->d.journal);
	poll_free(rig->d.poll);
	call_table_close(&rig->d.calls);
	window_table_close(&rig->d.window);
	heap_free(&rig->d.ready);
	heap_free(&rig->d.timers);
	heap_free(&rig->d.server_timers);
	heap_free(&rig->d.put_offs);
	segment_remove(&rig->seg);
	segment_close(&rig->seg);
	free(rig->d.slots);
	free(rig->d.waiting);
	free(rig->clients);
	free(rig->servers);
	free(rig->edges);
	free(rig->far_ends);
	free(rig);
}

#endif
