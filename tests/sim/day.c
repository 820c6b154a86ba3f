/* What happens on a day: see sim.h. Every number here is rolled from the seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "dispatcher/life.h"
#include "dispatcher/recover.h"
#include "shm/submit.h"
#include "tests/sim/sim.h"

#include "common/base.h"

enum { CALM_LIMIT_S = 4 * 3600, LEAVE_LIMIT_S = 900 };

struct sim sim;

/* ---- dice ---- */

uint32_t dice(uint32_t below)
{
	uint64_t z = sim.dice += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(((z ^ z >> 31) >> 32) * below >> 32);
}

int64_t dice_between(int64_t least, int64_t most)
{
	return most <= least ? least : least + (int64_t)dice((uint32_t)(most - least + 1));
}

bool dice_chance(uint32_t in_1000)
{
	return in_1000 && dice(1000) < in_1000;
}

/* Small more often than large. */
static uint32_t dice_skewed(uint32_t least, uint32_t most)
{
	uint32_t span = most - least + 1;
	return least + MIN(dice(span), dice(span));
}

/* ---- who there is ---- */

static struct limits roll_limits(uint32_t channels)
{
	static const uint32_t rates[] = {5, 20, 60, 200, 1000, 5000, 100000};
	return (struct limits){.channels = dice_skewed(1, channels),
		.per_hour = rates[dice(ARRAY_LEN(rates))],
		.per_second = dice_chance(250) ? dice_skewed(1, 20) : 0,
		.active = true};
}

static const char *roll_retry(void)
{
	static const char *const rules[] = {"", "busy:1:1", "busy:3:20:linear failed:1:5",
		"no_answer:2:60:exponential busy:2:30",
		"congestion:3:2 no_answer:3:200 failed:2:10"};
	return rules[dice_chance(500) ? 0 : dice(ARRAY_LEN(rules))];
}

static void roll_clients(void)
{
	sim.clients_n = dice_skewed(1, CLIENTS_MAX);
	for (uint32_t i = 0; i < sim.clients_n; i++) {
		struct sim_client *c = &sim.clients[i];
		*c = (struct sim_client){.id = 11 + i, .weight = dice_skewed(1, 8)};
		c->limited.sql = roll_limits(30);
		if (dice_chance(250)) {
			int32_t minute = (int32_t)(sim.began_us / (60 * US_PER_S) % 1440);
			c->open_minute = (minute + (int32_t)dice(30)) % 1440;
			c->close_minute = (c->open_minute + 5 + (int32_t)dice(120)) % 1440;
		}
		if (dice_chance(100))
			c->cap = 5 + dice(40);
		c->number_limit = dice_chance(100) ? 1 + dice(3) : 0;
		c->retry = roll_retry();
	}
}

static void roll_servers(void)
{
	sim.servers_n = dice_skewed(1, SERVERS_MAX);
	for (uint32_t i = 0; i < sim.servers_n; i++) {
		sim.servers[i] = (struct sim_server){.id = 71 + i};
		sim.servers[i].limited.sql = roll_limits(40);
	}
	for (uint32_t i = 0; i < sim.clients_n; i++)
		for (uint32_t k = 0; k < sim.servers_n; k++) {
			struct sim_allocation *a = &sim.allocations[i][k];
			a->exists = k == i % sim.servers_n || dice_chance(600);
			a->limited.sql = roll_limits(20);
		}
}

static void roll_mood(void)
{
	struct sim_mood *m = &sim.mood;
	if (dice_chance(700)) {
		m->pg_slow_in_1000 = dice(20);
		m->pg_cut_in_1000 = dice(10);
		m->ami_twice_in_1000 = dice(50);
		m->ami_lost_in_1000 = dice(10);
		m->refuse_in_1000 = dice(100);
		m->no_channel_in_1000 = dice(100);
	}
	if (dice_chance(200))
		m->pg_refuse_in_1000 = dice(10);
	m->ami_late_ms = dice_chance(300) ? dice(3000) : dice(50);
	m->talk_us = dice_between(1, 60) * US_PER_S;
	m->ring_us = dice_between(1, 20) * US_PER_S;
}

/* ---- work: what the API stores ---- */

