/* The simulated world around the real dispatcher: a clock, PostgreSQL, Asterisk servers, clients with work, and faults, all of
 * them decided by the dice of one seed. What the dispatcher links instead of poll.c, stream.c, rows.c, ami_sock.c, bell.c and
 * holder_link.c stands beside this file; the clock, random bytes and points to be killed at are wrapped by the linker
 * (tests/tests.mk).
 *
 *   day.c       what happens: work, orders, faults, lives of the dispatcher
 *   rules.c     what must hold, counted here and nowhere else
 *   poll.c      time, timers, and who is ready
 *   pg.c        connections to PostgreSQL, and how they fail
 *   tables.c    what is stored, and what the statements mean
 *   redials.c   those of them about entries that are called again
 *   wire.c      AMI sockets
 *   asterisk.c  the servers behind them
 */
#ifndef CCS_TESTS_SIM_H
#define CCS_TESTS_SIM_H

#include <setjmp.h>

#include "common/clock.h"
#include "dispatcher/dispatcher.h"
#include "sql/embedded.h"
#include "sql/stream.h"

/* ---- dice ---- */

/* 0 to below - 1. */
uint32_t dice(uint32_t below);
/* Both ends included. */
int64_t dice_between(int64_t least, int64_t most);
/* True in so many of 1,000 cases. */
bool dice_chance(uint32_t in_1000);

/* ---- the world ---- */

enum {
	CLIENTS_MAX = 6,
	SERVERS_MAX = 5,
	CHUNKS_MAX = 1024,
	ENTRIES_MAX = 4096,
	ATTEMPTS_MAX = 8,
	BATCHES_MAX = 64,
	CONTROLS_MAX = 1024,
	EVENTS_MAX = 8 * ENTRIES_MAX,
	CHUNK_FIRST = 1000, /* the first chunk's id */
	HISTORY_MAX = 64,
};

/* What limits a client, a server or an allocation. */
struct limits {
	uint32_t channels, per_hour, per_second; /* per_second 0: none */
	bool active;
};

/* One limited thing: what SQL says, what the dispatcher was told and when, what it did. */
struct limited {
	struct limits sql;
	struct {
		int64_t at_us;
		struct limits limits;
	} told[HISTORY_MAX]; /* only what differs from the one before; the latest of them */
	uint32_t told_n;
	uint32_t live;	 /* Originates written whose call is not over */
	int64_t *writes; /* when, all of them */
	uint32_t writes_n, writes_cap;
};

struct sim_client {
	uint64_t id;
	struct limited limited;
	uint32_t weight;
	enum shm_client_status status;
	int32_t open_minute, close_minute; /* of the day in UTC; equal: always */
	uint64_t seq;			   /* client_seq */
	uint32_t cap;			   /* daily, 0: none */
	const char *retry;		   /* what is called again; "" = nothing */
	uint32_t number_limit;		   /* calls to one number in NUMBER_DAY_S; 0: none */
	uint32_t day_calls;		   /* rollup_region of day */
	int64_t day;
};

struct sim_server {
	uint64_t id;
	struct limited limited;
	enum shm_server_status status;
};

struct sim_allocation {
	bool exists;
	struct limited limited;
};

struct sim_batch {
	uint64_t id; /* queue_master; its batch_id is the same */
	uint32_t client;
	bool paused, canceled, dispatched;
	uint32_t open_chunks;
	struct limited limited; /* channels and calls a second, 0: none; the rest does not count */
	uint32_t weight;
	uint64_t settings_version;     /* 0: it has none */
	int64_t starts_us, expires_us; /* of its calls; 0: at once, never */
	const char *retry;	       /* what is called again; NULL: what its client has */
};

struct sim_attempt {
	bool exists;
	uint32_t server;
	uint64_t epoch;
	int64_t armed_us, stored_us, started_us, ended_us;
	struct str disposition;
	bool is_redialled; /* not at once, elsewhere, but when its retry is due */
	char shown[24];
	bool has_detail, is_final, is_canceled;
	bool written; /* its Originate */
	bool dialled; /* Asterisk has taken it */
	bool over;    /* as the world knows: no channel any more */
	int64_t written_us;
};

