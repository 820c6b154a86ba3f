/* The loop of a worker: see worker.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/poll.h"
#include "fcgi/serve.h"
#include "fcgi/worker.h"

#include "common/base.h"

enum { LEAVE_WITHIN_S = 5 };

struct worker;

struct conn {
	FCGX_Request fcgx;
	struct worker *worker;
	int fd;
	bool is_parked;
	struct parked parked;
	struct conn *prev, *next;
};

struct worker {
	struct app app;
	struct reply reply;
	struct poll *poll;
	int listen_fd;
	int signal_fd;
	bool leaving;
	bool worked;	    /* in this turn */
	int64_t left;	    /* requests until a new process takes our place */
	struct conn *conns; /* fast: all that are open */
	struct park park;   /* fast: those that wait for the end of a call */
};

/* The answer is written: sends it. False when the connection is gone after it. */
static bool finish(struct worker *worker, FCGX_Request *fcgx)
{
	FCGX_Finish_r(fcgx);
	if (--worker->left <= 0)
		worker->leaving = true;
	return fcgx->ipcFd >= 0;
}

static void park_conn(struct worker *worker, struct conn *conn)
{
	conn->parked = worker->reply.parked;
	conn->is_parked = !worker->leaving && park_add(&worker->park, worker->app.segment,
						      &conn->parked, clock_mono_us());
}

/* Reads one request and answers it, or, of a kept connection, lets it wait. False when the connection
 * is gone after it. */
static bool answer_one(struct worker *worker, FCGX_Request *fcgx, struct conn *conn)
{
	worker->worked = true;
	if (!fcgx_accept(fcgx))
		return false;
	if (!serve(&worker->app, fcgx, &worker->reply)) {
		if (conn)
			park_conn(worker, conn);
		if (conn && conn->is_parked)
			return true;
		serve_parked(fcgx);
	}
	return finish(worker, fcgx);
}

static void conn_close(struct conn *conn)
{
	if (conn->is_parked)
		park_remove(&conn->worker->park, &conn->parked);
	poll_remove(conn->worker->poll, conn->fd);
	DL_DELETE(conn->worker->conns, conn);
	FCGX_Free(&conn->fcgx, 1);
	free(conn);
}

/* nginx sends nothing while it waits for an answer, but hangs up when its client does. */
static void on_conn(void *arg, uint32_t events)
{
	struct conn *conn = arg;
	bool gone = events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) || conn->is_parked;
	if (gone || !answer_one(conn->worker, &conn->fcgx, conn))
		conn_close(conn);
}

static void unpark(struct conn *conn)
{
	park_remove(&conn->worker->park, &conn->parked);
	conn->is_parked = false;
	serve_parked(&conn->fcgx);
	if (!finish(conn->worker, &conn->fcgx))
		conn_close(conn);
}

/* Those whose call is over, or all. */
static void unpark_conns(struct worker *worker, bool all)
{
	struct conn *conn, *next;
	DL_FOREACH_SAFE (worker->conns, conn, next)
		if (conn->is_parked && (all || conn->parked.over))
			unpark(conn);
}

static void look_at_parked(struct worker *worker)
{
	if (worker->park.n == 0)
		return;
	(void)segment_check(worker->app.segment);
	if (park_look(&worker->park, worker->app.segment, clock_mono_us()))
		unpark_conns(worker, false);
}

static void keep(struct worker *worker, int fd)
{
	struct err err;
	struct conn *conn = calloc(1, sizeof(*conn));
	if (!conn)
		die("memory.exhausted", "bytes=%zu", sizeof(*conn));
	conn->worker = worker;
	conn->fd = fd;
	fcgx_take(&conn->fcgx, fd);
	DL_APPEND(worker->conns, conn);
	if (poll_add(worker->poll, fd, EPOLLIN | EPOLLRDHUP, on_conn, conn, &err))
		return;
	log_error("api.conn_refused", "why=%s", log_q(err.text));
	conn_close(conn);
}

static void answer_and_close(struct worker *worker, int fd)
{
	FCGX_Request fcgx;
	fcgx_take(&fcgx, fd);
	(void)answer_one(worker, &fcgx, NULL);
	FCGX_Free(&fcgx, 1);
}

/* One connection per turn: the others of the pool take theirs. */
static void on_listen(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	int fd = accept4(worker->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	(void)events;
	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			log_error("api.accept_failed", "why=%s", log_q(strerror(errno)));
		return;
	}
	worker->worked = true;
	if (worker->app.pool == POOL_FAST)
		keep(worker, fd);
	else
		answer_and_close(worker, fd);
}

static void on_signal(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	struct signalfd_siginfo info;
	(void)events;
	if (read(worker->signal_fd, &info, sizeof(info)) == sizeof(info))
		worker->leaving = true;
}

/* All signals that the master handles are blocked since before the fork; SIGTERM becomes readable,
 * because libfcgi loses a request that a signal interrupts. */
static bool worker_open(struct worker *worker, struct err *err)
{
	static const int signals[] = {SIGTERM, 0};
	char name[16];

	(void)snprintf(name, sizeof(name), "ccs-api:%s", pool_name(worker->app.pool));
	(void)prctl(PR_SET_NAME, name);
	if (FCGX_Init() != 0)
		return fail(err, ERR_INTERNAL, "libfcgi refuses to start");
	(void)signal(SIGPIPE, SIG_IGN);
	worker->poll = poll_new();
	worker->signal_fd = poll_signals(signals);
	return poll_add(worker->poll, worker->signal_fd, EPOLLIN, on_signal, worker, err) &&
	       poll_add(worker->poll, worker->listen_fd, EPOLLIN | EPOLLEXCLUSIVE, on_listen,
		       worker, err);
}

/* What has reached us is answered; idle kept connections are closed, which nginx takes for a reason
 * to connect again. */
static void leave(struct worker *worker)
{
	unpark_conns(worker, true);
	int64_t deadline = clock_mono_us() + LEAVE_WITHIN_S * US_PER_S;
	do {
		worker->worked = false;
		poll_wait(worker->poll, 0);
	} while (worker->worked && clock_mono_us() < deadline);

	struct conn *conn, *next;
	DL_FOREACH_SAFE (worker->conns, conn, next)
		conn_close(conn);
}

int worker_run(const struct conf *conf, enum pool pool, int listen_fd)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct err err;

	if (!worker)
		die("memory.exhausted", "bytes=%zu", sizeof(*worker));
	worker->reply = REPLY_INIT;
	worker->listen_fd = listen_fd;
	/* Not all at the same time: a tenth more or less. */
	worker->left = conf->api_recycle_after - conf->api_recycle_after / 10 * (getpid() % 10) / 9;
	if (!app_open(&worker->app, conf, pool, &err) || !worker_open(worker, &err)) {
		log_error("api.worker_refused", "pool=%s why=%s", pool_name(pool), log_q(err.text));
		return EXIT_FAILURE;
	}
	while (!worker->leaving) {
		poll_wait(worker->poll, park_pause_us(&worker->park, clock_mono_us()));
		look_at_parked(worker);
	}
	leave(worker);
	app_close(&worker->app);
	reply_free(&worker->reply);
	poll_free(worker->poll);
	close(worker->signal_fd);
	free(worker);
	return EXIT_SUCCESS;
}
