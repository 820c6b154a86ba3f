/* Holds the segment and the sockets, respawns the child: see holder.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/poll.h"
#include "dispatcher/holder.h"
#include "dispatcher/holder_link.h"
#include "dispatcher/run.h"
#include "shm/segment.h"

#include "common/base.h"

enum { SHORT_LIFE_S = 10, LONGEST_PAUSE_MS = 2000, FIRST_PAUSE_MS = 50 };

struct kept {
	uint64_t server_id;
	int fd;
};

struct holder {
	const struct conf *conf;
	struct segment seg;
	bool adopted;
	struct poll *poll;
	int signal_fd;
	int link_fd; /* -1: no child */
	pid_t child;
	int64_t born_mono_us;
	int64_t pause_ms;
	bool stopping;
	struct kept *kept;
	size_t kept_n;
};

/* ---- descriptors ---- */

static void forget(struct holder *h, uint64_t server_id)
{
	for (size_t i = 0; i < h->kept_n; i++) {
		if (h->kept[i].server_id != server_id)
			continue;
		close(h->kept[i].fd);
		h->kept[i] = h->kept[--h->kept_n];
		return;
	}
}

static void forget_all(struct holder *h)
{
	while (h->kept_n)
		forget(h, h->kept[0].server_id);
}

static void keep(struct holder *h, uint64_t server_id, int fd)
{
	forget(h, server_id);
	struct kept *kept = reallocarray(h->kept, h->kept_n + 1, sizeof(*kept));
	if (!kept)
		die("memory.exhausted", "kept=%zu", h->kept_n);
	h->kept = kept;
	h->kept[h->kept_n++] = (struct kept){server_id, fd};
}

static void on_link(void *arg, uint32_t events)
{
	struct holder *h = arg;
	struct holder_message message;
	int fd;
	(void)events;
	while (h->link_fd >= 0) {
		if (!holder_receive(h->link_fd, &message, &fd)) {
			if (errno == EAGAIN)
				return;
			poll_remove(h->poll,
				h->link_fd); /* the child is ending: SIGCHLD tells the rest */
			close(h->link_fd);
			h->link_fd = -1;
			return;
		}
		if (message.word == HOLD_KEEP && fd >= 0)
			keep(h, message.server_id, fd);
		else if (message.word == HOLD_DROP)
			forget(h, message.server_id);
	}
}

static void give_all(struct holder *h)
{
	for (size_t i = 0; i < h->kept_n; i++) {
		struct holder_message given = {
			.word = HOLD_GIVEN, .server_id = h->kept[i].server_id};
		if (!holder_send(h->link_fd, &given, h->kept[i].fd))
			log_warn("holder.not_given", "server_id=%llu",
				(unsigned long long)given.server_id);
	}
	struct holder_message all = {.word = HOLD_ALL};
	if (!holder_send(h->link_fd, &all, -1))
		log_warn("holder.not_given", "why=%s", log_q(strerror(errno)));
}

/* ---- the child ---- */

static void child_main(struct holder *h, int link_fd, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* two dispatchers must never live side by side */
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	close(h->signal_fd);
	forget_all(h);
	poll_free(h->poll);
	_exit(dispatcher_run(h->conf, &h->seg, h->adopted, link_fd));
}

static void spawn(struct holder *h)
{
	int pair[2];
	struct err err;
	pid_t self = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		die("holder.spawn", "why=%s", log_q(strerror(errno)));
	h->born_mono_us = clock_mono_us();
	h->child = fork();
	if (h->child < 0)
		die("holder.spawn", "why=%s", log_q(strerror(errno)));
	if (h->child == 0) {
		close(pair[0]);
		child_main(h, pair[1], self);
	}
	close(pair[1]);
	h->link_fd = pair[0];
	give_all(h);
	if (fcntl(h->link_fd, F_SETFL, O_NONBLOCK) < 0 ||
		!poll_add(h->poll, h->link_fd, EPOLLIN, on_link, h, &err))
		die("holder.spawn", "why=%s", log_q(strerror(errno)));
	atomic_store_explicit(
		&seg_status(&h->seg, NULL)->child_pid, (uint32_t)h->child, memory_order_relaxed);
	log_info("holder.spawned", "child=%d kept=%zu adopted=%d", (int)h->child, h->kept_n,
		h->adopted);
}

