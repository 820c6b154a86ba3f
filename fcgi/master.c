/* Supervision of workers: see master.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/poll.h"
#include "fcgi/listen.h"
#include "fcgi/master.h"
#include "fcgi/worker.h"
#include "registry/number.h"

#include "common/base.h"

enum {
	CHILDREN_MAX = 1152, /* pools of 256, 256 and 64, twice while rolling */
	SQL_PER_CORE = 4,
	SHORT_LIFE_S = 10,	/* a death within it looks like a fault that comes again */
	FREE_RESPAWNS = 5,	/* so many short lives in a row are replaced at once */
	RESPAWN_FIRST_MS = 100, /* then after this pause, doubled each time */
	RESPAWN_MAX_MS = 5000,
	STOP_WITHIN_S = 30, /* twice the longest statement */
};

struct child {
	pid_t pid; /* 0: no child */
	enum pool pool;
	uint32_t roll; /* of the configuration that it runs with */
	bool leaving;  /* was told to */
	int64_t started_us;
};

struct pool_state {
	bool runs;
	struct listener listener;
	int short_lives;    /* in a row */
	int64_t not_before; /* next fork, monotonic */
};

struct master {
	const struct master_options *options;
	struct conf conf;
	struct pool_state pools[POOL__N];
	struct child children[CHILDREN_MAX];
	struct poll *poll;
	int signal_fd;
	uint32_t roll;
	bool stopping, roll_wanted;
	int64_t kill_at; /* while stopping */
};

static int cores(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof(set), &set) == 0 ? MAX(CPU_COUNT(&set), 1) : 1;
}

static int workers_wanted(const struct conf *conf, enum pool pool)
{
	const int64_t configured[POOL__N] = {[POOL_FAST] = conf->api_fast_workers,
		[POOL_SQL] = conf->api_sql_workers,
		[POOL_LOGIN] = conf->api_login_workers};
	if (configured[pool] > 0)
		return (int)configured[pool];
	int n = pool == POOL_FAST ? cores() : cores() * SQL_PER_CORE;
	return MIN(n, 256);
}

/* ---- one worker's start and end ---- */

/* In the child: forget the master. Its death is our SIGTERM. */
static int be_worker(struct master *master, enum pool pool, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		return EXIT_FAILURE;
	poll_free(master->poll);
	close(master->signal_fd);
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs && p != pool)
			close(master->pools[p].listener.fd);
	return worker_run(&master->conf, pool, master->pools[pool].listener.fd);
}

static struct child *free_place(struct master *master)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (master->children[i].pid == 0)
			return &master->children[i];
	return NULL;
}

static void spawn(struct master *master, enum pool pool)
{
	struct child *child = free_place(master);
	pid_t parent = getpid();
	if (!child)
		return;
	pid_t pid = fork();
	if (pid == 0)
		exit(be_worker(master, pool, parent));
	if (pid < 0) {
		log_error("api.fork_failed", "pool=%s why=%s", pool_name(pool),
			log_q(strerror(errno)));
		master->pools[pool].not_before = clock_mono_us() + US_PER_S;
		return;
	}
	*child = (struct child){
		.pid = pid, .pool = pool, .roll = master->roll, .started_us = clock_mono_us()};
}

/* How long the next fork waits after an unasked death. */
static int64_t pause_ms(int short_lives)
{
	int more = short_lives - FREE_RESPAWNS;
	if (more <= 0)
		return 0;
	return MIN((int64_t)RESPAWN_FIRST_MS << MIN(more - 1, 16), (int64_t)RESPAWN_MAX_MS);
}

static void bury(struct master *master, struct child *child, int status)
{
	struct pool_state *pool = &master->pools[child->pool];
	int64_t now = clock_mono_us(), lived_us = now - child->started_us;
	bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (!in_order) {
		pool->short_lives = lived_us < SHORT_LIFE_S * US_PER_S ? pool->short_lives + 1 : 0;
		int64_t wait_ms = pause_ms(pool->short_lives);
		pool->not_before = now + wait_ms * US_PER_MS;
		log_error("api.worker_died",
			"pool=%s worker=%d how=%s code=%d lived_ms=%lld respawn_in_ms=%lld",
			pool_name(child->pool), (int)child->pid,
			WIFSIGNALED(status) ? "signal" : "exit",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
			(long long)(lived_us / US_PER_MS), (long long)wait_ms);
	} else {
		log_debug("api.worker_left", "pool=%s worker=%d", pool_name(child->pool),
			(int)child->pid);
	}
	child->pid = 0;
}

static void reap(struct master *master)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < CHILDREN_MAX; i++)
			if (master->children[i].pid == pid)
				bury(master, &master->children[i], status);
}

