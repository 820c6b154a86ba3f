/* ccs-farm: see farm.h.    ccs-farm [OPTION...]    ccs-farm tell SOCKET COMMAND... */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/token.h"
#include "tests/farm/control.h"
#include "tests/farm/options.h"
#include "tests/farm/server.h"

#include "common/base.h"

static const struct asterisk asterisks[] = {
	{
		.name = "22",
		.ami_version = "11.0.0",
		.version = "22.10.1",
		.ids_by_prefix = true,
		.tells_cause = true,
		.timeout_cause = 19,
		.timeout_cdr = "NO ANSWER",
		.forbidden = "Originate Access Forbidden: app or data blacklisted",
	},
	{
		.name = "16",
		.ami_version = "5.0.4",
		.version = "16.28.0",
		.timeout_cause = 0,
		.timeout_cdr = "FAILED",
		.answer_us = 500000,
		.forbidden = "Originate Access Forbidden: Application",
	},
};

/* ---- setting up ---- */

static const struct asterisk *version_of(const char *versions, size_t i)
{
	if (strcmp(versions, "both") == 0)
		return &asterisks[i % ARRAY_LEN(asterisks)];
	for (size_t v = 0; v < ARRAY_LEN(asterisks); v++)
		if (strcmp(versions, asterisks[v].name) == 0)
			return &asterisks[v];
	return NULL;
}

