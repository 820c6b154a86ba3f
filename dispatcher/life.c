/* One life, turn by turn: see life.h. */
#include "dispatcher/life.h"
#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/ahead.h"
#include "dispatcher/audit.h"
#include "dispatcher/call.h"
#include "dispatcher/chores.h"
#include "dispatcher/days.h"
#include "dispatcher/directory.h"
#include "dispatcher/fence.h"
#include "dispatcher/hours.h"
#include "dispatcher/journal.h"
#include "dispatcher/player.h"
#include "dispatcher/rates.h"
#include "dispatcher/recover.h"
#include "dispatcher/redials.h"
#include "dispatcher/sched.h"
#include "dispatcher/server.h"
#include "dispatcher/slot.h"
#include "dispatcher/used.h"
#include "dispatcher/work.h"
#include "shm/latency.h"
#include "shm/submit.h"

#include "common/base.h"

static const int64_t HEARTBEAT_US = 400 * US_PER_MS; /* readers call two seconds stale */
static const int64_t STOP_GRACE_US = 10 * US_PER_S;

static const enum sql_query commit_queries[] = {SQL_NODE_FENCE, SQL_NODE_START,
	SQL_NODE_ADOPT_CHUNKS, SQL_CHUNK_CLAIM, SQL_OPT_OUT, SQL_NUMBER_DAYS_TAKE, SQL_ATTEMPT_ARM,
	SQL_ATTEMPT_WITHDRAW, SQL_ENTRIES_CANCEL, SQL_DETAIL_FINISH, SQL_EVENT_APPEND,
	SQL_EVENTS_KNOWN, SQL_CHUNK_CLOSE, SQL_CHUNK_REST, SQL_RETRY_ADD, SQL_RETRY_SETTLE,
	SQL_RETRY_DUE, SQL_RETRY_POSTPONE, SQL_CONTROL_DONE, SQL_QUERY__N};

static const enum sql_query lookup_queries[] = {SQL_DIRECTORY_CLIENTS, SQL_DIRECTORY_DAYS,
	SQL_DIRECTORY_HALTS, SQL_DIRECTORY_HOLIDAYS, SQL_DIRECTORY_RETRY_RULES, SQL_RETRY_HEADS,
	SQL_DIRECTORY_ANSWERING, SQL_DIRECTORY_USERS, SQL_DIRECTORY_KEYS, SQL_DIRECTORY_SERVERS,
	SQL_DIRECTORY_ALLOCATIONS, SQL_CONTROL_OPEN, SQL_CHUNKS_OPEN, SQL_QUEUE_TERMS,
	SQL_CHUNK_ENTRIES, SQL_CALLS_LISTED, SQL_ATTEMPTS_KNOWN, SQL_ATTEMPTS_OPEN,
	SQL_STARTS_RECENT, SQL_STARTS_OF_SHARE, SQL_PARTITIONS_ADVANCE, SQL_IDEMPOTENCY_EXPIRE,
	SQL_AUDIT_ANCHOR, SQL_RETENTION_STEP, SQL_NUMBER_DAYS_EXPIRE, SQL_EVENTS_RETIRE,
	SQL_LEDGER_ANCHORS, SQL_LEDGER_RETIRE, SQL_KEYS_USED, SQL_QUERY__N};

/* ---- what wakes the loop ---- */

static void read_clocks(void *arg)
{
	struct dispatcher *d = arg;
	d->now_us = clock_wall_us();
	d->now_mono_us = clock_mono_us();
}

static void commits_up(void *arg)
{
	fence_take(arg);
}

static void commits_down(void *arg, const char *why)
{
	struct dispatcher *d = arg;
	d->fenced = false;
	d->commits_up = false; /* no new plans; live calls go on, their details wait */
	(void)why;	       /* logged by the stream */
}

static void lookups_up(void *arg)
{
	struct dispatcher *d = arg;
	d->lookups_after_mono_us = 0; /* those that failed with the connection may begin at once */
	d->control_wanted = d->sweep_wanted = d->directory_wanted = true;
}

