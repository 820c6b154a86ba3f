/* Supervision of workers: see master.h. */
#include <errno.h>
#include <fcntl.h>
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
#include "fcgi/crew.h"
#include "fcgi/listen.h"
#include "fcgi/master.h"
#include "fcgi/worker.h"
#include "registry/number.h"

#include "common/base.h"

enum {
	SHORT_LIFE_S = 10,	/* a death within it looks like a fault that comes again */
	FREE_RESPAWNS = 5,	/* so many short lives in a row are replaced at once */
	RESPAWN_FIRST_MS = 100, /* then after this pause, doubled each time */
	RESPAWN_MAX_MS = 5000,
	LEAVE_WITHIN_S = 30, /* twice the longest statement; nginx waits no longer either */
};

struct pool_state {
	bool runs;
	struct listener listener;
	struct handover handover; /* if it keeps connections */
	int wanted;
	int short_lives;    /* in a row */
	int64_t not_before; /* next fork, monotonic */
};

struct master {
	const struct master_options *options;
	struct conf conf;
	struct pool_state pools[POOL__N];
	struct crew crew;
	struct poll *poll;
	int signal_fd;
	int ready[2]; /* pipe: the pids of workers that take connections */
	bool stopping, roll_wanted, resize_wanted;
};

/* ---- one worker's start and end ---- */

/* In the child: forget the master. Its death is our SIGTERM. */
static int be_worker(struct master *master, enum pool pool, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
		return EXIT_FAILURE;
	poll_free(master->poll);
	close(master->signal_fd);
	close(master->ready[0]);
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs && p != pool)
			close(master->pools[p].listener.fd);
	const struct worker_place place = {.pool = pool,
		.listen_fd = master->pools[pool].listener.fd,
		.handover = master->pools[pool].handover,
		.ready_fd = master->ready[1]};
	return worker_run(&master->conf, &place);
}

/* False when no process can be made now. */
static bool spawn(struct master *master, enum pool pool)
{
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		exit(be_worker(master, pool, parent));
	if (pid > 0)
		return crew_join(&master->crew, pid, pool, clock_mono_us());
	log_error("api.fork_failed", "pool=%s why=%s", pool_name(pool), log_q(strerror(errno)));
	master->pools[pool].not_before = clock_mono_us() + US_PER_S;
	return false;
}

/* How long the next fork waits after an unasked death. */
static int64_t pause_ms(int short_lives)
{
	int more = short_lives - FREE_RESPAWNS;
	if (more <= 0)
		return 0;
	return MIN((int64_t)RESPAWN_FIRST_MS << MIN(more - 1, 16), (int64_t)RESPAWN_MAX_MS);
}

static void bury(struct master *master, struct member *child, int status)
{
	struct pool_state *pool = &master->pools[child->pool];
	int64_t now = clock_mono_us(), lived_us = now - child->since_us;
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
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct member *child = crew_find(&master->crew, pid);
		if (child)
			bury(master, child, status);
	}
}

/* ---- all of them ---- */

static void tell_to_leave(struct member *child, int signal)
{
	child->leaving = true;
	child->kill_at_us = clock_mono_us() + LEAVE_WITHIN_S * US_PER_S;
	(void)kill(child->pid, signal);
}

/* Whoever leaves has its slot until it is gone, so those who come wait when all are taken. */
static void man(struct master *master, enum pool pool)
{
	struct pool_state *state = &master->pools[pool];
	struct crew_need need = crew_need(&master->crew, pool, state->wanted);

	while (need.missing > 0 && state->not_before <= clock_mono_us() &&
		crew_size(&master->crew) < master->conf.segment_worker_slots && spawn(master, pool))
		need.missing--;
	for (; need.old > 0; need.old--)
		tell_to_leave(crew_eldest(&master->crew, pool, false), SIGUSR1);
	for (; need.surplus > 0; need.surplus--)
		tell_to_leave(crew_eldest(&master->crew, pool, true), SIGUSR1);
}

static void man_all(struct master *master)
{
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs)
			man(master, p);
}

static void kill_late(struct master *master)
{
	int64_t now = clock_mono_us();
	for (size_t i = 0; i < CREW_MAX; i++) {
		struct member *child = &master->crew.member[i];
		if (child->pid == 0 || !child->leaving || now < child->kill_at_us)
			continue;
		log_error("api.leave_forced", "pool=%s worker=%d", pool_name(child->pool),
			(int)child->pid);
		child->kill_at_us = now + LEAVE_WITHIN_S * US_PER_S;
		(void)kill(child->pid, SIGKILL);
	}
}

/* ---- the numbers, the configuration ---- */