static void announce(uint32_t chunk)
{
	const struct sim_chunk *c = &sim.chunks[chunk];
	struct shm_submit rec = {.kind = SUBMIT_CHUNK,
		.entries = c->entries,
		.id = c->id,
		.client_id = sim.clients[c->client].id,
		.committed_us = (uint64_t)sim.now_us};
	if (c->batch != BATCHES_MAX) {
		rec.queue_master_id = rec.batch_id = sim.batches[c->batch].id;
		rec.settings_version = sim.batches[c->batch].settings_version;
	}
	if (c->entries == 1) {
		const char *number = sim.entries[c->first].number;
		(void)!str_copy(rec.number, sizeof(rec.number), str_of(number));
		(void)!str_copy(rec.phone_number, sizeof(rec.phone_number), str_of(number));
		(void)!str_copy(rec.did, sizeof(rec.did), str_of(sim.entries[c->first].did));
	}
	(void)submit_send(&sim.seg, NULL, &rec);
}

static void insert_entry(struct sim_chunk *c, uint32_t i, uint32_t numbers)
{
	struct sim_entry *e = &sim.entries[sim.entries_n++];
	*e = (struct sim_entry){.id = c->id << 10 | i,
		.client = c->client,
		.chunk = (uint32_t)(c - sim.chunks),
		.did = sim.entries_n % 4 == 0 ? CLIENT_DID : ""};
	(void)snprintf(e->number, sizeof(e->number), "9140%06u", dice(numbers));
}

static bool insert_chunk(uint32_t client, uint32_t batch, uint32_t entries, bool dispatched)
{
	if (sim.chunks_n == CHUNKS_MAX || sim.entries_n + entries > ENTRIES_MAX / 2)
		return false;
	struct sim_chunk *c = &sim.chunks[sim.chunks_n];
	*c = (struct sim_chunk){.id = CHUNK_FIRST + sim.chunks_n,
		.client = client,
		.batch = batch,
		.first = sim.entries_n,
		.entries = entries,
		.dispatched = dispatched};
	sim.chunks_n++;
	uint32_t numbers = dice_chance(200) ? 20 : 100000;
	for (uint32_t i = 0; i < entries; i++)
		insert_entry(c, i, numbers);
	if (dispatched && dice_chance(900)) /* the others are found by the sweep */
		announce(sim.chunks_n - 1);
	return true;
}

static void control(const char *kind, uint64_t client_id, uint64_t entry_id)
{
	if (sim.controls_n == CONTROLS_MAX)
		return;
	sim.controls[sim.controls_n] =
		(struct sim_control){sim.controls_n + 1, client_id, entry_id, kind, false};
	sim.controls_n++;
	say("control %s client=%llu entry=%llu", kind, (unsigned long long)client_id,
		(unsigned long long)entry_id);
	if (dice_chance(900))
		pg_notify();
}

static void roll_settings(struct sim_batch *b)
{
	b->settings_version++;
	b->weight = dice_skewed(1, 5);
	b->limited.sql = (struct limits){.channels = dice_chance(700) ? dice_skewed(1, 10) : 0,
		.per_second = dice_chance(400) ? dice_skewed(1, 10) : 0,
		.active = true};
}

/* It begins later, or ends before the day does: with some luck while it is dialled. */
static void roll_times(struct sim_batch *b)
{
	roll_settings(b);
	if (dice_chance(500))
		b->starts_us = sim.now_us + dice_skewed(1, 600) * US_PER_S;
	if (!b->starts_us || dice_chance(500))
		b->expires_us = MAX(b->starts_us, sim.now_us) + dice_skewed(1, 600) * US_PER_S;
}

static void insert_batch(void)
{
	if (sim.batches_n == BATCHES_MAX)
		return;
	uint32_t client = dice(sim.clients_n), chunks = dice_skewed(1, 4);
	struct sim_batch *b = &sim.batches[sim.batches_n];
	*b = (struct sim_batch){
		.id = 501 + sim.batches_n, .client = client, .dispatched = dice_chance(900)};
	sim.batches_n++;
	if (dice_chance(300))
		roll_settings(b);
	if (dice_chance(150))
		roll_times(b);
	if (dice_chance(200)) {
		roll_settings(b);
		b->retry = roll_retry();
	}
	for (uint32_t i = 0; i < chunks; i++)
		b->open_chunks +=
			insert_chunk(client, sim.batches_n - 1, dice_skewed(1, 60), b->dispatched);
	say("batch %llu client=%u chunks=%u", (unsigned long long)b->id, client, chunks);
}