/* A server, a few sessions each. */
static void allow_descriptors(uint32_t servers)
{
	struct rlimit limit;
	rlim_t wanted = 64 + 8 * (rlim_t)servers;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted) {
		limit.rlim_cur = MIN(wanted, limit.rlim_max);
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The secret is the caller's, so that a farm that comes back has the one that is stored; else a new one. */
static bool take_secret(char secret[SERVER_SECRET_BYTES], struct err *err)
{
	enum { RANDOM_CHARS = 24 };
	const char *given = getenv("CCS_FARM_SECRET");

	if (!given) {
		token_random(secret, RANDOM_CHARS);
		return true;
	}
	return str_copy(secret, SERVER_SECRET_BYTES, str_of(given)) ||
	       fail(err, ERR_INPUT, "CCS_FARM_SECRET is longer than %d bytes",
		       SERVER_SECRET_BYTES - 1);
}

static bool start_servers(struct farm *farm, const struct options *options, struct err *err)
{
	char secret[SERVER_SECRET_BYTES];

	if (!version_of(options->versions, 0))
		return fail(
			err, ERR_INPUT, "--asterisk is 22, 16 or both, not %s", options->versions);
	if (!take_secret(secret, err))
		return false;
	farm->servers = calloc(options->servers, sizeof(*farm->servers));
	if (!farm->servers)
		die("memory.exhausted", "servers=%u", options->servers);
	for (; farm->servers_n < options->servers; farm->servers_n++) {
		size_t i = farm->servers_n;
		struct server *server = &farm->servers[i];
		uint16_t port = (uint16_t)(options->first_port ? options->first_port + i : 0);
		server->farm = farm;
		server->asterisk = version_of(options->versions, i);
		memcpy(server->secret, secret, sizeof(secret));
		(void)snprintf(server->name, sizeof(server->name), "farm%zu", i + 1);
		if (!server_start(server, port, err))
			return false;
	}
	return true;
}

static bool set_moods(struct farm *farm, const struct options *options, struct err *err)
{
	struct strbuf command = STRBUF_INIT, answer = STRBUF_INIT;
	bool good = true;

	for (size_t i = 0; i < options->moods_n && good; i++) {
		struct str mood = str_of(options->moods[i]), who = STR("all");
		if (strchr(options->moods[i], ':'))
			(void)str_split(&mood, ':', &who);
		strbuf_reset(&command);
		strbuf_reset(&answer);
		strbuf_printf(&command, "mood %.*s %.*s", (int)who.n, who.p, (int)mood.n, mood.p);
		control_do(farm, strbuf_view(&command), &answer);
		good = strcmp(answer.p, "ok\n") == 0 ||
		       fail(err, ERR_INPUT, "--mood %s: %.*s", options->moods[i],
			       (int)strcspn(answer.p, "\n"), answer.p);
	}
	strbuf_free(&command);
	strbuf_free(&answer);
	return good;
}

/* ---- what a client needs ---- */

static void describe(const struct farm *farm, const struct options *options, struct strbuf *out)
{
	strbuf_printf(out, "{\"pid\": %d, \"speed\": %u, \"seed\": %llu, \"servers\": [", getpid(),
		farm->speed, (unsigned long long)farm->seed);
	for (size_t i = 0; i < farm->servers_n; i++) {
		const struct server *server = &farm->servers[i];
		strbuf_printf(out,
			"%s\n {\"name\": \"%s\", \"host\": \"" FARM_HOST
			"\", \"ami_port\": %u, \"ami_user\": \"" FARM_USER "\", \"ami_secret\": ",
			i ? "," : "", server->name, server->port);
		strbuf_json(out, str_of(server->secret));
		strbuf_printf(out,
			", \"technology\": \"PJSIP\", \"endpoint\": \"" FARM_ENDPOINT
			"\", \"context\": \"" FARM_CONTEXT
			"\", \"exten\": \"s\", \"asterisk\": \"%s\"}",
			server->asterisk->name);
	}
	strbuf_puts(out, "],\n \"log\": ");
	strbuf_json(out, str_of(options->log));
	strbuf_puts(out, ", \"control\": ");
	strbuf_json(out, str_of(options->control));
	strbuf_puts(out, "}\n");
}

/* Whole or not there: who waits for the file may read it. It holds the secret. */
static bool publish(const struct farm *farm, const struct options *options, struct err *err)
{
	struct strbuf text = STRBUF_INIT;
	char temporary[4096];
	int fd = STDOUT_FILENO;

	describe(farm, options, &text);
	if (options->json) {
		(void)snprintf(temporary, sizeof(temporary), "%s.new", options->json);
		fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	bool good = fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n &&
		    (!options->json || (close(fd) == 0 && rename(temporary, options->json) == 0));
	strbuf_free(&text);
	return good || fail(err, ERR_INPUT, "%s: %s", options->json ? options->json : "stdout",
			       strerror(errno));
}

/* ---- the loop ---- */

static void on_wake(void *arg)
{
	((struct farm *)arg)->now_us = clock_mono_us();
}

static void on_signal(void *arg, uint32_t events)
{
	(void)events;
	((struct farm *)arg)->ending = true;
}

static void run(struct farm *farm)
{
	while (!farm->ending) {
		int64_t due_us = timers_next(&farm->timers);
		poll_wait(farm->poll, due_us == INT64_MAX ? -1 : MAX(due_us - clock_mono_us(), 0));
		timers_run(&farm->timers, farm->now_us);
		record_flush(&farm->record);
		sessions_flush(farm);
	}
}

static bool begin(struct farm *farm, const struct options *options, struct err *err)
{
	static const int ends[] = {SIGTERM, SIGINT, 0};

	farm->poll = poll_new();
	farm->speed = options->speed;
	farm->seed = options->seed;
	farm->all_events = options->all_events;
	farm->control = -1;
	on_wake(farm);
	poll_on_wake(farm->poll, on_wake, farm);
	allow_descriptors(options->servers);
	return record_open(&farm->record, options->log, err) &&
	       poll_add(farm->poll, poll_signals(ends), EPOLLIN, on_signal, farm, err) &&
	       start_servers(farm, options, err) && set_moods(farm, options, err) &&
	       control_open(farm, options->control, err) && publish(farm, options, err);
}

/* Whatever begin() has come to. */
static void end(struct farm *farm, const struct options *options)
{
	for (size_t i = 0; i < farm->servers_n; i++)
		server_stop(&farm->servers[i]);
	sessions_flush(farm);
	record_close(&farm->record);
	if (farm->control >= 0) {
		close(farm->control);
		(void)unlink(options->control);
	}
	free(farm->servers);
	strbuf_free(&farm->text);
	timers_free(&farm->timers);
	poll_free(farm->poll);
}

int main(int argc, char **argv)
{
	struct options options;
	struct farm farm = {0};
	struct err err;

	if (argc > 3 && strcmp(argv[1], "tell") == 0)
		return control_tell(argv[2], argv + 3, argc - 3);
	options_read(&options, argc, argv);
	log_open("ccs-farm", LOG_INFO);
	bool good = begin(&farm, &options, &err);
	if (good) {
		log_info("farm.ready", "servers=%zu speed=%u seed=%llu", farm.servers_n, farm.speed,
			(unsigned long long)farm.seed);
		run(&farm);
	} else {
		log_error("farm.refused", "why=%s", log_q(err.text));
	}
	end(&farm, &options);
	return good ? EX_OK : EX_CONFIG;
}
