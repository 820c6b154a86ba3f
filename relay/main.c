/* ccs-relay: tells clients over WebSocket what happens to their calls. */
#include <argp.h>
#include <stdlib.h>
#include <sysexits.h>

#include "common/log.h"
#include "relay/serve.h"

#include "common/base.h"

struct options {
	const char *conf_path;
	enum log_level level;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	if (key == 'c')
		options->conf_path = arg;
	else if (key == 'v')
		options->level = LOG_DEBUG;
	else if (key == ARGP_KEY_ARG)
		argp_usage(state);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

const char *argp_program_version = "ccs-relay " CCS_VERSION;

int main(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{"config", 'c', "FILE", 0, "configuration; default $CCS_CONF or " CONF_DEFAULT_PATH,
			0},
		{"verbose", 'v', NULL, 0, "log every connection's end and refusal", 0},
		{0},
	};
	static const struct argp argp = {known, parse, NULL,
		"Tells clients over WebSocket what happens to their calls, behind nginx, on "
		"<run_dir>/relay.sock. Runs in the foreground; SIGTERM says goodbye to all clients "
		"and ends it.",
		NULL, NULL, NULL};
	struct options options = {getenv("CCS_CONF"), LOG_INFO};
	static struct conf conf;
	struct err err;

	argp_err_exit_status = EX_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	log_open("ccs-relay", options.level);
	if (!conf_load(&conf, options.conf_path, &err)) {
		log_error("conf.refused", "why=%s", log_q(err.text));
		return EX_CONFIG;
	}
	return serve(&conf);
}