static void insert_quick_call(void)
{
	(void)insert_chunk(dice(sim.clients_n), BATCHES_MAX, 1, true);
}

/* ---- orders and changes ---- */

static void reload(void)
{
	control("reload", 0, 0);
}

static void change_settings(void)
{
	if (!sim.batches_n)
		return;
	struct sim_batch *b = &sim.batches[dice(sim.batches_n)];
	roll_settings(b);
	control("settings", sim.clients[b->client].id, 0);
}

static void change_limits(void)
{
	struct limited *l;
	uint32_t client = dice(sim.clients_n), server = dice(sim.servers_n);
	switch (dice(3)) {
	case 0:
		l = &sim.clients[client].limited;
		break;
	case 1:
		l = &sim.servers[server].limited;
		break;
	default:
		l = &sim.allocations[client][server].limited;
		break;
	}
	struct limits before = l->sql;
	l->sql = roll_limits(30);
	l->sql.active = before.active;
	if (dice_chance(100))
		l->sql.channels = 0;
	if (dice_chance(900))
		reload();
}

static void change_status(void)
{
	if (dice_chance(500)) {
		struct sim_client *c = &sim.clients[dice(sim.clients_n)];
		c->status = dice_chance(600) ? CLIENT_ACTIVE
					     : (enum shm_client_status)dice(CLIENT_STATUS__N);
		c->limited.sql.active = dice_chance(900);
	} else {
		sim.servers[dice(sim.servers_n)].status =
			dice_chance(600) ? SERVER_ACTIVE
					 : (enum shm_server_status)dice(SERVER_STATUS__N);
	}
	reload();
}

static void release(struct sim_batch *b)
{
	for (uint32_t i = 0; i < sim.chunks_n; i++)
		if (sim.chunks[i].batch == (uint32_t)(b - sim.batches))
			sim.chunks[i].dispatched = true;
	b->dispatched = true;
	control("dispatch", sim.clients[b->client].id, 0);
}

/* The trigger of migration 0037. */
static void wake_chunks(const struct sim_batch *b)
{
	for (uint32_t i = 0; b->canceled && i < sim.chunks_n; i++)
		if (sim.chunks[i].batch == (uint32_t)(b - sim.batches))
			sim.chunks[i].rests = false;
}

static void order_batch(void)
{
	if (!sim.batches_n)
		return;
	struct sim_batch *b = &sim.batches[dice(sim.batches_n)];
	uint64_t client_id = sim.clients[b->client].id;
	switch (dice(4)) {
	case 0:
		b->paused = true;
		control("pause", client_id, 0);
		break;
	case 1:
		b->paused = false;
		control("resume", client_id, 0);
		break;
	case 2:
		b->canceled = dice_chance(300);
		wake_chunks(b);
		control("cancel", client_id, 0);
		break;
	default:
		release(b);
		break;
	}
}

static void order_hangup(void)
{
	if (!sim.entries_n)
		return;
	const struct sim_entry *e = &sim.entries[dice(sim.entries_n)];
	if (!e->finals)
		control("hangup", sim.clients[e->client].id, e->id);
}

/* Its client's list: whatever has the same number is not to be called, either. */
static void list_number(void)
{
	if (!sim.entries_n)
		return;
	const struct sim_entry *one = &sim.entries[dice(sim.entries_n)];
	for (uint32_t i = 0; i < sim.entries_n; i++) {
		struct sim_entry *e = &sim.entries[i];
		if (e->client == one->client && strcmp(e->number, one->number) == 0)
			e->listed = true;
	}
	control("dnc", sim.clients[one->client].id, 0);
}

/* ---- faults ---- */

static void kill_soon(void)
{
	sim.kill_in = 1 + dice_skewed(0, 400);
	sim.kill_holder = dice_chance(200);
}

static void stall(void)
{
	sim.stall_us = dice_between(US_PER_MS, dice_chance(200) ? 30 * US_PER_S : US_PER_S);
}

static void lose_segment(void)
{
	if (dice_chance(200))
		sim.segment_named = false;
}

static void pg_goes(void)
{
	pg_leave(dice_between(0, 20 * US_PER_S));
}

static void ami_hangs(void)
{
	asterisk_hang(dice(sim.servers_n), dice_between(10 * US_PER_MS, 40 * US_PER_S));
}

