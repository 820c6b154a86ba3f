/* Setting up, turning, ending: see life.h. */
#include "courier/life.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "courier/export.h"
#include "courier/feed.h"
#include "courier/hook.h"
#include "courier/post.h"
#include "courier/settle.h"

#include "common/base.h"

enum { STOP_LIMIT_S = 10, SPARE_FILES = 64, HTTP_GONE = 410 };

uint32_t noise(void)
{
	uint32_t value;
	random_bytes(&value, sizeof(value));
	return value;
}

void life_forget(struct courier *c)
{
	hooks_forget(c);
	export_forget(c->export);
	post_abort(c->post);
	settle_reset(c);
	feed_reset(c);
}

/* ---- deliveries ---- */

static bool is_fine(const struct attempt *attempt)
{
	return !attempt->error && attempt->status >= 200 && attempt->status < 300;
}

/* An answer that says no still shows that the host is there. */
static bool shows_host(const struct attempt *attempt)
{
	return !attempt->error && attempt->status < 500 && attempt->status != 429;
}

static void on_done(struct courier *c, struct item *item, const struct attempt *attempt)
{
	struct host *host = item->hook->host;

	if (shows_host(attempt))
		host_answered(host);
	else
		host_failed(host, c->now_mono_us, noise());
	if (is_fine(attempt))
		settle_delivered(c, item, attempt);
	else if (attempt->status == HTTP_GONE && !attempt->error)
		settle_refused(c, item, attempt);
	else
		settle_failed(c, item, attempt);
}

/* Hosts by turns, and of each its hooks by turns, one item at a time. */
static void send_ready(struct courier *c)
{
	bool any = true;
	while (any) {
		any = false;
		struct host *host, *next_host;
		DL_FOREACH_SAFE (c->busy, host, next_host) {
			if (!host_may_send(host, &c->limits, c->flying, c->now_mono_us))
				continue;
			struct hook *hook = host->hooks;
			DL_DELETE(host->hooks, hook); /* to the end of the line */
			DL_APPEND(host->hooks, hook);
			post_send(c->post, hook->ready);
			any = true;
		}
	}
}

static int64_t circuits_deadline(const struct courier *c)
{
	int64_t next = INT64_MAX;
	for (const struct host *host = c->busy; host; host = host->next)
		next = MIN(next, host_next_us(host, c->now_mono_us));
	return next;
}

/* ---- what wakes us ---- */

static void on_up(void *arg)
{
	struct courier *c = arg;
	c->load_wanted = true;
	c->loading = c->fetching = c->fetching_retries = false;
}

static void on_down(void *arg, const char *why)
{
	struct courier *c = arg;
	(void)why; /* the stream has logged it */
	c->is_chosen = false;
	life_forget(c);
	c->loading = c->fetching = c->fetching_retries = false;
	c->fetch_void = c->fetch_void_retries = false;
}

static void on_notified(void *arg, const char *channel, const char *payload)
{
	struct courier *c = arg;
	(void)channel;
	(void)payload;
	c->load_wanted = true;
}

static void on_bell(void *arg, uint32_t events)
{
	struct courier *c = arg;
	(void)events;
	bell_drain(&c->bell);
	c->news = true;
	export_news(c->export);
}

struct signals {
	struct courier *c;
	int fd;
};

static void on_signal(void *arg, uint32_t events)
{
	struct signals *signals = arg;
	struct courier *c = signals->c;
	struct signalfd_siginfo info;

	(void)events;
	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (c->stopping)
			continue;
		log_info("courier.stopping", "under_way=%u", c->flying);
		c->stopping = true;
		c->stop_at_us = clock_mono_us() + STOP_LIMIT_S * US_PER_S;
	}
}

static void read_clock(void *arg)
{
	struct courier *c = arg;
	c->now_us = clock_wall_us();
	c->now_mono_us = clock_mono_us();
}

/* ---- the loop ---- */

static bool is_over(const struct courier *c)
{
	return c->stopping &&
	       ((c->flying == 0 && settle_is_idle(c)) || c->now_mono_us >= c->stop_at_us);
}

