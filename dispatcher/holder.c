/* Holds the segment and the sockets, respawns the child: see holder.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
#include "dispatcher/takeover.h"
#include "dispatcher/tls_link.h"
#include "dispatcher/tls_wire.h"
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
	int tls_fd; /* where connections over TLS are asked for */
	pid_t wire; /* who answers there; 0: nobody yet */
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

/* ---- the TLS wire ---- */

static void wire_main(struct holder *h, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	prctl(PR_SET_NAME, "ccs-tls-wire");
	segment_close(&h->seg);
	/* Nothing else of ours: no AMI socket may live on because the wire does. */
	if (dup2(h->tls_fd, STDERR_FILENO + 1) < 0)
		_exit(EX_OSERR);
	(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	_exit(tls_wire_run(STDERR_FILENO + 1));
}

static void on_tls_wanted(void *arg, uint32_t events);

static void await_tls(struct holder *h)
{
	struct err err;
	if (!poll_add(h->poll, h->tls_fd, EPOLLIN, on_tls_wanted, h, &err))
		die("holder.spawn", "why=%s", log_q(err.text));
}

/* What went wrong may go wrong again at once. */
static void await_tls_after_a_moment(struct holder *h)
{
	static const struct timespec moment = {.tv_nsec = FIRST_PAUSE_MS * 1000000L};
	(void)nanosleep(&moment, NULL);
	await_tls(h);
}

/* Somebody asks: the first one who needs TLS, or the first since the last wire has died. */
static void on_tls_wanted(void *arg, uint32_t events)
{
	struct holder *h = arg;
	pid_t self = getpid();
	pid_t wire = fork();
	(void)events;
	if (wire == 0)
		wire_main(h, self);
	poll_remove(h->poll, h->tls_fd);
	if (wire < 0) {
		log_error("holder.no_wire", "why=%s", log_q(strerror(errno)));
		await_tls_after_a_moment(h);
		return;
	}
	h->wire = wire;
	log_info("holder.wire", "wire=%d", (int)h->wire);
}

/* ---- the child ---- */

static void child_main(struct holder *h, int link_fd, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* two dispatchers must never live side by side */
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	close(h->signal_fd);
	close(h->tls_fd);
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

static void describe_death(const struct holder *h, const char *who, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_error("child.killed", "%s=%d signal=%d name=%s", who, (int)pid,
			WTERMSIG(status), log_q(strsignal(WTERMSIG(status))));
	else
		log_line(h->stopping && WEXITSTATUS(status) == EX_OK ? LOG_INFO : LOG_WARN,
			"child.ended", "%s=%d status=%d", who, (int)pid, WEXITSTATUS(status));
}

static bool make_segment(struct holder *h, struct err *err)
{
	if (!segment_init(&h->seg, h->conf->common_node, err) ||
		!takeover(&h->seg, h->conf, TAKEOVER_LONGEST_MS, &h->adopted, err))
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
	describe_death(h, "child", h->child, status);
	if (h->link_fd >= 0) {
		on_link(h, 0); /* what it had still said */
		if (h->link_fd >= 0) {
			poll_remove(h->poll, h->link_fd);
			close(h->link_fd);
			h->link_fd = -1;
		}
	}
	h->child = 0;
	if (h->stopping) {
		forget_all(h);
		if (h->wire) /* it passes on what the child has written last */
			(void)kill(h->wire, SIGTERM);
		return;
	}
	h->adopted = true;
	if (segment_lost)
		replace_segment(h);
	else
		atomic_fetch_add_explicit(
			&seg_status(&h->seg, NULL)->respawns, 1, memory_order_relaxed);
	pause_before_respawn(h);
	spawn(h);
}

/* The next one comes when it is needed. */
static void bury_wire(struct holder *h, int status)
{
	describe_death(h, "wire", h->wire, status);
	h->wire = 0;
	if (!h->stopping)
		await_tls_after_a_moment(h);
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
		else if (pid == h->wire)
			bury_wire(h, status);
}

/* Each Asterisk server takes a descriptor here, another in the child, two in the wire. */
static void allow_descriptors(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int holder_run(const struct conf *conf)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0};
	struct holder h = {.conf = conf, .link_fd = -1};
	struct err err;

	h.signal_fd = poll_signals(signals);
	(void)signal(SIGPIPE, SIG_IGN);
	allow_descriptors();
	if (!make_segment(&h, &err)) {
		log_error("segment.unusable", "why=%s", log_q(err.text));
		return EX_TEMPFAIL;
	}
	if (!tls_listen(conf->common_run_dir, &h.tls_fd, &err)) {
		log_error("dispatcher.refused", "why=%s", log_q(err.text));
		return EX_CONFIG;
	}
	h.poll = poll_new();
	if (!poll_add(h.poll, h.signal_fd, EPOLLIN, on_signal, &h, &err))
		die("holder.signals", "why=%s", log_q(err.text));
	await_tls(&h);
	log_info("holder.start", "node=%s adopted=%d", conf->common_node, h.adopted);
	spawn(&h);
	while (h.child || h.wire)
		poll_wait(h.poll, -1);
	tls_unlisten(conf->common_run_dir);
	forget_all(&h);
	free(h.kept);
	poll_free(h.poll);
	segment_close(&h.seg);
	log_info("holder.stop", "node=%s", conf->common_node);
	return EX_OK;
}
