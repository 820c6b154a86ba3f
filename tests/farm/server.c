/* See server.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/farm/event.h"
#include "tests/farm/server.h"

#include "common/base.h"

enum {
	BACKLOG = 64,
	PORT_TRIES = 100,
	STOP_US = 1100000, /* from the end of the calls to Shutdown, as measured on 16 and 22 */
	DOWN_US = 1300000, /* from the end to the next FullyBooted, as measured on 22 */
	ECHO_US = 500000,  /* twice: the later half of the second copies comes up to so late */
};

/* ---- the port ---- */

/* A port that was asked for by number stays bound when its socket stops listening; one that the kernel chose does not. So
 * the kernel is asked for a free number first. */
static bool bind_port(struct server *server, uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t bytes = sizeof(at);
	int on = 1;

	(void)inet_pton(AF_INET, FARM_HOST, &at.sin_addr);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool bound = server->listener >= 0 &&
		     setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		     bind(server->listener, (struct sockaddr *)&at, bytes) == 0 &&
		     getsockname(server->listener, (struct sockaddr *)&at, &bytes) == 0;
	server->port = ntohs(at.sin_port);
	return bound;
}

static bool bind_any(struct server *server)
{
	for (int i = 0; i < PORT_TRIES; i++) {
		if (!bind_port(server, 0))
			return false;
		close(server->listener);
		if (bind_port(server, server->port))
			return true;
		close(server->listener);
	}
	return false;
}

static void accept_one(void *arg, uint32_t events)
{
	struct server *server = arg;
	int on = 1;
	int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	session_open(server, fd);
}

/* Refused is a port that is bound and does not listen. */
static void listen_as_it_should(struct server *server)
{
	bool should = !server->down && !server->mood.on[MOOD_REFUSE];
	struct err err;

	if (should == server->listening)
		return;
	server->listening = should;
	if (!should) {
		poll_remove(server->farm->poll, server->listener);
		(void)shutdown(server->listener, SHUT_RDWR);
	} else if (listen(server->listener, BACKLOG) < 0) {
		die("server.deaf", "server=%s why=%s", server->name, log_q(strerror(errno)));
	} else if (!poll_add(server->farm->poll, server->listener, EPOLLIN, accept_one, server,
			   &err)) {
		die("server.unwatched", "server=%s why=%s", server->name, log_q(err.text));
	}
}

/* ---- what is said to all ---- */

static void tell_once(struct server *server, enum class class, struct str message)
{
	struct session *session, *next;

	DL_FOREACH_SAFE (server->sessions, session, next)
		if (session->mask & class)
			session_say(session, message);
}

struct echo {
	struct timer timer;
	struct server *server;
	enum class class;
	uint64_t boots; /* a server that has died meanwhile does not repeat itself */
	struct strbuf message;
};

static void echo_now(void *arg)
{
	struct echo *echo = arg;

	if (echo->boots == echo->server->boots)
		tell_once(echo->server, echo->class, strbuf_view(&echo->message));
	strbuf_free(&echo->message);
	free(echo);
}

static void echo_later(struct server *server, enum class class, struct str message)
{
	struct farm *farm = server->farm;
	struct echo *echo = calloc(1, sizeof(*echo));
	int64_t pause_us = farm_pace(farm, dice_roll(&server->dice, ECHO_US));

	if (!echo)
		die("memory.exhausted", "bytes=%zu", sizeof(*echo));
	echo->server = server;
	echo->class = class;
	echo->boots = server->boots;
	strbuf_str(&echo->message, message);
	timer_set(&farm->timers, &echo->timer, farm->now_us + pause_us, echo_now, echo);
}

void server_tell(struct server *server, enum class class, struct str message)
{
	tell_once(server, class, message);
	if (!server->mood.on[MOOD_TWICE])
		return;
	if (dice_roll(&server->dice, 2))
		tell_once(server, class, message);
	else
		echo_later(server, class, message);
}