static void lookups_down(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void on_notify(void *arg, const char *channel, const char *payload)
{
	struct dispatcher *d = arg;
	(void)channel;
	(void)payload;
	d->control_wanted = true;
}

/* ---- once a second ---- */

static void database_answered(void *arg, bool ok, const struct err *err)
{
	struct dispatcher *d = arg;
	(void)err;
	d->database_asked = false;
	if (ok)
		atomic_store_explicit(&seg_status(d->seg, NULL)->database_ok_mono_us,
			d->now_mono_us, memory_order_relaxed);
}

/* Is it there? A look-up may take long, which must not look like no answer: while one is under way the commit stream is
 * asked, whose transactions are short. */
static void ask_database(struct dispatcher *d)
{
	bool idle = stream_is_up(d->lookups) && stream_pending(d->lookups) == 0;
	struct stream *stream = idle ? d->lookups : d->commits;
	if (d->database_asked || !stream_is_up(stream))
		return;
	d->database_asked = true;
	stream_end(stream, database_answered, d);
}

static void every_second(struct dispatcher *d)
{
	if (d->now_us < d->next_second_us)
		return;
	d->next_second_us = d->now_us + US_PER_S;
	fence_retry(d);
	ahead_tend(d);
	servers_show(d);
	rates_show_all(d);
	sched_show_gates(d);
	days_turn(d);
	if (!segment_still_named(d->seg))
		d->segment_lost = true;
	hours_turn(d);
	work_wake(d);
	if (directory_is_behind(d))
		d->directory_wanted = true;
	bool is_idle = stream_pending(d->lookups) == 0;
	ask_database(d);
	if (!stream_is_up(d->lookups))
		return;
	if (is_idle) /* a NOTIFY may be lost with its connection: look */
		d->control_wanted = true;
	chores_turn(d);
	used_turn(d);
}

static void beat(struct dispatcher *d)
{
	segment_beat(d->seg, d->now_mono_us);
}

/* ---- the loop ---- */

static int64_t until_wall(const struct dispatcher *d, int64_t at_us)
{
	return at_us == INT64_MAX ? INT64_MAX : MAX(at_us - d->now_us, INT64_C(0));
}

static int64_t until_mono(const struct dispatcher *d, int64_t at_us)
{
	return at_us == INT64_MAX ? INT64_MAX : MAX(at_us - d->now_mono_us, INT64_C(0));
}

static int64_t pause_us(const struct dispatcher *d)
{
	int64_t us = HEARTBEAT_US;
	us = MIN(us, until_wall(d, d->next_second_us));
	us = MIN(us, until_wall(d, d->recovered && !d->stopping ? sched_next_us(d) : INT64_MAX));
	us = MIN(us, until_wall(d, d->recovered && !d->stopping ? redials_next_us(d) : INT64_MAX));
	us = MIN(us, until_wall(d, d->live_n ? d->next_expire_us : INT64_MAX));
	us = MIN(us, until_wall(d, player_next_us(d)));
	us = MIN(us, until_mono(d, servers_deadline_mono_us(d)));
	us = MIN(us, until_mono(d, stream_deadline(d->commits)));
	us = MIN(us, until_mono(d, stream_deadline(d->lookups)));
	return us;
}

static void wait_for_something(struct dispatcher *d)
{
	struct shm_shared *shared = seg_shared(d->seg, NULL);
	bell_arm(shared);
	bool busy = sched_wants_turn(d) || (d->recovered && submit_waiting(d->seg));
	poll_wait(d->poll, busy ? 0 : pause_us(d));
	bell_disarm(shared);
}

/* Every call that is not up has its outcome, and all that ended is stored: nothing will be unknown. Answered calls go on
 * without us. What an absent server or PostgreSQL holds back is left to the next life, which finds it in the segment. */
bool life_is_over(const struct dispatcher *d)
{
	if (d->segment_lost)
		return true;
	if (!d->stopping)
		return false;
	if (d->now_mono_us >= d->stop_by_mono_us || !d->recovered)
		return true;
	for (const struct slot *slot = d->by_entry; slot; slot = slot->hh.next) {
		enum shm_call_state state = slot_state(slot);
		bool heard = slot->server && server_is_up(slot->server);
		bool in_doubt =
			state == CALL_PLANNED || state == CALL_ENDED || (state < CALL_UP && heard);
		if (in_doubt)
			return false;
	}
	return journal_is_idle(d->journal);
}

void life_turn(struct dispatcher *d)
{
	wait_for_something(d); /* reads AMI, commits' answers, notifications: calls move */
	int64_t began = d->now_mono_us;
	recover_step(d);
	submit_drain(d);
	work_sweep(d);
	redials_turn(d);
	if (d->stopping)
		ahead_give_back_all(d);
	sched_pass(d); /* free channels meet waiting entries */
	journal_commit(
		d->journal); /* one transaction; what the last one committed is written below */
	servers_flush(d);
	player_turn(d);
	calls_expire(d);
	servers_tick(d);
	stream_tick(d->commits, d->now_mono_us);
	stream_tick(d->lookups, d->now_mono_us);
	every_second(d);
	(void)audit_step(d);
	beat(d);
	latency_add(d->seg, LATENCY_TURN, clock_mono_us() - began);
}

void life_begin(struct dispatcher *d)
{
	static const struct stream_ops commit_ops = {.up = commits_up, .down = commits_down};
	static const struct stream_ops lookup_ops = {
		.up = lookups_up, .down = lookups_down, .notified = on_notify};

	read_clocks(d);
	d->began_us = d->now_us;
	(void)segment_begin_epoch(d->seg);
	/* A life that ended while it made the slots from the journal has left some of them, or one that is not SENT yet. */
	d->adopted = d->adopted && atomic_load_explicit(&seg_status(d->seg, NULL)->recovered,
					   memory_order_acquire);
	poll_on_wake(d->poll, read_clocks, d);
	d->journal = journal_new(d);
	slots_bind(d);
	work_bind(d);
	d->commits = stream_new(d->poll, d->conf->database_dispatcher_dsn, "ccs-commits", NULL,
		commit_queries, &commit_ops, d);
	d->lookups = stream_new(d->poll, d->conf->database_dispatcher_dsn, "ccs-lookups", "ccs",
		lookup_queries, &lookup_ops, d);
}

void life_stop(struct dispatcher *d)
{
	if (d->stopping) { /* asked twice: at once */
		d->stop_by_mono_us = d->now_mono_us;
		return;
	}
	d->stopping = true;
	d->stop_by_mono_us =
		d->now_mono_us + d->conf->dispatcher_ring_seconds * US_PER_S + STOP_GRACE_US;
}