struct sim_entry {
	uint64_t id;
	uint32_t client, chunk;
	char number[20];
	const char *did;			   /* that it asks to show; "" = none */
	struct sim_attempt attempts[ATTEMPTS_MAX]; /* by n; 0: an end without a call */
	uint32_t finals;
	bool listed;	      /* its number must not be called */
	unsigned listed_told; /* the life that was told so of an attempt that is journalled */
	uint32_t events;      /* the latest: index + 1 */
	int64_t due_us;	      /* its row of retry; 0: none */
};

/* A row of event. */
struct sim_event {
	uint32_t client;
	uint64_t seq, entry_id;
	uint32_t n;
	enum event_type type;
	int64_t occurred_us;
	bool published;
	uint32_t next; /* of the same entry: index + 1 */
};

struct sim_chunk {
	uint64_t id;
	uint32_t client, batch; /* batch BATCHES_MAX: a quick call */
	uint32_t first, entries;
	uint64_t owner_epoch; /* 0: nobody's */
	bool dispatched, closed, rests;
};

struct sim_control {
	uint64_t id, client_id, entry_id;
	const char *kind;
	bool done;
};

/* How rough the day is; each a chance or a pause that day.c rolled. */
struct sim_mood {
	uint32_t pg_slow_in_1000;   /* transactions that take seconds */
	uint32_t pg_cut_in_1000;    /* that lose their connection */
	uint32_t pg_refuse_in_1000; /* that are refused */
	uint32_t ami_twice_in_1000; /* events that come twice */
	uint32_t ami_lost_in_1000;  /* events that never come */
	uint32_t ami_late_ms;	    /* between the two ends of a call */
	uint32_t refuse_in_1000;    /* Originates */
	uint32_t no_channel_in_1000;
	int64_t talk_us, ring_us; /* at most */
};

struct sim {
	uint64_t seed;
	bool trace;
	uint64_t dice;
	int64_t began_us, now_us;
	struct conf conf;
	struct segment seg;
	bool segment_named;
	struct dispatcher *d; /* the life under way */
	unsigned lives, turns;
	bool calm; /* no faults any more, and every limit lets things end */
	int64_t calm_us;
	struct sim_mood mood;

	int64_t stall_us; /* the process sleeps so long in its next wait */
	uint32_t kill_in; /* points to pass until it is killed; 0: it is not */
	bool kill_holder; /* and its holder with it */
	jmp_buf killed;

	struct sim_client clients[CLIENTS_MAX];
	struct sim_server servers[SERVERS_MAX];
	struct sim_allocation allocations[CLIENTS_MAX][SERVERS_MAX];
	struct sim_batch batches[BATCHES_MAX];
	struct sim_chunk chunks[CHUNKS_MAX];
	struct sim_entry entries[ENTRIES_MAX];
	struct sim_control controls[CONTROLS_MAX];
	struct sim_event events[EVENTS_MAX];
	uint32_t clients_n, servers_n, batches_n, chunks_n, entries_n, controls_n, events_n;
	uint32_t controls_done; /* those before are */
	uint64_t node_epoch;
	uint32_t ended_n; /* entries with a final detail */
	uint32_t dialled_n;
};
extern struct sim sim;

/* A line of the trace. */
void say(const char *fmt, ...) PRINTF(1, 2);

/* A rule is broken: says so with the seed, and ends the process. */
__attribute__((noreturn)) void violated(const char *fmt, ...) PRINTF(1, 2);

struct sim_entry *entry_of(uint64_t id);		     /* NULL: none */
struct sim_chunk *chunk_of(uint64_t id);		     /* NULL: none */
bool window_open(const struct sim_client *c, int64_t at_us); /* as the client's hours say */

/* ---- day.c ---- */

/* The number of every client. All servers and shares show others. */
#define CLIENT_DID "911140000000"

/* One seed from beginning to end; a broken rule does not return. */
void day_run(uint64_t seed, bool trace);

