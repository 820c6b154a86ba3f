/* See control.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/farm/control.h"
#include "tests/farm/server.h"

#include "common/base.h"

enum { COMMAND_BYTES = 4096, BACKLOG = 8 };

/* ---- commands ---- */

struct command {
	struct str who, rest;
	struct strbuf *answer;
};

typedef bool command_fn(struct server *server, const struct command *command, struct err *err);

static bool set_mood(struct server *server, const struct command *command, struct err *err)
{
	struct mood mood;

	if (!mood_parse(command->rest, &mood, err))
		return false;
	server_set_mood(server, &mood);
	return true;
}

static bool restart(struct server *server, const struct command *command, struct err *err)
{
	(void)command;
	(void)err;
	server_restart(server, true);
	return true;
}

static bool kill_server(struct server *server, const struct command *command, struct err *err)
{
	(void)command;
	(void)err;
	server_restart(server, false);
	return true;
}

static bool cut(struct server *server, const struct command *command, struct err *err)
{
	(void)command;
	(void)err;
	server_cut(server, "told to");
	return true;
}

static bool hang_up(struct server *server, const struct command *command, struct err *err)
{
	(void)command;
	(void)err;
	channels_hang_up(server);
	return true;
}

static bool show(struct server *server, const struct command *command, struct err *err)
{
	const struct session *session;
	unsigned users = 0;

	(void)err;
	for (session = server->sessions; session; session = session->next)
		users += session->user;
	strbuf_printf(command->answer,
		"{\"name\": \"%s\", \"sessions\": %u, \"channels\": %u, \"boots\": %llu, "
		"\"mood\": \"",
		server->name, users, HASH_COUNT(server->channels),
		(unsigned long long)server->boots);
	mood_print(&server->mood, command->answer);
	strbuf_puts(command->answer, "\"}\n");
	return true;
}

static const struct {
	struct str name;
	command_fn *fn;
} commands[] = {
	{{"mood", 4}, set_mood},
	{{"restart", 7}, restart},
	{{"kill", 4}, kill_server},
	{{"cut", 3}, cut},
	{{"hangup", 6}, hang_up},
	{{"show", 4}, show},
};

static bool is_among(struct str who, const char *name)
{
	struct str one;

	while (str_split(&who, ',', &one))
		if (str_eq(one, str_of(name)) || str_eq(one, STR("all")))
			return true;
	return false;
}

static bool for_each(
	struct farm *farm, command_fn *fn, const struct command *command, struct err *err)
{
	size_t found = 0;

	for (size_t i = 0; i < farm->servers_n; i++) {
		struct server *server = &farm->servers[i];
		if (!is_among(command->who, server->name))
			continue;
		found++;
		if (!fn(server, command, err))
			return false;
	}
	return found || fail(err, ERR_INPUT, "there is no server %.*s",
				(int)MIN(command->who.n, (size_t)80), command->who.p);
}

static bool run(struct farm *farm, struct str text, struct strbuf *answer, struct err *err)
{
	struct command command = {.rest = str_trim(text), .who = STR("all"), .answer = answer};
	struct str name = STR("");

	(void)str_split(&command.rest, ' ', &name);
	if (command.rest.p)
		(void)str_split(&command.rest, ' ', &command.who);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(commands[i].name, name))
			return for_each(farm, commands[i].fn, &command, err);
	return fail(err, ERR_INPUT, "commands are mood, restart, kill, cut, hangup, show");
}

void control_do(struct farm *farm, struct str command, struct strbuf *answer)
{
	struct err err;

	if (run(farm, command, answer, &err))
		strbuf_puts(answer, "ok\n");
	else
		strbuf_printf(answer, "error: %s\n", err.text);
}

/* ---- the socket ---- */

static bool address_of(const char *path, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	return str_copy(at->sun_path, sizeof(at->sun_path), str_of(path));
}

/* A client is one of us on this machine: its line is there when it has connected, or soon. */
static void serve(void *arg, uint32_t events)
{
	struct farm *farm = arg;
	struct strbuf answer = STRBUF_INIT;
	struct timeval patience = {.tv_sec = 1};
	char text[COMMAND_BYTES];
	int fd = accept4(farm->control, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	ssize_t n = recv(fd, text, sizeof(text), 0);
	if (n > 0) {
		struct str rest = {text, (size_t)n}, line;
		(void)str_split(&rest, '\n', &line);
		control_do(farm, line, &answer);
		(void)send(fd, answer.p, answer.n, MSG_NOSIGNAL);
	}
	strbuf_free(&answer);
	close(fd);
}

bool control_open(struct farm *farm, const char *path, struct err *err)
{
	struct sockaddr_un at;

	farm->control = -1;
	if (!path)
		return true;
	if (!address_of(path, &at))
		return fail(err, ERR_INPUT, "%s is too long for a socket", path);
	(void)unlink(path);
	farm->control = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (farm->control < 0 || bind(farm->control, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(farm->control, BACKLOG) < 0)
		return fail(err, ERR_INPUT, "%s: %s", path, strerror(errno));
	return poll_add(farm->poll, farm->control, EPOLLIN, serve, farm, err);
}

/* ---- the other end ---- */

int control_tell(const char *path, char **words, int n)
{
	struct strbuf text = STRBUF_INIT;
	struct sockaddr_un at;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < n; i++)
		strbuf_printf(&text, "%s%s", words[i], i + 1 < n ? " " : "\n");
	if (fd < 0 || !address_of(path, &at) ||
		connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		send(fd, text.p, text.n, MSG_NOSIGNAL) < 0) {
		(void)fprintf(stderr, "ccs-farm: %s: %s\n", path, strerror(errno));
		return EX_UNAVAILABLE;
	}
	strbuf_reset(&text);
	for (;;) {
		ssize_t got = recv(fd, strbuf_room(&text, COMMAND_BYTES), COMMAND_BYTES, 0);
		if (got <= 0)
			break;
		text.n += (size_t)got;
	}
	close(fd);
	(void)fwrite(text.p, 1, text.n, stdout);
	bool good = text.n >= 3 && memcmp(text.p + text.n - 3, "ok\n", 3) == 0;
	strbuf_free(&text);
	return good ? EX_OK : EX_USAGE;
}