void server_cut(struct server *server, const char *why)
{
	struct session *session, *next;

	DL_FOREACH_SAFE (server->sessions, session, next)
		session_close(session, why);
}

/* ---- life ---- */

static void restart_of_mood(void *arg)
{
	struct server *server = arg;
	server_restart(server, dice_roll(&server->dice, 2));
}

static void plan_restart(struct server *server)
{
	struct farm *farm = server->farm;
	int64_t mean_us = server->mood.value[MOOD_RESTART] * US_PER_S;

	if (server->down || server->stopping)
		return; /* the timer brings it back, and then plans */
	if (server->mood.on[MOOD_RESTART])
		timer_set(&farm->timers, &server->restart,
			farm->now_us + mean_us / 2 + dice_roll(&server->dice, (uint32_t)mean_us),
			restart_of_mood, server);
	else
		timer_stop(&farm->timers, &server->restart);
}

static void boot(void *arg)
{
	struct server *server = arg;

	server->down = false;
	server->boots++;
	server->booted_us = server->farm->now_us;
	record_line(&server->farm->record, server->name, "boot", "%llu",
		(unsigned long long)server->boots);
	listen_as_it_should(server);
	plan_restart(server);
}

static void go_down(struct server *server, const char *why)
{
	struct farm *farm = server->farm;

	sessions_flush(farm); /* what was said before is heard */
	server_cut(server, why);
	server->stopping = false;
	server->down = true;
	listen_as_it_should(server);
	timer_set(&farm->timers, &server->restart, farm->now_us + farm_pace(farm, DOWN_US), boot,
		server);
}

static void stopped(void *arg)
{
	struct server *server = arg;
	event_shutdown(server);
	go_down(server, "Asterisk has stopped");
}

void server_restart(struct server *server, bool orderly)
{
	struct farm *farm = server->farm;

	if (server->down || server->stopping)
		return;
	record_line(&farm->record, server->name, "stop", "%s", orderly ? "orderly" : "killed");
	channels_end(server, orderly);
	if (!orderly) {
		go_down(server, "Asterisk was killed");
		return;
	}
	server->stopping = true;
	timer_set(&farm->timers, &server->restart, farm->now_us + farm_pace(farm, STOP_US), stopped,
		server);
}

static void noise(void *arg)
{
	struct server *server = arg;
	struct farm *farm = server->farm;

	if (!server->mood.on[MOOD_NOISE])
		return;
	if (!server->down && !server->stopping)
		channel_stranger(server);
	timer_set(&farm->timers, &server->noise,
		farm->now_us + US_PER_S / server->mood.value[MOOD_NOISE], noise, server);
}

void server_set_mood(struct server *server, const struct mood *mood)
{
	struct session *session, *next;
	struct strbuf text = STRBUF_INIT;

	server->mood = *mood;
	mood_print(mood, &text);
	record_line(&server->farm->record, server->name, "mood", "%s", text.p);
	strbuf_free(&text);
	DL_FOREACH_SAFE (server->sessions, session, next)
		session_mood_changed(session);
	if (mood->on[MOOD_REFUSE])
		server_cut(server, "refused from now on");
	listen_as_it_should(server);
	plan_restart(server);
	noise(server);
}

bool server_start(struct server *server, uint16_t port, struct err *err)
{
	server->listener = -1;
	server->dice = dice_of(server->farm->seed, str_of(server->name), STR("server"));
	if (!(port ? bind_port(server, port) : bind_any(server)))
		return fail(err, ERR_BUSY, "%s cannot have port %u: %s", server->name, port,
			strerror(errno));
	boot(server);
	return true;
}

void server_stop(struct server *server)
{
	server_cut(server, "the farm ends");
	channels_end(server, false);
	timer_stop(&server->farm->timers, &server->restart);
	timer_stop(&server->farm->timers, &server->noise);
	if (server->listener >= 0)
		close(server->listener);
}
