/* libwebsockets: what it calls us for, and what we watch through it. See serve.h.
 *
 * Two vhosts. "clients" listens for nginx and has one protocol, which is protocols[0]: the one that libwebsockets
 * gives a client who names none, as all clients of ours do. "wakeups" listens to nobody and holds our descriptors:
 * bell, inputs, signals.
 */
#include "relay/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/poll.h"
#include "common/token.h"
#include "relay/admit.h"
#include "relay/conn.h"
#include "shm/bell.h"

#include "common/base.h"

enum {
	SPARE_FILES = 64,     /* descriptors that are no connections of clients */
	HEADER_BYTES = 40960, /* nginx lets 2 + 4 x 8 kB pass */
	READ_BUFFER_BYTES =
		128, /* libwebsockets reads nothing but handshakes, and those elsewhere */
	INPUTS_PER_TURN = 64,
	TICK_US = 1000000,
	STOP_LIMIT_TICKS = 3,
	HANDSHAKES_TO_TRIM = 200,
	RECONNECT_MS = 2, /* between two connections that come back */
	RECONNECT_LEAST_MS = 1000,
};

struct server {
	struct relay relay;
	struct bell bell;
	int signal_fd;
	int lock_fd;
	char path[CONF_TEXT_BYTES + 16];
	lws_retry_bo_t pings;
	lws_sorted_usec_list_t tick;
	lws_sorted_usec_list_t again;
	int ticks_left; /* while stopping */
	bool done;
};

/* libwebsockets' callbacks have no other way to us that is there from the first one on. */
static struct server server;

/* ---- clients ---- */

static int on_client(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct conn *conn = wsi ? lws_get_opaque_user_data(wsi) : NULL;
	(void)user;
	(void)in;
	(void)len;
	switch ((int)reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		/* Only "websocket": h2c would be a tunnel past nginx. */
		if (lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE) == 9 &&
			strcasecmp(in, "websocket") == 0)
			return admit(&server.relay, wsi) ? 0 : -1;
		admit_nothing_else(wsi);
		return -1;
	case LWS_CALLBACK_HTTP:
		admit_nothing_else(wsi);
		return -1;
	case LWS_CALLBACK_ESTABLISHED:
		return conn && conn_open(conn) ? 0 : -1;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return conn && conn_write(conn) ? 0 : -1;
	case LWS_CALLBACK_WSI_DESTROY:
		if (conn)
			conn_free(conn);
		return 0;
	default:
		return 0;
	}
}

/* ---- our descriptors ---- */

static void pull(void)
{
	(void)segment_check(&server.relay.seg);
	if (feed_pull(&server.relay.feed))
		lws_sul_schedule(server.relay.lws, 0, &server.again, server.again.cb, 1);
}

static void pull_again(lws_sorted_usec_list_t *sul)
{
	(void)sul;
	pull();
}

static int on_bell(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void)wsi;
	(void)user;
	(void)in;
	(void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE) {
		bell_drain(&server.bell);
		pull();
	}
	return 0;
}

static int on_inputs(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct epoll_event events[INPUTS_PER_TURN];
	(void)wsi;
	(void)user;
	(void)in;
	(void)len;
	if (reason != LWS_CALLBACK_RAW_RX_FILE)
		return 0;
	int n = epoll_wait(server.relay.inputs_fd, events, INPUTS_PER_TURN, 0);
	for (int i = 0; i < n; i++)
		conn_read(events[i].data.ptr);
	return 0;
}

static int64_t random_below(uint64_t limit)
{
	uint64_t number;
	random_bytes(&number, sizeof(number));
	return (int64_t)(number % limit);
}

static void stop(void)
{
	struct conn *conn;
	if (server.relay.stopping)
		return;
	log_info("relay.stopping", "connections=%u", server.relay.conns_n);
	server.relay.stopping = true;
	server.ticks_left = STOP_LIMIT_TICKS;
	server.done = server.relay.conns_n == 0;
	/* Our successor must not get them all in one moment: some hundreds a second come back. */
	int64_t spread_ms = MAX((int64_t)server.relay.conns_n * RECONNECT_MS, RECONNECT_LEAST_MS);
	DL_FOREACH (server.relay.conns, conn)
		conn_dismiss(conn, random_below((uint64_t)spread_ms));
}