static int64_t next_deadline(const struct courier *c)
{
	int64_t next = MIN(stream_deadline(c->stream), post_deadline(c->post));
	next = MIN(next, feed_deadline(c));
	if (!c->stopping)
		next = MIN(next, circuits_deadline(c));
	if (!c->stopping && stream_is_up(c->stream) && c->is_chosen)
		next = MIN(next, export_deadline(c->export));
	return c->stopping ? MIN(next, c->stop_at_us) : next;
}

static void turn(struct courier *c)
{
	int64_t next_us = next_deadline(c);
	poll_wait(c->poll, next_us == INT64_MAX ? -1 : MAX(next_us - clock_mono_us(), (int64_t)0));
	stream_tick(c->stream, c->now_mono_us);
	post_turn(c->post, c->now_mono_us);
	feed_turn(c);
	if (!c->stopping) {
		send_ready(c);
		if (stream_is_up(c->stream) && c->is_chosen)
			export_turn(c->export);
	}
	settle_turn(c);
}

/* ---- setting up ---- */

static bool take_files(const struct courier *c, struct err *err)
{
	struct rlimit files;
	rlim_t want = (rlim_t)c->limits.total * 2 + SPARE_FILES;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max < want)
		return fail(err, ERR_INPUT,
			"courier.deliveries_at_once needs %llu descriptors; the limit is %llu "
			"(ulimit -Hn)",
			(unsigned long long)want, (unsigned long long)files.rlim_max);
	files.rlim_cur = MAX(files.rlim_cur, want);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	return true;
}

static bool set_up(struct courier *c, struct signals *signals, struct err *err)
{
	static const int list[] = {SIGTERM, SIGINT, 0};
	static const struct stream_ops ops = {on_up, on_down, on_notified};
	const struct conf *conf = c->conf;

	c->limits = (struct host_limits){.per_host = (unsigned)conf->courier_deliveries_per_host,
		.total = (unsigned)conf->courier_deliveries_at_once};
	if (!secret_load_key(conf->common_secret_key_file, &c->secret_key, err) ||
		!wall_open(&c->wall, conf->courier_private_networks, err) || !take_files(c, err) ||
		!bell_open_named(&c->bell, conf->common_run_dir, BELL_COURIER, err))
		return false;
	(void)signal(SIGPIPE, SIG_IGN);
	signals->fd = poll_signals(list);
	c->poll = poll_new();
	poll_on_wake(c->poll, read_clock, c);
	read_clock(c);
	if (!poll_add(c->poll, c->bell.fd, EPOLLIN, on_bell, c, err) ||
		!poll_add(c->poll, signals->fd, EPOLLIN, on_signal, signals, err))
		return false;
	c->settle = settle_new();
	c->post = post_new(c, on_done);
	c->export = export_new(c);
	c->stream = stream_new(c->poll, conf->database_courier_dsn, "ccs-courier", "ccs_courier",
		feed_queries, &ops, c);
	return true;
}

int courier_run(const struct conf *conf)
{
	struct courier c = {.conf = conf};
	struct signals signals = {&c, -1};
	struct err err;

	if (!set_up(&c, &signals, &err)) {
		log_error("courier.refused", "why=%s", log_q(err.text));
		return err.kind == ERR_INPUT ? EX_CONFIG : EX_TEMPFAIL;
	}
	log_info("courier.start", "node=%s", conf->common_node);
	while (!is_over(&c))
		turn(&c);
	log_info("courier.stop", "delivered=%llu failed=%llu", (unsigned long long)c.delivered,
		(unsigned long long)c.failed);
	hooks_forget(&c);
	post_free(c.post);
	export_free(c.export);
	stream_free(c.stream);
	settle_free(c.settle);
	poll_free(c.poll);
	bell_close(&c.bell);
	(void)close(signals.fd);
	secret_wipe(&c.secret_key, sizeof(c.secret_key));
	return EX_OK;
}