static void describe_death(const struct holder *h, int status)
{
	pid_t pid = h->child;
	if (WIFSIGNALED(status))
		log_error("child.killed", "child=%d signal=%d name=%s", (int)pid, WTERMSIG(status),
			log_q(strsignal(WTERMSIG(status))));
	else
		log_line(h->stopping && WEXITSTATUS(status) == EX_OK ? LOG_INFO : LOG_WARN,
			"child.ended", "child=%d status=%d", (int)pid, WEXITSTATUS(status));
}

static bool make_segment(struct holder *h, struct err *err)
{
	if (!segment_init(&h->seg, h->conf->common_node, err) ||
		!segment_create_or_adopt(&h->seg, h->conf, &h->adopted, err))
		return false;
	atomic_store_explicit(
		&seg_status(&h->seg, NULL)->holder_pid, (uint32_t)getpid(), memory_order_relaxed);
	return true;
}

/* Somebody removed the segment's names: nobody new can find it. A fresh one is rebuilt from PostgreSQL; the calls that
 * the old one knew are found again by asking their servers, over new connections. */
static void replace_segment(struct holder *h)
{
	struct err err;
	forget_all(h);
	segment_close(&h->seg);
	if (!make_segment(h, &err))
		die("segment.replace", "why=%s", log_q(err.text));
	log_warn("segment.replaced", "node=%s", h->conf->common_node);
}

/* At once after a long life, later and later after short ones. */
static void pause_before_respawn(struct holder *h)
{
	if (clock_mono_us() - h->born_mono_us > SHORT_LIFE_S * US_PER_S) {
		h->pause_ms = 0;
		return;
	}
	struct timespec ts = {h->pause_ms / 1000, h->pause_ms % 1000 * 1000000};
	h->pause_ms = MIN(MAX(h->pause_ms * 2, (int64_t)FIRST_PAUSE_MS), (int64_t)LONGEST_PAUSE_MS);
	(void)nanosleep(&ts, NULL);
}

static void bury(struct holder *h, int status)
{
	bool segment_lost = WIFEXITED(status) && WEXITSTATUS(status) == DISPATCHER_SEGMENT_LOST;
	describe_death(h, status);
	if (h->link_fd >= 0) {
		on_link(h, 0); /* what it had still said */
		if (h->link_fd >= 0) {
			poll_remove(h->poll, h->link_fd);
			close(h->link_fd);
			h->link_fd = -1;
		}
	}
	h->child = 0;
	if (h->stopping)
		return;
	h->adopted = true;
	if (segment_lost)
		replace_segment(h);
	else
		atomic_fetch_add_explicit(
			&seg_status(&h->seg, NULL)->respawns, 1, memory_order_relaxed);
	pause_before_respawn(h);
	spawn(h);
}

static void on_signal(void *arg, uint32_t events)
{
	struct holder *h = arg;
	struct signalfd_siginfo info;
	(void)events;
	while (read(h->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
			h->stopping = true;
			if (h->child)
				(void)kill(h->child, SIGTERM);
		} else if (info.ssi_signo == SIGHUP && h->child) {
			(void)kill(h->child, SIGHUP);
		}
	}
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == h->child)
			bury(h, status);
}

int holder_run(const struct conf *conf)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};
	struct holder h = {.conf = conf, .link_fd = -1};
	struct err err;

	h.signal_fd = poll_signals(signals);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!make_segment(&h, &err)) {
		log_error("segment.unusable", "why=%s", log_q(err.text));
		return EX_TEMPFAIL;
	}
	h.poll = poll_new();
	if (!poll_add(h.poll, h.signal_fd, EPOLLIN, on_signal, &h, &err))
		die("holder.signals", "why=%s", log_q(err.text));
	log_info("holder.start", "node=%s adopted=%d", conf->common_node, h.adopted);
	spawn(&h);
	while (h.child)
		poll_wait(h.poll, -1);
	forget_all(&h);
	free(h.kept);
	poll_free(h.poll);
	segment_close(&h.seg);
	log_info("holder.stop", "node=%s", conf->common_node);
	return EX_OK;
}