/* ---- poll.c ---- */

/* fn(a, b) at a time; in order. */
typedef void timer_fn(uint64_t a, uint64_t b);
void timer_at(int64_t at_us, timer_fn *fn, uint64_t a, uint64_t b);
void timers_forget(void);
/* Runs the world alone for so long. */
void world_run(int64_t us);
void crash_point(void);

/* ---- pg.c ---- */

void pg_deliver(void);
bool pg_is_ready(void);
void pg_forget_life(void); /* its connections end; what was sent may still be carried out */
void pg_leave(int64_t us); /* it is away for so long */
void pg_cut_all(void);	   /* its connections are lost */
void pg_notify(void);

/* ---- tables.c ---- */

struct table;
/* One statement, inside a transaction that tables_would_refuse has judged. */
struct table *tables_execute(enum sql_query query, const struct sql_args *args);
/* A constraint of the schema stands against it. */
bool tables_would_refuse(enum sql_query query, const struct sql_args *args);
void table_free(struct table *table);
uint32_t table_rows(const struct table *table);
int64_t table_i64(const struct table *table, uint32_t row, uint32_t column);
struct str table_text(const struct table *table, uint32_t row, uint32_t column);

/* Not finished, and no attempt is under way. */
bool tables_may_be_tried(const struct sim_entry *e);
/* The columns of chunk_entries. */
void tables_put_entry(struct table *t, const struct sim_entry *e, uint64_t failed_on);

/* ---- redials.c: the statements about table retry ---- */

enum { NUMBER_DAY_S = 1200 }; /* the day of those calls, for patience */

uint32_t calls_of_number(const struct sim_entry *of, int64_t at_us);
void number_days_take(struct table *t, const struct sql_args *args);
void retry_rules(struct table *t);
void retry_heads(struct table *t);
void retry_due(struct table *t, const struct sql_args *args);
void retry_add(const struct sql_args *args);
void retry_settle(const struct sql_args *args);
void retry_postpone(const struct sql_args *args);
void chunk_rest(struct table *t, const struct sql_args *args);

/* ---- directory.c: the statements about it ---- */

extern const int64_t DAY_US;
void tables_seal_secret(const struct secret_key *key);
void directory_clients(struct table *t);
void directory_days(struct table *t, int64_t at_us);
void directory_servers(struct table *t);
void directory_allocations(struct table *t);

/* ---- wire.c ---- */

enum { WIRE_FIRST_FD = 1 << 20, WIRES_MAX = 4096 };
bool wires_ready(void);
void wires_deliver(void);
void wires_watch(int fd, uint32_t events, poll_fn *fn, void *arg);
void wires_end_life(
	bool holder, void (*give)(uint64_t server_id, int fd)); /* what the holder kept is given */
void wire_to_ccs(uint32_t wire, const char *text, size_t n);
void wire_close(uint32_t wire, bool reset); /* by the server */

/* ---- asterisk.c ---- */

void asterisk_start(void);
void asterisk_connected(uint32_t server, uint32_t wire);
bool asterisk_listens(uint32_t server);
void asterisk_take(uint32_t server, uint32_t wire, bool stands, struct str text);
void asterisk_gone(uint32_t server, uint32_t wire);
void asterisk_hang(uint32_t server, int64_t us);
bool asterisk_hangs(uint32_t server);
void asterisk_cut(uint32_t server);
void asterisk_restart(uint32_t server, int64_t us);
uint32_t asterisk_live(uint32_t server);

/* ---- rules.c ---- */

void rules_told(enum sql_query query, const struct table *table);
void rules_written(uint64_t entry_id, uint32_t n, uint32_t server);
void rules_dialled(uint64_t entry_id, uint32_t n, const char *number, const char *shown);
void rules_over(uint64_t entry_id, uint32_t n);
void rules_journalled(struct sim_entry *entry, uint32_t n);
void rules_finished(struct sim_entry *entry, uint32_t n, struct str disposition);
void rules_turn(void);
void rules_new_ring(void);
void rules_end(void);

#endif