/* Sets how many workers the pools shall have. */
static bool take_numbers(struct master *master, const struct conf *conf, struct err *err)
{
	int numbers[POOL__N];

	if (!pool_numbers_wished(numbers, conf, err))
		return false;
	for (enum pool p = 0; p < POOL__N; p++) {
		master->pools[p].wanted = numbers[p];
		master->pools[p].not_before = 0;
	}
	return true;
}

static void say_numbers(const struct master *master, const char *at)
{
	log_info(at, "roll=%u fast=%d sql=%d call=%d login=%d admin=%d", master->crew.roll,
		master->pools[POOL_FAST].wanted, master->pools[POOL_SQL].wanted,
		master->pools[POOL_CALL].wanted, master->pools[POOL_LOGIN].wanted,
		master->pools[POOL_ADMIN].wanted);
}

static void roll(struct master *master)
{
	struct conf conf;
	struct err err;

	if (!conf_load(&conf, master->options->conf_path, &err) ||
		!take_numbers(master, &conf, &err)) {
		log_error("api.reload_refused", "why=%s do=%s", log_q(err.text),
			log_q("the old configuration stays; correct the file and send SIGHUP "
			      "again"));
		return;
	}
	master->conf = conf;
	master->crew.roll++;
	say_numbers(master, "api.rolled");
}

static void resize(struct master *master)
{
	struct err err;
	if (take_numbers(master, &master->conf, &err))
		say_numbers(master, "api.resized");
	else
		log_error("api.resize_refused", "why=%s", log_q(err.text));
}

static void start_stopping(struct master *master)
{
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs)
			listener_hide(&master->pools[p].listener);
	for (size_t i = 0; i < CREW_MAX; i++)
		if (master->crew.member[i].pid)
			tell_to_leave(&master->crew.member[i], SIGTERM);
	log_info("api.stopping", "workers=%d", crew_size(&master->crew));
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
		else if (info.ssi_signo == SIGUSR1)
			master->resize_wanted = true;
		else if (info.ssi_signo != SIGCHLD)
			master->stopping = true;
	}
}

static void on_ready(void *arg, uint32_t events)
{
	struct master *master = arg;
	pid_t pid;
	(void)events;
	while (read(master->ready[0], &pid, sizeof(pid)) == sizeof(pid)) {
		struct member *child = crew_find(&master->crew, pid);
		if (child)
			child->ready = true;
	}
}

/* The next moment at which something is due without a signal; negative = none. */
static int64_t next_due_us(const struct master *master)
{
	int64_t now = clock_mono_us(), due = INT64_MAX;
	for (size_t i = 0; i < CREW_MAX; i++)
		if (master->crew.member[i].pid && master->crew.member[i].leaving)
			due = MIN(due, master->crew.member[i].kill_at_us);
	for (enum pool p = 0; p < POOL__N; p++)
		if (master->pools[p].runs && master->pools[p].not_before > now)
			due = MIN(due, master->pools[p].not_before);
	return due == INT64_MAX ? -1 : MAX(due - now, 0);
}

static bool open_pools(struct master *master, struct err *err)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, 0};

	master->poll = poll_new();
	master->signal_fd = poll_signals(signals);
	if (!take_numbers(master, &master->conf, err))
		return false;
	if (pipe2(master->ready, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(err, ERR_INTERNAL, "cannot make a pipe: %s", strerror(errno));
	for (enum pool p = 0; p < POOL__N; p++) {
		struct pool_state *pool = &master->pools[p];
		pool->runs = master->options->runs[p];
		if (!pool->runs)
			continue;
		if (!listener_open(&pool->listener, master->conf.common_run_dir, p, err) ||
			(pool_keeps(p) && !handover_open(&pool->handover, err)))
			return false;
	}
	return poll_add(master->poll, master->signal_fd, EPOLLIN, on_signal, master, err) &&
	       poll_add(master->poll, master->ready[0], EPOLLIN, on_ready, master, err);
}

static void turn(struct master *master)
{
	poll_wait(master->poll, next_due_us(master));
	reap(master);
	kill_late(master);
}

static void supervise(struct master *master)
{
	while (!master->stopping) {
		man_all(master);
		turn(master);
		if (master->roll_wanted)
			roll(master);
		else if (master->resize_wanted)
			resize(master);
		master->roll_wanted = master->resize_wanted = false;
	}
	start_stopping(master);
	while (crew_size(&master->crew) > 0)
		turn(master);
}

int master_run(const struct master_options *options, const struct conf *conf)
{
	static struct master master; /* 60 KB; shared with every worker by copy on write */
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