static int on_signals(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct signalfd_siginfo info;
	(void)wsi;
	(void)user;
	(void)in;
	(void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE &&
		read(server.signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		stop();
	return 0;
}

/* A handshake takes 40 kB for a moment; of a thousand at once, pages between others stay behind. */
static void give_back(void)
{
	static uint32_t opened;
	if (server.relay.opened - opened < HANDSHAKES_TO_TRIM)
		return;
	opened = server.relay.opened;
	(void)malloc_trim(0);
}

/* Every second: what no bell tells. */
static void tick(lws_sorted_usec_list_t *sul)
{
	struct conn *conn;
	int64_t now_us = clock_wall_us();
	pull();
	give_back();
	DL_FOREACH (server.relay.conns, conn)
		conn_check(conn, now_us);
	if (server.relay.stopping && (server.relay.conns_n == 0 || --server.ticks_left == 0))
		server.done = true;
	lws_sul_schedule(server.relay.lws, 0, sul, tick, TICK_US);
}

/* ---- setting up ---- */

static const struct lws_protocols client_protocols[] = {
	{"ccs-events", on_client, 0, READ_BUFFER_BYTES, 0, NULL, CONN_OUT_MAX + SAY_EVENT_MAX},
	{NULL, NULL, 0, 0, 0, NULL, 0},
};
static const struct lws_protocols wakeup_protocols[] = {
	{"bell", on_bell, 0, 0, 0, NULL, 0},
	{"inputs", on_inputs, 0, 0, 0, NULL, 0},
	{"signals", on_signals, 0, 0, 0, NULL, 0},
	{NULL, NULL, 0, 0, 0, NULL, 0},
};

static void log_of_lws(int level, const char *line)
{
	(void)level;
	log_warn("relay.lws", "why=%s", log_q(line));
}

/* A POSIX lock: ends with this process, however that comes. Another relay must not take our socket's name. */
static bool take_name(struct err *err)
{
	char path[sizeof(server.path) + 8];
	const char *run_dir = server.relay.conf->common_run_dir;
	int n = snprintf(server.path, sizeof(server.path), "%s/relay.sock", run_dir);
	if ((size_t)n + sizeof(".new") > sizeof(((struct sockaddr_un *)0)->sun_path))
		return fail(err, ERR_INPUT, "common.run_dir is too long for a socket's path");
	(void)snprintf(path, sizeof(path), "%s.lock", server.path);
	server.lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (server.lock_fd < 0 || fcntl(server.lock_fd, F_SETLK, &lock) < 0)
		return fail(err, ERR_CONFLICT, "cannot lock %s (%s): does another relay run?", path,
			strerror(errno));
	return true;
}

/* libwebsockets sizes its tables by this limit, and searches them when it is told another. */
static bool take_files(int64_t connections, struct err *err)
{
	struct rlimit files;
	rlim_t want = (rlim_t)connections + SPARE_FILES;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max < want)
		return fail(err, ERR_INPUT,
			"relay.connections needs %llu descriptors; the limit is %llu (ulimit -Hn)",
			(unsigned long long)want, (unsigned long long)files.rlim_max);
	files.rlim_cur = want;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	return true;
}

static bool make_context(struct err *err)
{
	struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
		.max_http_header_data2 = HEADER_BYTES,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
	};
	lws_set_log_level(LLL_ERR, log_of_lws);
	server.relay.lws = lws_create_context(&info);
	return server.relay.lws || fail(err, ERR_INTERNAL, "libwebsockets cannot start");
}

/* Bound under another name, then renamed over what a predecessor may have left. */
static bool listen_for_clients(struct err *err)
{
	char path[sizeof(server.path) + 8];
	(void)snprintf(path, sizeof(path), "%s.new", server.path);
	struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_UNIX_SOCK,
		.iface = path,
		.protocols = client_protocols,
		.vhost_name = "clients",
		.retry_and_idle_policy = &server.pings,
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
	};
	mode_t before = umask(0117); /* nginx's group may connect */
	struct lws_vhost *vhost = lws_create_vhost(server.relay.lws, &info);
	(void)umask(before);
	if (!vhost || rename(path, server.path) != 0)
		return fail(
			err, ERR_INTERNAL, "cannot listen on %s: %s", server.path, strerror(errno));
	return true;
}

