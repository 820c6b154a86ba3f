/* The loop of a worker: see worker.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "shm/submit.h"

#include "common/base.h"

enum {
	LEAVE_WITHIN_S = 5,
	DECLINES = 8,
	HANDOVER_PAUSE_US = 2000, /* while the queue is full */
};

/* In this order: who ends is not called back. */
enum leaving { STAYS, RETIRES, ENDS };

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
	const struct worker_place *place;
	int signal_fd;
	enum leaving leaving;
	bool worked;	    /* in this turn */
	bool was_busy;	    /* in the turn before */
	int declined;	    /* turns in which others could take a connection before us */
	int64_t left;	    /* requests until a new process takes our place */
	struct conn *conns; /* fast: all that are open */
	struct park park;   /* fast: those that wait for the end of a call */
};

/* The answer is written: sends it. False when the connection is gone after it. */
static bool finish(struct worker *worker, FCGX_Request *fcgx)
{
	FCGX_Finish_r(fcgx);
	if (--worker->left <= 0)
		worker->leaving = MAX(worker->leaving, RETIRES);
	return fcgx->ipcFd >= 0;
}

static void park_conn(struct worker *worker, struct conn *conn)
{
	conn->parked = worker->reply.parked;
	conn->is_parked = worker->leaving == STAYS && park_add(&worker->park, worker->app.segment,
							      &conn->parked, clock_mono_us());
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

/* call pool: those of this turn. */
static void answer_gathered(struct worker *worker)
{
	struct gather *gather = worker->app.gather;
	if (!gather || gather->n == 0)
		return;
	gather_store(&worker->app, gather);
	for (size_t i = 0; i < gather->n; i++) {
		struct gathered *one = &gather->all[i];
		serve_gathered(&worker->app, one);
		if (!finish(worker, one->fcgx))
			conn_close(one->conn);
	}
	gather_clear(gather);
}

/* Reads one request and answers it, or, of a kept connection, lets it wait. False when the connection
 * is gone after it. */
static bool answer_one(struct worker *worker, FCGX_Request *fcgx, struct conn *conn)
{
	worker->worked = true;
	if (worker->app.gather && gather_is_full(worker->app.gather))
		answer_gathered(worker);
	if (!fcgx_accept(fcgx))
		return false;
	if (!serve(&worker->app, fcgx, &worker->reply)) {
		if (worker->app.gather) {
			gather_note(worker->app.gather, fcgx, conn);
			return true;
		}
		if (conn)
			park_conn(worker, conn);
		if (conn && conn->is_parked)
			return true;
		serve_parked(fcgx);
	}
	return finish(worker, fcgx);
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

static void turn(struct worker *worker, int64_t timeout_us)
{
	poll_wait(worker->poll, timeout_us);
	answer_gathered(worker);
	look_at_parked(worker);
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

/* False when there is none. */
static bool take_new(struct worker *worker)
{
	int fd = accept4(worker->place->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			log_error("api.accept_failed", "why=%s", log_q(strerror(errno)));
		return false;
	}
	worker->worked = true;
	if (pool_keeps(worker->app.pool))
		keep(worker, fd);
	else
		answer_and_close(worker, fd);
	return true;
}

/* What another worker of the pool kept until it left. */
static void take_handed_over(struct worker *worker)
{
	int fd = handover_take(&worker->place->handover);
	if (fd < 0)
		return;
	worker->worked = true;
	keep(worker, fd);
}

/* ---- who takes what ----
 *
 *   sql, login  one connection a turn, as the kernel wakes them: it is the same ones who are always warm
 *   call        all that are there, which are better off together
 *   fast        a connection that is kept brings hundreds of requests. So whoever had something to do in the turn before lets
 *               others take it first, for some turns; of those who are idle the kernel wakes the one that has watched longest,
 *               and each watches anew when it has taken one. */

static bool shares(const struct worker *worker)
{
	return worker->app.pool == POOL_FAST;
}

static bool lets_others(struct worker *worker)
{
	if (!shares(worker) || !worker->was_busy || worker->declined == DECLINES)
		worker->declined = 0;
	else
		worker->declined++;
	return worker->declined > 0;
}

static void watch_as_last(struct worker *worker, int fd, poll_fn *fn)
{
	struct err err;
	if (!shares(worker))
		return;
	poll_remove(worker->poll, fd);
	if (!poll_add(worker->poll, fd, EPOLLIN | EPOLLEXCLUSIVE, fn, worker, &err))
		die("api.door_lost", "why=%s", log_q(err.text));
}

static void on_listen(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	int most = worker->app.gather ? GATHER_MAX : 1;
	(void)events;
	if (lets_others(worker))
		return;
	while (most-- > 0 && take_new(worker))
		;
	watch_as_last(worker, worker->place->listen_fd, on_listen);
}

static void on_handover(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	(void)events;
	if (lets_others(worker))
		return;
	take_handed_over(worker);
	watch_as_last(worker, worker->place->handover.take_fd, on_handover);
}

static void on_signal(void *arg, uint32_t events)
{
	struct worker *worker = arg;
	struct signalfd_siginfo info;
	(void)events;
	if (read(worker->signal_fd, &info, sizeof(info)) == sizeof(info))
		worker->leaving = MAX(worker->leaving, info.ssi_signo == SIGUSR1 ? RETIRES : ENDS);
}

/* ---- connections come to us, or to the others ---- */

static bool open_doors(struct worker *worker, struct err *err)
{
	const struct worker_place *place = worker->place;
	return poll_add(worker->poll, place->listen_fd, EPOLLIN | EPOLLEXCLUSIVE, on_listen, worker,
		       err) &&
	       (!pool_keeps(place->pool) ||
		       poll_add(worker->poll, place->handover.take_fd, EPOLLIN | EPOLLEXCLUSIVE,
			       on_handover, worker, err));
}

static void close_doors(struct worker *worker)
{
	poll_remove(worker->poll, worker->place->listen_fd);
	/* The kernel may have woken us and nobody else for one connection. */
	(void)take_new(worker);
	if (!pool_keeps(worker->place->pool))
		return;
	poll_remove(worker->poll, worker->place->handover.take_fd);
	take_handed_over(worker);
}

/* ---- a worker's start and end ---- */

/* All signals that the master handles are blocked since before the fork; ours become readable, because libfcgi loses a
 * request that a signal interrupts. */
static bool worker_open(struct worker *worker, struct err *err)
{
	static const int signals[] = {SIGTERM, SIGUSR1, 0};
	char name[16];

	(void)snprintf(name, sizeof(name), "ccs-api:%s", pool_name(worker->app.pool));
	(void)prctl(PR_SET_NAME, name);
	if (FCGX_Init() != 0)
		return fail(err, ERR_INTERNAL, "libfcgi refuses to start");
	(void)signal(SIGPIPE, SIG_IGN);
	worker->poll = poll_new();
	worker->signal_fd = poll_signals(signals);
	return poll_add(worker->poll, worker->signal_fd, EPOLLIN, on_signal, worker, err) &&
	       open_doors(worker, err);
}

static void say_ready(const struct worker *worker)
{
	pid_t pid = getpid();
	if (write(worker->place->ready_fd, &pid, sizeof(pid)) != sizeof(pid))
		log_warn("api.ready_unsaid", "why=%s", log_q(strerror(errno)));
	close(worker->place->ready_fd);
}

/* False while there is no room in the queue. */
static bool hand_over(struct conn *conn)
{
	struct worker *worker = conn->worker;
	if (!handover_put(&worker->place->handover, conn->fd))
		return false;
	poll_remove(worker->poll, conn->fd);
	DL_DELETE(worker->conns, conn);
	FCGX_Free(&conn->fcgx, 0);
	close(conn->fd);
	free(conn);
	return true;
}

/* The others of the pool, or a successor, go on: connections that we keep go to them as they are. */
static void retire(struct worker *worker)
{
	int64_t deadline = clock_mono_us() + LEAVE_WITHIN_S * US_PER_S;

	close_doors(worker);
	unpark_conns(worker, true);
	while (worker->conns && worker->leaving == RETIRES && clock_mono_us() < deadline)
		if (!hand_over(worker->conns))
			turn(worker, HANDOVER_PAUSE_US);
}

/* What has reached the pool is answered; idle kept connections are closed, which nginx takes for a reason to connect
 * again. */
static void end(struct worker *worker)
{
	unpark_conns(worker, true);
	int64_t deadline = clock_mono_us() + LEAVE_WITHIN_S * US_PER_S;
	do {
		worker->worked = false;
		turn(worker, 0);
	} while (worker->worked && clock_mono_us() < deadline);
}

static void leave(struct worker *worker)
{
	struct conn *conn, *next;

	worker_slot_leaving(worker->app.segment);
	if (worker->leaving == RETIRES) {
		retire(worker);
		if (worker->leaving == ENDS)
			(void)open_doors(worker, NULL);
	}
	if (worker->leaving == ENDS)
		end(worker);
	DL_FOREACH_SAFE (worker->conns, conn, next)
		conn_close(conn);
}

int worker_run(const struct conf *conf, const struct worker_place *place)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct err err;

	if (!worker)
		die("memory.exhausted", "bytes=%zu", sizeof(*worker));
	worker->reply = REPLY_INIT;
	worker->place = place;
	/* Not all at the same time: a tenth more or less. */
	worker->left = conf->api_recycle_after - conf->api_recycle_after / 10 * (getpid() % 10) / 9;
	if (!app_open(&worker->app, conf, place->pool, &err) || !worker_open(worker, &err)) {
		log_error("api.worker_refused", "pool=%s why=%s", pool_name(place->pool),
			log_q(err.text));
		return EXIT_FAILURE;
	}
	say_ready(worker);
	while (worker->leaving == STAYS) {
		turn(worker, park_pause_us(&worker->park, clock_mono_us()));
		worker->was_busy = worker->worked;
		worker->worked = false;
	}
	worker->was_busy = false;
	leave(worker);
	app_close(&worker->app);
	reply_free(&worker->reply);
	poll_free(worker->poll);
	close(worker->signal_fd);
	free(worker);
	return EXIT_SUCCESS;
}
