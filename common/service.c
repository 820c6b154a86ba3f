/* How each of the services starts: see service.h. */
#include "common/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "common/log.h"

#include "common/base.h"

struct command_line {
	struct service *service;
	enum log_level level;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command_line *line = state->input;
	if (key == ARGP_KEY_INIT && line->service->own)
		state->child_inputs[0] = line->service->own_input;
	else if (key == 'c')
		line->service->conf_path = arg;
	else if (key == 'v')
		line->level = LOG_DEBUG;
	else if (key == ARGP_KEY_ARG)
		argp_usage(state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static void read_command_line(struct command_line *line, int argc, char **argv)
{
	static char version[64];
	static const struct argp_option known[] = {
		{"config", 'c', "FILE", 0, "configuration; default $CCS_CONF or " CONF_DEFAULT_PATH,
			0},
		{"verbose", 'v', NULL, 0, "log every step", 0},
		{0},
	};
	const struct argp_child children[] = {{line->service->own, 0, NULL, 0}, {0}};
	const struct argp argp = {known, parse, NULL, line->service->about,
		line->service->own ? children : NULL, NULL, NULL};
	argp_err_exit_status = EX_USAGE;
	(void)snprintf(version, sizeof(version), "%s " CCS_VERSION, line->service->name);
	argp_program_version = version;
	argp_parse(&argp, argc, argv, 0, NULL, line);
}

int service_open(struct service *service, int argc, char **argv, struct conf *conf)
{
	struct command_line line = {service, LOG_INFO};
	struct err err;

	service->conf_path = getenv("CCS_CONF");
	read_command_line(&line, argc, argv);
	log_open(service->name, line.level);
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	if (!conf_load(conf, service->conf_path, &err)) {
		log_error("conf.refused", "why=%s", log_q(err.text));
		return EX_CONFIG;
	}
	return EX_OK;
}