static void ami_cut(void)
{
	asterisk_cut(dice(sim.servers_n));
}

static void ami_restarts(void)
{
	asterisk_restart(dice(sim.servers_n), dice_between(0, 20 * US_PER_S));
}

static const struct {
	void (*fn)(void);
	const char *name;
	uint32_t share;
	bool is_fault;
} happenings[] = {
	{insert_batch, "insert_batch", 20, false},
	{insert_quick_call, "insert_quick_call", 20, false},
	{change_limits, "change_limits", 10, false},
	{change_settings, "change_settings", 6, false},
	{change_status, "change_status", 3, false},
	{order_batch, "order_batch", 8, false},
	{order_hangup, "order_hangup", 8, false},
	{list_number, "list_number", 6, false},
	{reload, "reload", 3, false},
	{kill_soon, "kill_soon", 10, true},
	{stall, "stall", 6, true},
	{lose_segment, "lose_segment", 2, true},
	{pg_cut_all, "pg_cut_all", 5, true},
	{pg_goes, "pg_goes", 3, true},
	{ami_hangs, "ami_hangs", 5, true},
	{ami_cut, "ami_cut", 6, true},
	{ami_restarts, "ami_restarts", 4, true},
};

static int64_t pause_us; /* between two of them, at most */
static bool faulty;

static void happen(uint64_t left, uint64_t unused)
{
	uint32_t sum = 0, at;
	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(happenings); i++)
		sum += happenings[i].share;
	at = dice(sum);
	for (size_t i = 0; i < ARRAY_LEN(happenings); i++) {
		if (at >= happenings[i].share) {
			at -= happenings[i].share;
			continue;
		}
		if (faulty || !happenings[i].is_fault) {
			say("-- %s", happenings[i].name);
			happenings[i].fn();
		}
		break;
	}
	if (left > 1)
		timer_at(sim.now_us + dice_between(0, pause_us), happen, left - 1, 0);
	else
		sim.calm = true;
}

/* From here on all that is open can end. */
static void calm_down(void)
{
	static const struct limits wide = {1000, 10000000, 0, true};
	say("-- calm");
	sim.calm_us = sim.now_us;
	sim.kill_in = 0;
	for (uint32_t i = 0; i < sim.clients_n; i++) {
		struct sim_client *c = &sim.clients[i];
		c->limited.sql = wide;
		c->status = CLIENT_ACTIVE;
		c->open_minute = c->close_minute = 0;
		c->cap = c->number_limit = 0;
		for (uint32_t k = 0; k < sim.servers_n; k++)
			sim.allocations[i][k].limited.sql = wide;
	}
	for (uint32_t i = 0; i < sim.servers_n; i++) {
		sim.servers[i].limited.sql = wide;
		sim.servers[i].status = SERVER_ACTIVE;
	}
	for (uint32_t i = 0; i < sim.batches_n; i++) {
		sim.batches[i].paused = false;
		sim.batches[i].starts_us = sim.batches[i].expires_us = 0;
		sim.batches[i].settings_version += sim.batches[i].settings_version > 0;
		control("resume", sim.clients[sim.batches[i].client].id, 0);
		release(&sim.batches[i]);
	}
	reload();
}

/* ---- lives of the dispatcher ---- */

static struct secret_key secret;

static void open_segment(void)
{
	struct err err;
	bool adopted;
	if (!segment_create_or_adopt(&sim.seg, &sim.conf, &adopted, &err) ||
		!worker_slot_take(&sim.seg, POOL_SQL, &err))
		die("sim.segment", "why=%s", log_q(err.text));
	sim.segment_named = true;
	rules_new_ring();
}

static void give(uint64_t server_id, int fd)
{
	recover_give(sim.d, server_id, fd);
}

static void begin_life(bool adopted, bool with_holder)
{
	static struct holder_link *nobody;
	struct dispatcher *d = calloc(1, sizeof(*d));
	if (!d)
		die("memory.exhausted", "bytes=%zu", sizeof(*d));
	*d = (struct dispatcher){.conf = &sim.conf,
		.secret_key = secret,
		.seg = &sim.seg,
		.adopted = adopted,
		.holder = nobody,
		.poll = poll_new()};
	sim.d = d;
	sim.lives++;
	say("-- life %u", sim.lives);
	wires_end_life(!with_holder, give);
	life_begin(d);
}

