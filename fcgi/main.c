/* ccs-api: the HTTP API behind nginx. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "common/service.h"
#include "fcgi/master.h"
#include "fcgi/nginx_print.h"
#include "fcgi/routes_print.h"

#include "common/base.h"

struct command {
	struct master_options master;
	bool print_nginx;
};

enum { OPTION_POOL = 256, OPTION_PRINT_NGINX, OPTION_PRINT_ROUTES };

static bool choose_pools(struct command *command, const char *name)
{
	bool all = str_eq(str_of(name), STR("all")), known = all;
	for (enum pool p = 0; p < POOL__N; p++) {
		command->master.runs[p] = all || str_eq(str_of(name), str_of(pool_name(p)));
		known |= command->master.runs[p];
	}
	return known;
}

static int print(const struct strbuf *text)
{
	bool written = fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0;
	return written ? EXIT_SUCCESS : EX_IOERR;
}

static int print_nginx(const struct conf *conf)
{
	struct strbuf text = STRBUF_INIT;
	nginx_print(conf, &text);
	int status = print(&text);
	strbuf_free(&text);
	return status;
}

/* Needs no configuration, so it is done while options are read, as --help is. */
__attribute__((noreturn)) static void print_routes(void)
{
	struct strbuf text = STRBUF_INIT;
	routes_print(&text);
	exit(print(&text));
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct command *command = state->input;
	if (key == OPTION_PRINT_NGINX)
		command->print_nginx = true;
	else if (key == OPTION_PRINT_ROUTES)
		print_routes();
	else if (key != OPTION_POOL)
		return ARGP_ERR_UNKNOWN;
	else if (!choose_pools(command, arg))
		argp_error(state,
			"there is no pool \"%s\"; --pool is fast, sql, call, login, admin or all",
			arg);
	return 0;
}

/* One kept connection of nginx is one descriptor of a fast worker. */
static void take_files(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option known[] = {
		{"pool", OPTION_POOL, "POOL", 0,
			"which workers to run: fast, sql, call, login, admin or all (default)", 0},
		{"print-nginx", OPTION_PRINT_NGINX, NULL, 0,
			"print the location blocks that nginx/ccs.conf.in includes", 0},
		{"print-routes", OPTION_PRINT_ROUTES, NULL, 0,
			"print every endpoint as JSON: method, path, pool, who, scope, name, "
			"summary",
			0},
		{0},
	};
	static const struct argp own = {known, parse, NULL, NULL, NULL, NULL, NULL};
	struct command command = {0};
	struct service service = {.name = "ccs-api",
		.about = "Answers the HTTP API behind nginx, on <run_dir>/api-fast.sock, "
			 "api-sql.sock, "
			 "api-call.sock, api-login.sock and api-admin.sock. "
			 "Runs in the foreground; SIGTERM ends it after the requests under way, "
			 "SIGHUP reads the configuration again.",
		.own = &own,
		.own_input = &command};
	static struct conf conf;
	(void)choose_pools(&command, "all");
	int status = service_open(&service, argc, argv, &conf);

	if (status != EX_OK)
		return status;
	if (command.print_nginx)
		return print_nginx(&conf);
	take_files();
	command.master.conf_path = service.conf_path;
	return master_run(&command.master, &conf);
}