/* ---- all of them ---- */

static int living(const struct master *master)
{
	int n = 0;
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		n += master->children[i].pid != 0;
	return n;
}

static int current(const struct master *master, enum pool pool)
{
	int n = 0;
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		const struct child *c = &master->children[i];
		n += c->pid != 0 && c->pool == pool && c->roll == master->roll && !c->leaving;
	}
	return n;
}

static void spawn_missing(struct master *master)
{
	for (enum pool p = 0; p < POOL__N; p++) {
		if (!master->pools[p].runs || master->pools[p].not_before > clock_mono_us())
			continue;
		int missing = workers_wanted(&master->conf, p) - current(master, p);
		while (missing-- > 0)
			spawn(master, p);
	}
}

/* Those of an earlier roll, or all. */
static void tell_to_leave(struct master *master, bool all)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++) {
		struct child *c = &master->children[i];
		if (c->pid == 0 || c->leaving || (!all && c->roll == master->roll))
			continue;
		c->leaving = true;
		(void)kill(c->pid, SIGTERM);
	}
}

static void roll(struct master *master)
{
	struct conf conf;
	struct err err;

	master->roll_wanted = false;
	if (!conf_load(&conf, master->options->conf_path, &err)) {
		log_error("api.reload_refused", "why=%s do=%s", log_q(err.text),
			log_q("the old configuration stays; correct the file and send SIGHUP "
			      "again"));
		return;
	}
	master->conf = conf;
	master->roll++;
	for (enum pool p = 0; p < POOL__N; p++)
		master->pools[p].not_before = 0;
	spawn_missing(master);
	tell_to_leave(master, false);
	log_info("api.rolled", "roll=%u", master->roll);
}

static void start_stopping(struct master *master)
{
	master->kill_at = clock_mono_us() + STOP_WITHIN_S * US_PER_S;
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs)
			listener_hide(&master->pools[p].listener);
	tell_to_leave(master, true);
	log_info("api.stopping", "workers=%d", living(master));
}

static void kill_late(struct master *master)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (master->children[i].pid)
			(void)kill(master->children[i].pid, SIGKILL);
	log_error("api.stop_forced", "workers=%d", living(master));
	master->kill_at += STOP_WITHIN_S * US_PER_S;
}

/* ---- the loop ---- */

static void on_signal(void *arg, uint32_t events)
{
	struct master *master = arg;
	struct signalfd_siginfo info;
	(void)events;
	while (read(master->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			master->roll_wanted = true;
		else if (info.ssi_signo != SIGCHLD)
			master->stopping = true;
	}
}

/* The next moment at which something is due without a signal; negative = none. */
static int64_t next_due_us(const struct master *master)
{
	int64_t now = clock_mono_us(), due = INT64_MAX;
	if (master->kill_at)
		return MAX(master->kill_at - now, 0);
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs && master->pools[p].not_before > now)
			due = MIN(due, master->pools[p].not_before - now);
	return due == INT64_MAX ? -1 : due;
}

static bool open_pools(struct master *master, struct err *err)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};

	master->poll = poll_new();
	master->signal_fd = poll_signals(signals);
	for (enum pool p = 0; p < POOL__N; p++) {
		master->pools[p].runs = master->options->runs[p];
		if (master->pools[p].runs && !listener_open(&master->pools[p].listener,
						     master->conf.common_run_dir, p, err))
			return false;
	}
	return poll_add(master->poll, master->signal_fd, EPOLLIN, on_signal, master, err);
}

static void supervise(struct master *master)
{
	while (!master->stopping) {
		spawn_missing(master);
		poll_wait(master->poll, next_due_us(master));
		reap(master);
		if (master->roll_wanted)
			roll(master);
	}
	start_stopping(master);
	while (living(master) > 0) {
		poll_wait(master->poll, next_due_us(master));
		reap(master);
		if (clock_mono_us() >= master->kill_at)
			kill_late(master);
	}
}

int master_run(const struct master_options *options, const struct conf *conf)
{
	static struct master master; /* 40 KB; shared with every worker by copy on write */
	struct err err;

	master.options = options;
	master.conf = *conf;
	if (!open_pools(&master, &err)) {
		log_error("api.start_refused", "why=%s", log_q(err.text));
		return EXIT_FAILURE;
	}
	if (options->runs[POOL_SQL])
		number_plan_load();
	log_info("api.started", "version=%s node=%s run_dir=%s", CCS_VERSION, conf->common_node,
		conf->common_run_dir);
	supervise(&master);
	log_info("api.stopped", "version=%s", CCS_VERSION);
	return EXIT_SUCCESS;
}