/* All that was private is gone, and never freed: the process of a seed is short. */
static void end_life(void)
{
	sim.d = NULL;
	sim.kill_in = 0;
	sim.stall_us = 0;
	pg_forget_life();
}

static bool is_finished(void)
{
	const struct dispatcher *d = sim.d;
	if (!sim.calm || sim.ended_n < sim.entries_n || !d->recovered || d->live_n || d->chunks)
		return false;
	for (uint32_t i = 0; i < sim.chunks_n; i++)
		if (!sim.chunks[i].closed)
			return false;
	return stream_pending(d->commits) == 0;
}

static void run_lives(void)
{
	for (;;) {
		if (setjmp(sim.killed)) {
			bool holder = !sim.kill_holder;
			say("-- killed%s", holder ? "" : ", and its holder with it");
			end_life();
			world_run(dice_between(0, 2 * US_PER_S));
			begin_life(true, holder);
		}
		if (sim.calm && !sim.calm_us)
			calm_down();
		if (life_is_over(sim.d)) { /* the segment is lost */
			segment_remove(&sim.seg);
			end_life();
			open_segment();
			begin_life(false, false);
		}
		life_turn(sim.d);
		rules_turn();
		if (is_finished())
			return;
		if (sim.calm_us && sim.now_us - sim.calm_us > CALM_LIMIT_S * US_PER_S)
			violated("%u of %u entries have not ended %d s after the last fault",
				sim.entries_n - sim.ended_n, sim.entries_n, CALM_LIMIT_S);
	}
}

static void leave(void)
{
	int64_t limit_us = sim.now_us + LEAVE_LIMIT_S * US_PER_S;
	life_stop(sim.d);
	while (!life_is_over(sim.d)) {
		life_turn(sim.d);
		if (sim.now_us > limit_us)
			violated("it was told to stop and does not");
	}
}

/* ---- a seed ---- */

static const struct conf defaults = {
#define TEXT(section, name, def, help)		   .section##_##name = def,
#define CHOICE(section, name, def, words, help)	   .section##_##name = def,
#define NUMBER(section, name, def, min, max, help) .section##_##name = def,
#include "common/conf.def"
#undef CHOICE
#undef TEXT
#undef NUMBER
};

static void roll_conf(void)
{
	struct conf *c = &sim.conf;
	*c = defaults;
	(void)snprintf(c->common_node, sizeof(c->common_node), "sim-%d", (int)getpid());
	c->segment_live_calls = dice_chance(100) ? 16 : 128;
	c->segment_window_entries = 1536;
	c->segment_clients = 16;
	c->segment_servers = 16;
	c->segment_allocations = 64;
	c->segment_worker_slots = 4;
	c->segment_event_bytes = 1 << 18;
	c->dispatcher_ring_seconds = dice_between(5, 45);
	c->dispatcher_max_call_seconds = dice_between(10, 120);
	c->dispatcher_ami_window = dice_skewed(1, 20);
	c->dispatcher_ami_ping_ms = dice_between(1000, 30000);
	c->dispatcher_ami_timeout_ms = dice_between(1000, 20000);
	c->dispatcher_reconnect_max_ms = dice_between(500, 10000);
}

void day_run(uint64_t seed, bool trace)
{
	struct err err;
	sim = (struct sim){.seed = seed, .trace = trace, .dice = seed * 2654435761 + 1};
	sim.began_us = sim.now_us =
		INT64_C(1795000000) * US_PER_S + dice(86400) * US_PER_S + dice(1000000);
	roll_conf();
	roll_clients();
	roll_servers();
	roll_mood();
	faulty = dice_chance(850);
	pause_us = dice_between(100, dice_chance(300) ? 600000 : 20000) * US_PER_MS;
	memset(&secret, 7, sizeof(secret));
	tables_seal_secret(&secret);
	asterisk_start();
	if (!segment_init(&sim.seg, sim.conf.common_node, &err))
		die("sim.segment", "why=%s", log_q(err.text));
	segment_remove(&sim.seg); /* of a day that crashed in a process of this number */
	open_segment();
	timer_at(sim.now_us, happen, 20 + dice(100), 0);
	begin_life(false, false);
	run_lives();
	rules_end();
	leave();
	segment_remove(&sim.seg);
	say("-- the end: lives=%u turns=%u entries=%u dialled=%u", sim.lives, sim.turns,
		sim.entries_n, sim.dialled_n);
}