static bool watch(struct lws_vhost *vhost, int fd, const char *protocol, struct err *err)
{
	lws_sock_file_fd_type descriptor = {.filefd = fd};
	return lws_adopt_descriptor_vhost(
		       vhost, LWS_ADOPT_RAW_FILE_DESC, descriptor, protocol, NULL) ||
	       fail(err, ERR_INTERNAL, "libwebsockets does not watch the %s", protocol);
}

static bool watch_ours(struct err *err)
{
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = wakeup_protocols,
		.vhost_name = "wakeups",
		.gid = (gid_t)-1,
		.uid = (uid_t)-1,
	};
	struct lws_vhost *vhost = lws_create_vhost(server.relay.lws, &info);
	if (!vhost)
		return fail(err, ERR_INTERNAL, "libwebsockets takes no descriptors");
	return watch(vhost, server.bell.fd, "bell", err) &&
	       watch(vhost, server.relay.inputs_fd, "inputs", err) &&
	       watch(vhost, server.signal_fd, "signals", err);
}

/* All read-only. What is not there yet is attached by segment_check when it appears. */
static bool attach(const struct conf *conf, struct err *err)
{
	struct segment *seg = &server.relay.seg;
	if (!segment_init(seg, conf->common_node, err))
		return false;
	bool all = segment_attach_in(seg, err);
	all &= segment_attach_state(seg, err);
	all &= segment_attach_events(seg, err);
	if (!all)
		log_info("relay.no_segment", "why=%s do=%s", log_q(err->text),
			log_q("waiting for the dispatcher"));
	return true;
}

/* Without keys no token is good, but API keys work: no reason not to start. */
static void load_ring(const struct conf *conf)
{
	struct err err;
	if (!jwt_ring_load(&server.relay.ring, conf->common_jwt_key_file, &err))
		log_warn("jwt.no_keys", "why=%s", log_q(err.text));
}

static bool set_up(const struct conf *conf, struct err *err)
{
	static const int signals[] = {SIGTERM, SIGINT, 0};
	server.relay.conf = conf;
	server.pings = (lws_retry_bo_t){
		.secs_since_valid_ping = (uint16_t)conf->relay_ping_seconds,
		.secs_since_valid_hangup = (uint16_t)conf->relay_hangup_seconds,
	};
	if (conf->relay_hangup_seconds <= conf->relay_ping_seconds)
		return fail(err, ERR_INPUT,
			"relay.hangup_seconds must be more than relay.ping_seconds");
	if (!take_name(err) || !take_files(conf->relay_connections, err) || !attach(conf, err) ||
		!bell_open_named(&server.bell, conf->common_run_dir, BELL_RELAY, err))
		return false;
	load_ring(conf);
	server.signal_fd = poll_signals(signals);
	(void)signal(SIGPIPE, SIG_IGN);
	server.relay.inputs_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server.relay.inputs_fd < 0)
		return fail(
			err, ERR_INTERNAL, "cannot make an epoll descriptor: %s", strerror(errno));
	server.relay.used.since_us = clock_wall_us();
	feed_open(&server.relay.feed, &server.relay.seg, (uint64_t)conf->relay_backlog_bytes,
		conn_wake);
	return make_context(err) && watch_ours(err) && listen_for_clients(err);
}

int serve(const struct conf *conf)
{
	struct err err;
	if (!set_up(conf, &err)) {
		log_error("relay.refused", "why=%s", log_q(err.text));
		return err.kind == ERR_INPUT ? EX_CONFIG : EX_TEMPFAIL;
	}
	log_info("relay.start", "node=%s socket=%s", conf->common_node, server.path);
	server.again.cb = pull_again;
	lws_sul_schedule(server.relay.lws, 0, &server.tick, tick, TICK_US);
	while (!server.done && lws_service(server.relay.lws, 0) >= 0)
		server.done |= server.relay.stopping && server.relay.conns_n == 0;
	(void)unlink(server.path);
	lws_context_destroy(server.relay.lws); /* closes our descriptors too */
	feed_close(&server.relay.feed);
	strbuf_free(&server.relay.out);
	segment_close(&server.relay.seg);
	used_free(&server.relay.used);
	jwt_ring_wipe(&server.relay.ring);
	log_info("relay.stop", "node=%s", conf->common_node);
	return EX_OK;
}
