/* The process around a life: see run.h. */
#include <signal.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "dispatcher/dispatcher.h"
#include "dispatcher/holder_link.h"
#include "dispatcher/life.h"
#include "dispatcher/recover.h"
#include "dispatcher/run.h"

#include "common/base.h"

static void on_bell(void *arg, uint32_t events)
{
	struct dispatcher *d = arg;
	(void)events;
	bell_drain(&d->bell);
}

struct signals {
	struct dispatcher *d;
	int fd;
};

static void on_signal(void *arg, uint32_t events)
{
	struct signals *signals = arg;
	struct dispatcher *d = signals->d;
	struct signalfd_siginfo info;
	(void)events;
	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			d->directory_wanted = true;
			continue;
		}
		if (!d->stopping)
			log_info("dispatcher.stopping",
				"live=%u do=\"calls that ring are waited for; a second signal ends "
				"it now\"",
				d->live_n);
		life_stop(d);
	}
}

static void receive_kept(struct dispatcher *d, int link_fd)
{
	struct holder_message message;
	int fd;
	while (holder_receive(link_fd, &message, &fd) && message.word != HOLD_ALL)
		if (message.word == HOLD_GIVEN && fd >= 0)
			recover_give(d, message.server_id, fd);
}

int dispatcher_run(const struct conf *conf, struct segment *seg, bool adopted, int link_fd)
{
	static const int signal_list[] = {SIGTERM, SIGINT, SIGHUP, 0};
	struct holder_link link = {link_fd};
	struct dispatcher d = {.conf = conf, .seg = seg, .adopted = adopted, .holder = &link};
	struct signals signals = {&d, poll_signals(signal_list)};
	struct err err;

	if (!secret_load_key(conf->common_secret_key_file, &d.secret_key, &err) ||
		!bell_open(&d.bell, conf->common_run_dir, &err) ||
		!bell_open_named(&d.relay_bell, conf->common_run_dir, BELL_RELAY, &err) ||
		!bell_open_named(&d.courier_bell, conf->common_run_dir, BELL_COURIER, &err)) {
		log_error("dispatcher.refused", "why=%s", log_q(err.text));
		return EX_CONFIG;
	}
	receive_kept(&d, link_fd);
	d.poll = poll_new();
	if (!poll_add(d.poll, d.bell.fd, EPOLLIN, on_bell, &d, &err) ||
		!poll_add(d.poll, signals.fd, EPOLLIN, on_signal, &signals, &err))
		die("dispatcher.poll", "why=%s", log_q(err.text));
	life_begin(&d);
	log_info("dispatcher.start", "node=%s adopted=%d", conf->common_node, adopted);
	while (!life_is_over(&d))
		life_turn(&d);
	segment_set_ready(seg, false);
	log_info("dispatcher.stop", "live=%u segment_lost=%d", d.live_n, d.segment_lost);
	return d.segment_lost ? DISPATCHER_SEGMENT_LOST : EX_OK;
}
