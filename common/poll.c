/* epoll behind a table of watches: see poll.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/poll.h"

#include "common/base.h"

enum { TURN_EVENTS = 128 };

struct watch {
	poll_fn *fn; /* NULL: not watched */
	void *arg;
	uint32_t generation; /* tells a reused fd number from the one that was ready */
};

struct poll {
	int epoll_fd;
	struct watch *watches; /* by fd */
	size_t watches_n;
	void (*wake)(void *arg);
	void *wake_arg;
};

struct poll *poll_new(void)
{
	struct poll *poll = calloc(1, sizeof(*poll));
	if (!poll)
		die("memory.exhausted", "bytes=%zu", sizeof(*poll));
	poll->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll->epoll_fd < 0)
		die("poll.failed", "why=%s", log_q(strerror(errno)));
	return poll;
}

void poll_free(struct poll *poll)
{
	if (!poll)
		return;
	close(poll->epoll_fd);
	free(poll->watches);
	free(poll);
}

static void grow(struct poll *poll, size_t need)
{
	size_t n = MAX(poll->watches_n * 2, (size_t)64);
	while (n < need)
		n *= 2;
	struct watch *w = reallocarray(poll->watches, n, sizeof(*w));
	if (!w)
		die("memory.exhausted", "bytes=%zu", n * sizeof(*w));
	memset(w + poll->watches_n, 0, (n - poll->watches_n) * sizeof(*w));
	poll->watches = w;
	poll->watches_n = n;
}

static uint64_t pack(int fd, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint32_t)fd;
}

bool poll_add(struct poll *poll, int fd, uint32_t events, poll_fn *fn, void *arg, struct err *err)
{
	if ((size_t)fd >= poll->watches_n)
		grow(poll, (size_t)fd + 1);
	struct watch *w = &poll->watches[fd];
	w->generation++;
	struct epoll_event ev = {.events = events, .data.u64 = pack(fd, w->generation)};
	if (epoll_ctl(poll->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return fail(
			err, ERR_INTERNAL, "cannot watch descriptor %d: %s", fd, strerror(errno));
	w->fn = fn;
	w->arg = arg;
	return true;
}

void poll_change(struct poll *poll, int fd, uint32_t events)
{
	struct epoll_event ev = {
		.events = events, .data.u64 = pack(fd, poll->watches[fd].generation)};
	if (epoll_ctl(poll->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0)
		die("poll.failed", "fd=%d why=%s", fd, log_q(strerror(errno)));
}

void poll_remove(struct poll *poll, int fd)
{
	(void)epoll_ctl(poll->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	poll->watches[fd].fn = NULL;
}

static int wait_events(struct poll *poll, struct epoll_event *events, int64_t timeout_us)
{
	struct timespec ts = {
		.tv_sec = timeout_us / US_PER_S, .tv_nsec = timeout_us % US_PER_S * 1000};
	int n = epoll_pwait2(
		poll->epoll_fd, events, TURN_EVENTS, timeout_us < 0 ? NULL : &ts, NULL);
	if (n < 0 && errno == ENOSYS)
		n = epoll_wait(poll->epoll_fd, events, TURN_EVENTS,
			timeout_us < 0 ? -1
				       : (int)MIN((timeout_us + 999) / 1000, INT64_C(3600000)));
	return n;
}

void poll_wait(struct poll *poll, int64_t timeout_us)
{
	struct epoll_event events[TURN_EVENTS];
	int n = wait_events(poll, events, timeout_us);
	if (n < 0 && errno != EINTR)
		die("poll.failed", "why=%s", log_q(strerror(errno)));
	if (poll->wake)
		poll->wake(poll->wake_arg);
	for (int i = 0; i < n; i++) {
		int fd = (int)(uint32_t)events[i].data.u64;
		struct watch w = poll->watches[fd];
		if (w.fn && w.generation == (uint32_t)(events[i].data.u64 >> 32))
			w.fn(w.arg, events[i].events);
	}
}

void poll_on_wake(struct poll *poll, void (*fn)(void *arg), void *arg)
{
	poll->wake = fn;
	poll->wake_arg = arg;
}

int poll_signals(const int *signals)
{
	sigset_t set;
	sigemptyset(&set);
	for (const int *s = signals; *s; s++)
		sigaddset(&set, *s);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		die("signals.failed", "why=%s", log_q(strerror(errno)));
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("signals.failed", "why=%s", log_q(strerror(errno)));
	return fd;
}
