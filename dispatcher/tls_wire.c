/* The process that speaks TLS: see tls_wire.h. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "dispatcher/tls_pipe.h"
#include "dispatcher/tls_wire.h"

#include "common/base.h"

enum { ACCEPTS_PER_TURN = 64 };
static const int64_t STOP_LIMIT_US = 3 * US_PER_S;

struct wire {
	struct tls_world world;
	struct tls_pipe *pipes;
	int listener, signal_fd;
	bool deaf; /* no descriptor was left to accept one more */
	bool stopping;
	int64_t stop_by_us;
};

static void on_asked(void *arg, uint32_t events)
{
	struct wire *wire = arg;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(wire->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
			log_error("tls.full", "why=%s do=\"raise the limit of open files\"",
				log_q(strerror(errno)));
			poll_remove(wire->world.poll, wire->listener);
			wire->deaf = true;
		}
		if (fd < 0)
			return;
		struct tls_pipe *pipe = tls_pipe_new(&wire->world, fd);
		DL_APPEND(wire->pipes, pipe);
	}
}

static void listen_again(struct wire *wire)
{
	struct err err;
	if (!poll_add(wire->world.poll, wire->listener, EPOLLIN, on_asked, wire, &err))
		die("tls.poll", "why=%s", log_q(err.text));
	wire->deaf = false;
}

static void on_signal(void *arg, uint32_t events)
{
	struct wire *wire = arg;
	struct signalfd_siginfo info;
	(void)events;
	while (read(wire->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (wire->stopping)
			continue;
		if (!wire->deaf)
			poll_remove(wire->world.poll, wire->listener);
		wire->stopping = true;
		wire->stop_by_us = clock_mono_us() + STOP_LIMIT_US;
	}
}

/* Ends what is late and frees what has ended; only when something of that is due. */
static void tend(struct wire *wire)
{
	int64_t now_us = clock_mono_us();
	struct tls_pipe *pipe, *next;

	if (now_us < wire->world.soonest_us)
		return;
	wire->world.soonest_us = INT64_MAX;
	DL_FOREACH_SAFE (wire->pipes, pipe, next) {
		if (now_us < pipe->deadline_us) {
			wire->world.soonest_us = MIN(wire->world.soonest_us, pipe->deadline_us);
			continue;
		}
		tls_pipe_late(pipe);
		DL_DELETE(wire->pipes, pipe);
		tls_pipe_free(pipe);
		if (wire->deaf && !wire->stopping)
			listen_again(wire);
	}
}

static int64_t pause_us(const struct wire *wire)
{
	int64_t until_us = wire->world.soonest_us;
	if (wire->stopping)
		until_us = MIN(until_us, wire->stop_by_us);
	return until_us == INT64_MAX ? -1 : MAX(until_us - clock_mono_us(), INT64_C(0));
}

static bool is_done(const struct wire *wire)
{
	return wire->stopping && (!wire->pipes || clock_mono_us() >= wire->stop_by_us);
}

int tls_wire_run(int listener)
{
	static const int signals[] = {SIGTERM, 0};
	struct wire wire = {
		.world = {.poll = poll_new(), .context = tls_context(), .soonest_us = INT64_MAX},
		.listener = listener,
		.signal_fd = poll_signals(signals)};
	struct err err;
	struct tls_pipe *pipe, *next;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!poll_add(wire.world.poll, wire.signal_fd, EPOLLIN, on_signal, &wire, &err))
		die("tls.poll", "why=%s", log_q(err.text));
	listen_again(&wire);
	log_info("tls.start", "openssl=%s", log_q(OpenSSL_version(OPENSSL_VERSION_STRING)));
	while (!is_done(&wire)) {
		poll_wait(wire.world.poll, pause_us(&wire));
		tend(&wire);
	}
	DL_FOREACH_SAFE (wire.pipes, pipe, next)
		tls_pipe_free(pipe);
	SSL_CTX_free(wire.world.context);
	poll_free(wire.world.poll);
	close(wire.signal_fd);
	log_info("tls.stop", "pid=%d", (int)getpid());
	return EX_OK;
}
